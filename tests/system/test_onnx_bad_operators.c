/* Operators with operands, attributes or shapes that ONNX or this library does not allow. */
#include "load.h"

#include <math.h>

/* Refused with a message that names the node. What would be valid with another rank is
 * RC_ERR_UNSUPPORTED. */
static void refused(rc_status st, const char *what)
{
    if (st != RC_ERR_MODEL && st != RC_ERR_SHAPE && st != RC_ERR_UNSUPPORTED)
        fail_msg("%s: %s: %s", what, rc_status_name(st), rc_last_error());
    if (!strstr(rc_last_error(), "\"n\""))
        fail_msg("%s: the message does not name the node: %s", what, rc_last_error());
}
#define BAD(call) refused((call), #call)

/* 24 */
static void operand_counts_are_checked(void **state)
{
    struct onnx_model m = onnx_model();
    BAD(load_node(&m, "N,3", onnx_node("Relu", "n", "", "y"), *state));
    m = onnx_model();
    BAD(load_node(&m, "N,3", onnx_node("Relu", "n", "x x", "y"), *state));
    m = onnx_model();
    BAD(load_node(&m, "N,3", onnx_node("Relu", "n", "x", "y z"), *state));
    m = onnx_model();
    BAD(load_node(&m, "N,3,4,4", onnx_node("Conv", "n", "x", "y"), *state));
    m = onnx_model();
    onnx_initializer(&m, onnx_floats("b", ((int64_t[]){1}), 1));
    BAD(load_node(&m, "N,3,4,4", onnx_node("Conv", "n", "x - b", "y"), *state));
    m = onnx_model();
    BAD(load_node(&m, "N,3,4,4", onnx_node("Conv", "n", "- x", "y"), *state));
}

/* Conv of x [N,2,5,5] with w [4,2/group,3,3] */
static struct onnx_model conv_model(int64_t per_group)
{
    static const float zeros[4 * 2 * 9];
    struct onnx_model m = onnx_model();
    onnx_initializer(&m, onnx_tensor("w", 1, 4, (int64_t[]){4, per_group, 3, 3}, zeros,
                                     (size_t) (4 * per_group * 9 * 4)));
    return m;
}

static rc_status conv_with(struct pb node, struct rc_context *c)
{
    struct onnx_model m = conv_model(2);
    return load_node(&m, "N,2,5,5", node, c);
}

static struct pb conv(void)
{
    return onnx_node("Conv", "n", "x w", "y");
}

static rc_status conv_ints(const char *name, const int64_t *v, uint32_t n, struct rc_context *c)
{
    struct pb p = conv();
    onnx_attr_ints(&p, name, v, n);
    return conv_with(p, c);
}
#define CONV(name, ...)                                                                           \
    conv_ints(name, (int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), \
              *state)

/* 25, 26 */
static void attributes_are_checked(void **state)
{
    struct pb p = conv();
    onnx_attr_list(&p, "strides", 1, 1);
    onnx_attr_list(&p, "strides", 2, 2);
    REFUSED(conv_with(p, *state), RC_ERR_MODEL, "node \"n\": attribute strides is given twice");
    p = conv();
    onnx_attr_float(&p, "strides", 1);
    REFUSED(conv_with(p, *state), RC_ERR_MODEL, "attribute strides is FLOAT, must be INTS");
    p = conv();
    onnx_attr_int(&p, "colour", 1);
    REFUSED(conv_with(p, *state), RC_ERR_MODEL, "Conv of opset 13 has no attribute \"colour\"");
    p = conv();
    onnx_attr_int(&p, "", 1);
    REFUSED(conv_with(p, *state), RC_ERR_MODEL, "has no name");
    p = onnx_node("Relu", "n", "x", "y");
    onnx_attr_int(&p, "axis", 1);
    REFUSED(conv_with(p, *state), RC_ERR_MODEL, "no attribute \"axis\"");
    static int64_t many[100000];
    BAD(conv_ints("strides", many, 100000, *state));
    BAD(conv_ints("strides", many, 0, *state));
    struct onnx_model m = onnx_model();
    BAD(load_node(&m, "N,3", onnx_node("Concat", "n", "x x", "y"), *state));
    m = onnx_model();
    BAD(load_node(&m, "N,3", onnx_node("Cast", "n", "x", "y"), *state));
}

