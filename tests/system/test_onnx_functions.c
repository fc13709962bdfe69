/* Functions of a model, and surveys of files that are refused. */
#include "handnets.h"
#include "load.h"

#include "io/onnx.h"

#include <unistd.h>

static void put_opset(struct pb *function, int64_t version)
{
    struct pb opset = {0};
    pb_varint(&opset, 2, version);
    pb_message(function, 9, &opset);
}

/* (a, b) -> c with nodes to be added; domain "my.stuff". */
static struct pb function_new(const char *name)
{
    struct pb f = {0};
    pb_string(&f, 1, name);
    pb_string(&f, 4, "a");
    pb_string(&f, 4, "b");
    pb_string(&f, 5, "c");
    pb_string(&f, 10, "my.stuff");
    return f;
}

static struct pb call_of(const char *function, const char *name, const char *in, const char *out)
{
    struct pb n = onnx_node(function, name, in, out);
    pb_string(&n, 7, "my.stuff");
    return n;
}

/* LeakyRelu whose alpha is the function's attribute "slope" */
static struct pb leaky_with_slope(const char *in, const char *out)
{
    struct pb n = onnx_node("LeakyRelu", "leaky", in, out), a = {0};
    pb_string(&a, 1, "alpha");
    pb_varint(&a, 20, 1);
    pb_string(&a, 21, "slope");
    pb_message(&n, 5, &a);
    return n;
}

static struct pb with_functions(struct onnx_model *m, struct pb *f, int n)
{
    struct pb p = onnx_bytes(m);
    for (int i = 0; i < n; i++)
        pb_message(&p, 25, &f[i]);
    return p;
}

static struct onnx_model calling(struct pb call)
{
    struct onnx_model m = onnx_model();
    onnx_add(&m, call);
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){3}), 1, 2, 3));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    return m;
}

/* inner: c = leaky(a) + b; outer: c = inner(inner(a, b), b) */
static void functions_that_call_functions_become_their_nodes(void **state)
{
    struct pb f[2] = {function_new("Inner"), function_new("Outer")};
    struct pb node = leaky_with_slope("a", "t"), call = call_of("Outer", "block", "x w", "y");
    pb_message(&f[0], 7, &node);
    node = onnx_node("Add", "add", "t b", "c");
    pb_message(&f[0], 7, &node);
    put_opset(&f[0], 13);
    struct pb slope = {0};
    pb_string(&slope, 1, "slope"); /* the default */
    pb_float(&slope, 2, 0.5f);
    pb_varint(&slope, 20, 1);
    pb_message(&f[0], 11, &slope);
    node = call_of("Inner", "first", "a b", "t");
    onnx_attr_float(&node, "slope", 0.25f);
    pb_message(&f[1], 7, &node);
    node = call_of("Inner", "second", "t b", "c");
    pb_message(&f[1], 7, &node);
    struct onnx_model m = calling(call);
    struct rc_graph *g;
    struct rci_tensor y;
    OK(load_bytes(with_functions(&m, f, 2), *state, &g));
    uint32_t nodes = 0;
    for (rci_id i = 0; i < g->n_nodes; i++)
        nodes += g->nodes[i].op != NULL;
    assert_int_equal(nodes, 4);
    assert_true(rci_graph_find_node(g, "block/first/leaky") != RC_NONE);
    net_run(g, 1, (float[]){-8, -16, 4}, &y);
    const float want[] = {-0.5f + 1, -1 + 2, 7 + 3}; /* -2 + 1 = -1, -4 + 2 = -2, 4 + 3 */
    for (int i = 0; i < 3; i++)
        assert_float_equal(((float *) y.data)[i], want[i], 1e-6);
    rci_tensor_free(&y);
    rci_graph_free(g);
}

static void functions_that_cannot_end_are_refused(void **state)
{
    struct pb f = function_new("Loop"), node = call_of("Loop", "again", "a b", "c");
    pb_message(&f, 7, &node);
    struct onnx_model m = calling(call_of("Loop", "block", "x w", "y"));
    REFUSED(load_bytes(with_functions(&m, &f, 1), *state, NULL), RC_ERR_LIMIT, "deep");
    f = function_new("Other");
    put_opset(&f, 11);
    node = onnx_node("Add", NULL, "a b", "c");
    pb_message(&f, 7, &node);
    m = calling(call_of("Other", "block", "x w", "y"));
    REFUSED(load_bytes(with_functions(&m, &f, 1), *state, NULL), RC_ERR_UNSUPPORTED,
            "function Other is of opset 11, the model of 13");
    f = function_new("Few");
    node = onnx_node("Add", NULL, "a b", "c");
    pb_message(&f, 7, &node);
    m = calling(call_of("Few", "block", "x w w", "y"));
    REFUSED(load_bytes(with_functions(&m, &f, 1), *state, NULL), RC_ERR_MODEL, "3 operands");
}

/* 2^7 calls of 2^10 nodes each */
static void functions_that_swell_are_bounded(void **state)
{
    struct pb f[7];
    char name[8], inner[8];
    for (int k = 0; k < 7; k++) {
        snprintf(name, sizeof(name), "F%d", k);
        snprintf(inner, sizeof(inner), "F%d", k - 1);
        f[k] = function_new(name);
        for (int i = 0; i < 16; i++) {
            struct pb n = k ? call_of(inner, NULL, "a b", i ? "u" : "c")
                            : onnx_node("Add", NULL, "a b", i ? "u" : "c");
            pb_message(&f[k], 7, &n);
        }
    }
    struct onnx_model m = calling(call_of("F6", "block", "x w", "y"));
    REFUSED(load_bytes(with_functions(&m, f, 7), *state, NULL), RC_ERR_LIMIT, "65536 nodes");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(functions_that_call_functions_become_their_nodes),
        CASE(functions_that_cannot_end_are_refused),
        CASE(functions_that_swell_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
