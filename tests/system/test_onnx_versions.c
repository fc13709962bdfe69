/* Opset imports, old operator versions and what exporters write that no version has. */
#include "eval.h"
#include "handnets.h"
#include "load.h"

#include "io/onnx.h"

#include <string.h>

static struct onnx_model relu_model(void)
{
    struct onnx_model m = onnx_model();
    onnx_add(&m, onnx_node("Relu", "relu", "x", "y"));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    return m;
}

static void add_opset(struct pb *file, const char *domain, int64_t version)
{
    struct pb opset = {0};
    pb_string(&opset, 1, domain);
    pb_varint(&opset, 2, version);
    pb_message(file, 8, &opset);
}

static void a_domain_that_no_node_uses_is_ignored(void **state)
{
    static const char *const domains[] = {"ai.onnx.preview", "com.microsoft", "ai.onnx.ml",
                                          "my.own.stuff", "com.ms.internal.nhwc"};
    struct onnx_model m = relu_model();
    struct pb p = onnx_bytes(&m);
    struct rc_graph *g;
    struct rci_bytes saved;
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
        add_opset(&p, domains[i], (int64_t) i);
    OK(load_bytes(p, *state, &g));
    OK(rci_onnx_save_memory(&saved, g));
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
        assert_null(memmem(saved.data, saved.size, domains[i], strlen(domains[i])));
    rci_release(saved.data);
    rci_graph_free(g);
}

static void a_domain_that_a_node_uses_stops_the_model_by_that_node(void **state)
{
    struct onnx_model m = relu_model();
    struct pb node = onnx_node("Relu", "mine", "x", "z");
    pb_string(&node, 7, "my.own.stuff");
    onnx_add(&m, node);
    struct pb p = onnx_bytes(&m);
    add_opset(&p, "my.own.stuff", 1);
    REFUSED(load_bytes(p, *state, NULL), RC_ERR_UNSUPPORTED, "\"mine\" (my.own.stuff.Relu)");
}

static void both_names_of_the_onnx_domain_are_one(void **state)
{
    struct onnx_model m = relu_model();
    struct pb node = onnx_node("Relu", "second", "x", "z");
    pb_string(&node, 7, "ai.onnx");
    onnx_add(&m, node);
    onnx_output(&m, "z", "N,3");
    OK(load_model(&m, *state, NULL));
}

static void every_opset_and_newer_ir_versions_load(void **state)
{
    for (int64_t opset = 1; opset <= 25; opset++) {
        struct onnx_model m = relu_model();
        struct rc_graph *g;
        m.opset = opset;
        m.ir_version = opset < 22 ? 3 + opset / 3 : 20;
        OK(load_model(&m, *state, &g));
        assert_int_equal(g->opset, opset < 7 ? 7 : opset);
        rci_graph_free(g);
    }
}

/* Output 0 of the model for x = 0, 1, 2, ... */
static void run_model(struct onnx_model *m, struct rc_context *c, int64_t count,
                      struct rci_tensor *y)
{
    struct rc_graph *g;
    float x[64];
    for (int64_t i = 0; i < count; i++)
        x[i] = (float) i;
    OK(load_model(m, c, &g));
    net_run(g, 1, x, y);
    rci_graph_free(g);
}

static void expect(struct rci_tensor *y, const float *want, int64_t n)
{
    assert_int_equal(rci_shape_count(&y->shape), n);
    for (int64_t i = 0; i < n; i++)
        assert_float_equal(((const float *) y->data)[i], want[i], 1e-5);
    rci_tensor_free(y);
}