/* 35 */
static void convolutions_are_checked(void **state)
{
    OK(conv_with(conv(), *state));
    BAD(CONV("strides", 0, 1));
    BAD(CONV("strides", -1, 1));
    BAD(CONV("strides", 1, 1, 1));
    BAD(CONV("dilations", 1));
    BAD(CONV("dilations", 0, 1));
    BAD(CONV("dilations", 3, 1)); /* 7 rows of kernel on 5 */
    BAD(CONV("kernel_shape", 5, 5));
    BAD(CONV("kernel_shape", 3));
    BAD(CONV("pads", -1, 0, 0, 0));
    BAD(CONV("pads", 1, 1, 1));
    BAD(CONV("pads", INT64_MAX, 1, 1, 1));
    BAD(CONV("pads", 2147483647, 2147483647, 2147483647, 2147483647));
    for (int64_t group = -1; group < 5; group++) {
        struct pb p = conv();
        onnx_attr_int(&p, "group", group);
        if (group == 1)
            OK(conv_with(p, *state));
        else
            BAD(conv_with(p, *state));
    }
    struct pb p = conv();
    onnx_attr_string(&p, "auto_pad", "SAME_SIDEWAYS");
    BAD(conv_with(p, *state));
    p = conv();
    onnx_attr_string(&p, "auto_pad", "SAME_UPPER");
    onnx_attr_list(&p, "pads", 1, 1, 1, 1);
    BAD(conv_with(p, *state));
    struct onnx_model m = conv_model(2);
    BAD(load_node(&m, "N,2,2,2", conv(), *state)); /* smaller than the kernel */
}

/* 36, 28 */
static void ranks_are_checked(void **state)
{
    struct onnx_model m = conv_model(2);
    BAD(load_node(&m, "N,2,25", conv(), *state));
    m = conv_model(2);
    BAD(load_node(&m, "N,2", conv(), *state));
    m = onnx_model();
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){2}), 1, 2));
    BAD(load_node(&m, "N,2,5,5", conv(), *state));
    m = onnx_model();
    onnx_initializer(&m, onnx_floats("a", ((int64_t[]){2}), 1, 2));
    onnx_initializer(&m, onnx_floats("b", ((int64_t[]){1}), 1));
    BAD(load_node(&m, "N,2,5,5", onnx_node("BatchNormalization", "n", "x a a a b", "y"), *state));
    m = onnx_model();
    onnx_initializer(&m, onnx_floats("a", ((int64_t[]){2, 1}), 1, 2));
    BAD(load_node(&m, "N,2,5,5", onnx_node("BatchNormalization", "n", "x a a a a", "y"), *state));
}

/* 32 */
static void batch_statistics_are_checked(void **state)
{
    struct onnx_model m = onnx_model();
    onnx_initializer(&m, onnx_floats("a", ((int64_t[]){2}), 1, 2));
    onnx_initializer(&m, onnx_floats("v", ((int64_t[]){2}), 1, -2));
    BAD(load_node(&m, "N,2,5,5", onnx_node("BatchNormalization", "n", "x a a a v", "y"), *state));
    const float epsilon[] = {-1e-5f, NAN};
    for (int i = 0; i < 2; i++) {
        struct pb p = onnx_node("BatchNormalization", "n", "x a a a a", "y");
        onnx_attr_float(&p, "epsilon", epsilon[i]);
        m = onnx_model();
        onnx_initializer(&m, onnx_floats("a", ((int64_t[]){2}), 1, 2));
        BAD(load_node(&m, "N,2,5,5", p, *state));
    }
}

/* 37 */
static void normalizations_that_train_are_refused(void **state)
{
    struct pb p = onnx_node("BatchNormalization", "n", "x a a a a", "y");
    onnx_attr_int(&p, "training_mode", 1);
    struct onnx_model m = onnx_model();
    m.opset = 15;
    onnx_initializer(&m, onnx_floats("a", ((int64_t[]){2}), 1, 2));
    REFUSED(load_node(&m, "N,2,5,5", p, *state), RC_ERR_UNSUPPORTED, "training_mode is 1");
    m = onnx_model(); /* results that only a training graph has */
    onnx_initializer(&m, onnx_floats("a", ((int64_t[]){2}), 1, 2));
    onnx_output(&m, "mean", "?");
    BAD(load_node(&m, "N,2,5,5", onnx_node("BatchNormalization", "n", "x a a a a", "y mean"),
                  *state));
}

static rc_status quantize(struct pb scale, struct rc_context *c)
{
    struct onnx_model m = onnx_model();
    onnx_initializer(&m, scale);
    return load_node(&m, "N,2", onnx_node("QuantizeLinear", "n", "x s", "y"), c);
}

static void quantization_scales_are_checked(void **state)
{
    const int64_t one[] = {1}, three[] = {3};
    BAD(quantize(onnx_floats("s", one, 0.0f), *state));
    BAD(quantize(onnx_floats("s", one, -1.0f), *state));
    BAD(quantize(onnx_floats("s", three, 1, 1, 1), *state)); /* axis 1 has two */
    struct pb p = onnx_node("QuantizeLinear", "n", "x s", "y");
    struct onnx_model m = onnx_model();
    onnx_attr_int(&p, "axis", 7);
    onnx_initializer(&m, onnx_floats("s", ((int64_t[]){2}), 1, 1));
    BAD(load_node(&m, "N,2", p, *state));
}

