/* Two graphs compared by what they compute, and imports compared with their files. */
#include "load.h"
#include "nets.h"

#include "io/onnx.h"
#include "pass/check.h"
#include "pass/pass.h"

static void what_passes_change_is_not_what_a_network_computes(void **state)
{
    static const struct rci_pass *const passes[] = {&rci_pass_fold_const, &rci_pass_drop_identity,
                                                    &rci_pass_fold_affine};
    for (uint64_t seed = 1; seed < 5; seed++) {
        struct rc_graph *g = net_random(*state, seed, NET_ALL), *h;
        struct rci_check check;
        OK(rci_graph_clone_shared(&h, g));
        OK(rci_check_start(&check, g));
        for (int k = 0; k < 3; k++) {
            OK(rci_pass_run(h, passes[k], NULL));
            OK(rci_check_compare(&check, h, passes[k]->name));
        }
        rci_check_end(&check);
        rci_graph_free(h);
        rci_graph_free(g);
    }
}

/* a = relu(x), b = relu(x): sigmoid of both is one too; another slope and an output stay */
static void nodes_that_compute_the_same_become_one(void **state)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g, *h;
    struct rci_check check;
    uint32_t changed;
    struct pb leaky = onnx_node("LeakyRelu", "l1", "x", "l"),
              other = onnx_node("LeakyRelu", "l2", "x", "k");
    onnx_attr_float(&leaky, "alpha", 0.5f);
    onnx_attr_float(&other, "alpha", 0.25f);
    onnx_add(&m, onnx_node("Relu", "r1", "x", "a"));
    onnx_add(&m, onnx_node("Relu", "r2", "x", "b"));
    onnx_add(&m, onnx_node("Sigmoid", "s1", "a", "c"));
    onnx_add(&m, onnx_node("Sigmoid", "s2", "b", "d"));
    onnx_add(&m, leaky);
    onnx_add(&m, other);
    onnx_add(&m, onnx_node("Add", "add1", "c d", "e"));
    onnx_add(&m, onnx_node("Add", "add2", "l k", "f"));
    onnx_add(&m, onnx_node("Add", "add3", "e f", "y"));
    onnx_add(&m, onnx_node("Relu", "r3", "x", "z"));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    onnx_output(&m, "z", "N,3");
    OK(load_model(&m, *state, &g));
    OK(rci_graph_clone_shared(&h, g));
    OK(rci_check_start(&check, g));
    OK(rci_pass_run(h, &rci_pass_merge_equal, &changed));
    assert_int_equal(changed, 2);
    assert_true(rci_graph_find_value(h, "z") != RC_NONE);
    OK(rci_check_compare(&check, h, "merge_equal"));
    rci_check_end(&check);
    rci_graph_free(h);
    rci_graph_free(g);
}

static void the_first_value_that_differs_is_named(void **state)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g, *h;
    struct rci_check check;
    onnx_add(&m, onnx_node("Mul", "mul", "x w", "first"));
    onnx_add(&m, onnx_node("Add", "add", "first b", "second"));
    onnx_add(&m, onnx_node("Relu", "relu", "second", "y"));
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){3}), 1, 2, 3));
    onnx_initializer(&m, onnx_floats("b", ((int64_t[]){3}), 1, 2, 3));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    OK(load_model(&m, *state, &g));
    OK(rci_graph_clone(&h, g));
    OK(rci_check_start(&check, g));
    OK(rci_check_compare(&check, h, "nothing"));
    ((float *) h->values[rci_graph_find_value(h, "b")].tensor.data)[1] = 2.5f;
    REFUSED(rci_check_compare(&check, h, "an edit"), RC_ERR_STATE,
            "an edit: value \"second\" is the first to differ, by 0.");
    OK(rci_graph_rename_value(h, h->outputs[0], "z"));
    REFUSED(rci_check_compare(&check, h, "an edit"), RC_ERR_STATE, "output \"y\" became \"z\"");
    rci_check_end(&check);
    rci_graph_free(h);
    rci_graph_free(g);
}

/* A shape chain, and a constant to fold: as exporters write them */
static void an_import_is_compared_with_its_file(void **state)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g;
    struct pb concat = onnx_node("Concat", "concat", "n rest", "to");
    onnx_attr_int(&concat, "axis", 0);
    onnx_add(&m, onnx_node("Shape", "shape", "x", "s"));
    onnx_add(&m, onnx_node("Gather", "gather", "s zero", "n"));
    onnx_add(&m, concat);
    onnx_add(&m, onnx_node("Reshape", "reshape", "x to", "r"));
    onnx_add(&m, onnx_node("Add", "ones", "w w", "twice"));
    onnx_add(&m, onnx_node("Mul", "mul", "r twice", "y"));
    onnx_initializer(&m, onnx_int64s("zero", 0));
    onnx_initializer(&m, onnx_int64s("rest", -1));
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){1}), 1.5f));
    onnx_input(&m, "x", "N,3,2,2");
    onnx_output(&m, "y", "?");
    struct pb bytes = onnx_bytes(&m);
    const struct rci_onnx_source source = {.flags = RCI_LOAD_CHECK};
    OK(rci_onnx_load_from(&g, *state, &source, bytes.data, bytes.size));
    pb_free(&bytes);
    rci_graph_free(g);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_passes_change_is_not_what_a_network_computes),
        CASE(nodes_that_compute_the_same_become_one),
        CASE(the_first_value_that_differs_is_named),
        CASE(an_import_is_compared_with_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