/* x [1, 2, 2, 1], b [2] along axis 1 */
static void an_axis_of_broadcasting_aligns_the_constant(void **state)
{
    for (int with_axis = 0; with_axis < 2; with_axis++) {
        struct onnx_model m = onnx_model();
        struct pb add = onnx_node("Add", "add", "r b", "y");
        struct pb relu = onnx_node("Relu", "relu", "x", "r");
        struct rci_tensor y;
        m.opset = 6;
        onnx_attr_int(&add, "broadcast", 1);
        if (with_axis)
            onnx_attr_int(&add, "axis", 1);
        onnx_add(&m, add);
        onnx_add(&m, relu);
        onnx_initializer(&m, onnx_floats("b", ((int64_t[]){2}), 10, 20));
        onnx_input(&m, "x", "1,2,2,2");
        onnx_output(&m, "y", "1,2,2,2");
        run_model(&m, *state, 8, &y);
        if (with_axis)
            expect(&y, (float[]){10, 11, 12, 13, 24, 25, 26, 27}, 8);
        else
            expect(&y, (float[]){10, 21, 12, 23, 14, 25, 16, 27}, 8);
    }
    struct onnx_model m = onnx_model();
    struct pb add = onnx_node("Add", "add", "x b", "y");
    m.opset = 6;
    onnx_attr_int(&add, "broadcast", 1);
    onnx_attr_int(&add, "axis", 3);
    onnx_initializer(&m, onnx_floats("b", ((int64_t[]){2, 1}), 10, 20));
    REFUSED(load_node(&m, "1,2,2,1", add, *state), RC_ERR_MODEL, "axis is 3");
    m = onnx_model(); /* newer opsets have no such attribute */
    add = onnx_node("Add", "add", "x b", "y");
    onnx_attr_int(&add, "broadcast", 1);
    onnx_initializer(&m, onnx_floats("b", ((int64_t[]){2}), 10, 20));
    REFUSED(load_node(&m, "1,2,2,2", add, *state), RC_ERR_MODEL, "no attribute \"broadcast\"");
}

/* MXNet's files of opset 7 and Caffe2's of opset 3 and 6 */
static void attributes_that_only_old_exporters_write_are_read_over(void **state)
{
    for (int64_t opset = 3; opset <= 9; opset++) {
        struct onnx_model m = onnx_model();
        struct pb bn = onnx_node("BatchNormalization", "bn", "x s s s s", "y");
        struct rci_tensor y;
        m.opset = opset;
        onnx_attr_int(&bn, "spatial", 0);
        if (opset < 9)
            onnx_attr_list(&bn, "consumed_inputs", 0, 0, 0, 1, 1);
        if (opset < 7)
            onnx_attr_int(&bn, "is_test", 1);
        onnx_add(&m, bn);
        onnx_initializer(&m, onnx_floats("s", ((int64_t[]){2}), 1, 4));
        onnx_input(&m, "x", "1,2,1,1");
        onnx_output(&m, "y", "1,2,1,1");
        run_model(&m, *state, 2, &y);
        expect(&y, (float[]){0, -2}, 2);
    }
}

static void shapes_axes_and_pads_of_the_first_opsets_are_attributes(void **state)
{
    struct onnx_model m = onnx_model();
    struct pb reshape = onnx_node("Reshape", "reshape", "x", "r");
    struct pb pad = onnx_node("Pad", "pad", "r", "y");
    struct rci_tensor y;
    m.opset = 1;
    onnx_attr_list(&reshape, "shape", 2, -1);
    onnx_attr_list(&pad, "paddings", 0, 1, 0, 0);
    onnx_add(&m, reshape);
    onnx_add(&m, pad);
    onnx_add(&m, onnx_node("Concat", "concat", "r y", "z"));
    onnx_input(&m, "x", "1,4");
    onnx_output(&m, "z", "2,5");
    run_model(&m, *state, 4, &y);
    expect(&y, (float[]){0, 1, 0, 0, 1, 2, 3, 0, 2, 3}, 10);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_domain_that_no_node_uses_is_ignored),
        CASE(a_domain_that_a_node_uses_stops_the_model_by_that_node),
        CASE(both_names_of_the_onnx_domain_are_one),
        CASE(every_opset_and_newer_ir_versions_load),
        CASE(an_axis_of_broadcasting_aligns_the_constant),
        CASE(attributes_that_only_old_exporters_write_are_read_over),
        CASE(shapes_axes_and_pads_of_the_first_opsets_are_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