/* 38 */
static void products_are_checked(void **state)
{
    struct onnx_model m;
    for (int trans = 0; trans < 4; trans++) {
        struct pb p = onnx_node("Gemm", "n", "x w", "y");
        onnx_attr_int(&p, "transA", trans & 1);
        onnx_attr_int(&p, "transB", trans >> 1);
        m = onnx_model();
        onnx_initializer(&m, onnx_floats("w", ((int64_t[]){3, 2}), 1, 2, 3, 4, 5, 6));
        const rc_status st = load_node(&m, "4,3", p, *state);
        if (trans == 0)
            OK(st);
        else
            refused(st, "Gemm");
    }
    struct pb p = onnx_node("Gemm", "n", "x w", "y");
    onnx_attr_float(&p, "alpha", NAN);
    m = onnx_model();
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){3, 2}), 1, 2, 3, 4, 5, 6));
    BAD(load_node(&m, "4,3", p, *state));
    m = onnx_model();
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){2, 2}), 1, 2, 3, 4));
    BAD(load_node(&m, "4,3", onnx_node("MatMul", "n", "x w", "y"), *state));
}

/* 39 */
static void sums_must_broadcast(void **state)
{
    struct onnx_model m = onnx_model();
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){2}), 1, 2));
    BAD(load_node(&m, "N,3", onnx_node("Add", "n", "x w", "y"), *state));
    m = onnx_model();
    onnx_initializer(&m, onnx_int64s("w", 1, 2, 3));
    BAD(load_node(&m, "N,3", onnx_node("Add", "n", "x w", "y"), *state));
}

static rc_status reshape(struct pb shape, struct rc_context *c)
{
    struct onnx_model m = onnx_model();
    onnx_initializer(&m, shape);
    return load_node(&m, "2,6", onnx_node("Reshape", "n", "x s", "y"), c);
}

/* 40 */
static void new_shapes_are_checked(void **state)
{
    OK(reshape(onnx_int64s("s", 3, -1), *state));
    OK(reshape(onnx_int64s("s", 0, 2, 3), *state));
    BAD(reshape(onnx_int64s("s", -1, -1), *state));
    BAD(reshape(onnx_int64s("s", -2, 3), *state));
    BAD(reshape(onnx_int64s("s", 5, 3), *state));
    BAD(reshape(onnx_int64s("s", 2, 6, 0), *state));
    BAD(reshape(onnx_int64s("s", INT64_MAX, INT64_MAX, 4), *state));
    for (int64_t axis = -4; axis < 5; axis++) {
        struct pb p = onnx_node("Flatten", "n", "x", "y");
        struct onnx_model m = onnx_model();
        onnx_attr_int(&p, "axis", axis);
        const rc_status st = load_node(&m, "2,3,4", p, *state);
        if (axis >= -3 && axis <= 3)
            OK(st);
        else
            refused(st, "Flatten");
    }
    struct onnx_model m = onnx_model();
    struct pb dims = {0}, tensor = {0}, type = {0}, value = {0};
    pb_bytes(&dims, 1, "\x08\x02", 2); /* an i64 input of two elements */
    pb_varint(&tensor, 1, 7);
    pb_message(&tensor, 2, &dims);
    pb_message(&type, 1, &tensor);
    pb_string(&value, 1, "s");
    pb_message(&value, 2, &type);
    pb_message(&m.graph, 11, &value);
    const rc_status st = load_node(&m, "2,6", onnx_node("Reshape", "n", "x s", "y"), *state);
    assert_true(st == RC_ERR_UNSUPPORTED || st == RC_ERR_MODEL);
}

/* 41 */
static void pools_are_checked(void **state)
{
    static const char *const pools[] = {"MaxPool", "AveragePool"};
    for (int i = 0; i < 2; i++) {
        struct onnx_model m = onnx_model();
        struct pb p = onnx_node(pools[i], "n", "x", "y");
        onnx_attr_list(&p, "kernel_shape", 5, 5);
        BAD(load_node(&m, "N,2,3,3", p, *state));
        m = onnx_model();
        BAD(load_node(&m, "N,2,3,3", onnx_node(pools[i], "n", "x", "y"), *state));
        m = onnx_model();
        p = onnx_node(pools[i], "n", "x", "y");
        onnx_attr_list(&p, "kernel_shape", 2, 2);
        onnx_attr_list(&p, "pads", 2, 2, 2, 2); /* a window of nothing but padding */
        BAD(load_node(&m, "N,2,3,3", p, *state));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operand_counts_are_checked),
        cmocka_unit_test(attributes_are_checked),
        cmocka_unit_test(convolutions_are_checked),
        cmocka_unit_test(ranks_are_checked),
        cmocka_unit_test(batch_statistics_are_checked),
        cmocka_unit_test(normalizations_that_train_are_refused),
        cmocka_unit_test(quantization_scales_are_checked),
        cmocka_unit_test(products_are_checked),
        cmocka_unit_test(sums_must_broadcast),
        cmocka_unit_test(new_shapes_are_checked),
        cmocka_unit_test(pools_are_checked),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
