/* Nodes that are read as others: each file against the same thing spelled out. */
#include "eval.h"
#include "load.h"

#include "graph/graph.h"
#include "op/rewrite/rewrite.h"

#include <math.h>

/* Numbers without a pattern, in [-1, 1]. */
static void fill(float *x, int n)
{
    for (int i = 0; i < n; i++)
        x[i] = (float) (i * 37 % 101 - 50) / 50;
}

static struct pb weights(const char *name, uint32_t rank, const int64_t *dims)
{
    float w[512];
    size_t n = 1;
    for (uint32_t k = 0; k < rank; k++)
        n *= (size_t) dims[k];
    assert_true(n <= 512);
    fill(w, (int) n);
    return onnx_tensor(name, 1, rank, dims, w, n * sizeof(float));
}
#define WEIGHTS(name, ...) \
    weights(name, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

static rci_id find_op(const struct rc_graph *g, const char *op)
{
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && !strcmp(g->nodes[i].op->name, op))
            return i;
    return RC_NONE;
}

/* Both models give the same for the same numbers; `op` is in the first. */
static void same(struct onnx_model *a, struct onnx_model *b, const char *op, double tolerance)
{
    struct rc_context *c = test_context();
    struct rc_graph *g[2];
    struct rci_tensor x, y[2];
    OK(load_model(a, c, &g[0]));
    OK(load_model(b, c, &g[1]));
    assert_true(find_op(g[0], op) != RC_NONE);
    for (int k = 0; k < 2; k++) {
        const struct rci_tensor *in = &g[k]->values[g[k]->inputs[0]].tensor;
        OK(rci_tensor_new(&x, c, RC_F32, &in->shape));
        fill(x.data, (int) rci_shape_count(&x.shape));
        OK(eval_graph(g[k], &x, &y[k]));
        rci_tensor_free(&x);
    }
    assert_true(y[0].dtype == RC_F32 && rci_shape_equal(&y[0].shape, &y[1].shape));
    for (int64_t i = 0, n = rci_shape_count(&y[0].shape); i < n; i++) {
        const double p = (double) ((float *) y[0].data)[i], q = (double) ((float *) y[1].data)[i];
        if (!(fabs(p - q) <= tolerance))
            fail_msg("%s: element %lld is %g and %g", op, (long long) i, p, q);
    }
    for (int k = 0; k < 2; k++) {
        rci_tensor_free(&y[k]);
        rci_graph_free(g[k]);
    }
    test_context_done(c);
}

static struct onnx_model model(const char *in, const char *out, int64_t opset)
{
    struct onnx_model m = onnx_model();
    m.opset = opset;
    onnx_input(&m, "x", in);
    onnx_output(&m, "y", out);
    return m;
}

static struct pb ms(struct pb node)
{
    pb_string(&node, 7, "com.microsoft");
    return node;
}

static void sums_of_several_are_additions(void **state)
{
    (void) state;
    static const char *const ops[] = {"Sum", "Mean", "Max", "Min"};
    for (int k = 0; k < 4; k++) {
        struct onnx_model a = model("2,3,2,2", "?", 13), b = model("2,3,2,2", "?", 13);
        for (int i = 0; i < 2; i++) {
            struct onnx_model *m = i ? &b : &a;
            onnx_initializer(m, WEIGHTS("u", 3, 1, 1));
            onnx_initializer(m, WEIGHTS("v", 2, 2));
        }
        onnx_add(&a, onnx_node(ops[k], "n", "x u v", "y"));
        const char *two = k < 2 ? "Add" : ops[k];
        onnx_add(&b, onnx_node(two, "n1", "x u", "t"));
        onnx_add(&b, onnx_node(two, "n2", "t v", k == 1 ? "s" : "y"));
        if (k == 1) {
            onnx_initializer(&b, onnx_floats("three", ((int64_t[]){1}), 3));
            onnx_add(&b, onnx_node("Div", "n3", "s three", "y"));
        }
        same(&a, &b, two, 0);
    }
}

static struct pb conv(const char *op, const char *in, const char *out)
{
    struct pb n = onnx_node(op, op, in, out);
    onnx_attr_list(&n, "kernel_shape", 3, 3);
    onnx_attr_list(&n, "pads", 1, 1, 1, 1);
    return n;
}

/* Convolution, bias, residual and activation in one node. */
static void fused_convolutions_are_taken_apart(void **state)
{
    (void) state;
    static const char *const kinds[] = {"Relu", "LeakyRelu", "Clip", "Tanh", "HardSigmoid", ""};
    for (int64_t opset = 9; opset <= 13; opset += 4)
        for (int k = 0; k < 6; k++) {
            struct onnx_model a = model("1,4,5,5", "?", opset), b = model("1,4,5,5", "?", opset);
            for (int i = 0; i < 2; i++) {
                onnx_initializer(i ? &b : &a, WEIGHTS("w", 4, 4, 3, 3));
                onnx_initializer(i ? &b : &a, WEIGHTS("b", 4));
            }
            struct pb n = ms(conv("FusedConv", "x w b x", "y"));
            if (*kinds[k])
                onnx_attr_string(&n, "activation", kinds[k]);
            onnx_add(&a, n);
            onnx_add(&b, conv("Conv", "x w b", "t"));
            onnx_add(&b, onnx_node("Add", "sum", "t x", *kinds[k] ? "s" : "y"));
            struct pb f = onnx_node(kinds[k], "f", "s", "y");
            if (k == 2 && opset < 11) {
                onnx_attr_float(&f, "min", 0);
                onnx_attr_float(&f, "max", 6);
            } else if (k == 2) {
                pb_free(&f);
                f = onnx_node("Clip", "f", "s lo hi", "y");
                onnx_initializer(&b, onnx_tensor("lo", 1, 0, NULL, (float[]){0}, 4));
                onnx_initializer(&b, onnx_tensor("hi", 1, 0, NULL, (float[]){6}, 4));
            }
            if (*kinds[k])
                onnx_add(&b, f);
            else
                pb_free(&f);
            same(&a, &b, "Conv", 0);
        }
}

static void an_activation_that_is_unknown_is_refused_by_name(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct onnx_model m = model("1,4,5,5", "?", 13);
    onnx_initializer(&m, WEIGHTS("w", 4, 4, 3, 3));
    struct pb n = ms(conv("FusedConv", "x w", "y"));
    onnx_attr_string(&n, "activation", "Cosine");
    onnx_add(&m, n);
    REFUSED(load_model(&m, c, NULL), RC_ERR_UNSUPPORTED,
            "node \"FusedConv\": FusedConv with activation \"Cosine\"");
    m = model("1,4,5,5", "?", 13);
    onnx_add(&m, ms(conv("FusedConv", "x", "y")));
    REFUSED(load_model(&m, c, NULL), RC_ERR_MODEL, "operand 1 of FusedConv is missing");
    test_context_done(c);
}

static void fused_products_are_taken_apart(void **state)
{
    (void) state;
    struct onnx_model a = model("3,4", "?", 13), b = model("3,4", "?", 13);
    onnx_initializer(&a, WEIGHTS("w", 5, 4));
    onnx_initializer(&b, WEIGHTS("w", 5, 4));
    struct pb n = ms(onnx_node("FusedMatMul", "n", "x w", "y"));
    onnx_attr_int(&n, "transB", 1);
    onnx_attr_float(&n, "alpha", 0.5f);
    onnx_add(&a, n);
    n = onnx_node("Gemm", "n", "x w", "y");
    onnx_attr_int(&n, "transB", 1);
    onnx_attr_float(&n, "alpha", 0.5f);
    onnx_add(&b, n);
    same(&a, &b, "MatMul", 1e-6);
    a = model("3,4", "?", 13), b = model("3,4", "?", 13);
    onnx_initializer(&a, WEIGHTS("w", 4, 5));
    onnx_initializer(&b, WEIGHTS("w", 4, 5));
    n = ms(onnx_node("FusedGemm", "n", "x w", "y"));
    onnx_attr_string(&n, "activation", "LeakyRelu");
    onnx_attr_float(&n, "activation_alpha", 0.25f);
    onnx_add(&a, n);
    onnx_add(&b, onnx_node("Gemm", "n", "x w", "t"));
    n = onnx_node("LeakyRelu", "f", "t", "y");
    onnx_attr_float(&n, "alpha", 0.25f);
    onnx_add(&b, n);
    same(&a, &b, "Gemm", 0);
}

static void spellings_of_gelu_agree(void **state)
{
    (void) state;
    static const char *const ops[] = {"Gelu", "BiasGelu", "FastGelu"};
    for (int k = 0; k < 3; k++) {
        struct onnx_model a = model("3,7", "?", 13), b = model("3,7", "?", 20);
        onnx_initializer(&a, WEIGHTS("u", 7));
        onnx_initializer(&b, WEIGHTS("u", 7));
        onnx_add(&a, ms(onnx_node(ops[k], "n", k ? "x u" : "x", "y")));
        if (k)
            onnx_add(&b, onnx_node("Add", "s", "x u", "t"));
        struct pb n = onnx_node("Gelu", "n", k ? "t" : "x", "y");
        if (k == 2)
            onnx_attr_string(&n, "approximate", "tanh");
        onnx_add(&b, n);
        same(&a, &b, k == 2 ? "Tanh" : "Erf", 1e-6);
    }
    struct onnx_model a = model("3,7", "?", 13), b = model("3,7", "?", 24);
    struct pb n = ms(onnx_node("QuickGelu", "n", "x", "y"));
    onnx_attr_float(&n, "alpha", 1.5f);
    onnx_add(&a, n);
    n = onnx_node("Swish", "n", "x", "y");
    onnx_attr_float(&n, "alpha", 1.5f);
    onnx_add(&b, n);
    same(&a, &b, "Sigmoid", 0);
}

static struct pb bytes(const char *name, int32_t type, uint32_t rank, const int64_t *dims)
{
    int8_t v[256];
    size_t n = 1;
    for (uint32_t k = 0; k < rank; k++)
        n *= (size_t) dims[k];
    assert_true(n <= sizeof(v));
    for (size_t i = 0; i < n; i++)
        v[i] = (int8_t) (i * 37 % 101 - (type == 3 ? 50 : 0));
    return onnx_tensor(name, type, rank, dims, v, n);
}

static void add_scale(struct onnx_model *m, const char *scale, float s, const char *zero, int z)
{
    onnx_initializer(m, onnx_tensor(scale, 1, 0, NULL, &s, sizeof(s)));
    onnx_initializer(m, onnx_tensor(zero, 2, 0, NULL, &(uint8_t){(uint8_t) z}, 1));
}

static void add_conv_numbers(struct onnx_model *m)
{
    static const float per_channel[] = {0.01f, 0.02f, 0.015f, 0.03f};
    add_scale(m, "xs", 0.02f, "xz", 128);
    add_scale(m, "ys", 0.05f, "yz", 100);
    onnx_initializer(m, bytes("w", 3, 4, (int64_t[]){4, 2, 3, 3}));
    onnx_initializer(m, onnx_tensor("ws", 1, 1, (int64_t[]){4}, per_channel, sizeof(per_channel)));
    onnx_initializer(m, onnx_tensor("wz", 3, 1, (int64_t[]){4}, (int8_t[4]){0}, 4));
    onnx_initializer(m, onnx_tensor("b", 6, 1, (int64_t[]){4}, (int32_t[]){100, -2000, 5, 40}, 16));
    onnx_add(m, onnx_node("QuantizeLinear", "q", "x xs xz", "xq"));
}

static void dequantize(struct onnx_model *m, const char *in, const char *out, bool axis)
{
    struct pb n = onnx_node("DequantizeLinear", out, in, out);
    if (axis)
        onnx_attr_int(&n, "axis", 0);
    onnx_add(m, n);
}

/* The form of operators on integers, of opset 10 too, against the form with Q/DQ nodes. */
static void quantized_convolutions_are_reals_between_conversions(void **state)
{
    (void) state;
    for (int64_t opset = 10; opset <= 13; opset += 3) {
        struct onnx_model a = model("1,2,5,5", "?", opset), b = model("1,2,5,5", "?", 13);
        add_conv_numbers(&a);
        add_conv_numbers(&b);
        onnx_add(&a, conv("QLinearConv", "xq xs xz w ws wz ys yz b", "yq"));
        onnx_add(&a, onnx_node("DequantizeLinear", "d", "yq ys yz", "y"));
        dequantize(&b, "xq xs xz", "xr", false);
        dequantize(&b, "w ws wz", "wr", true);
        onnx_add(&b, onnx_node("Mul", "m", "xs ws", "bs"));
        dequantize(&b, "b bs", "br", true);
        onnx_add(&b, conv("Conv", "xr wr br", "yr"));
        onnx_add(&b, onnx_node("QuantizeLinear", "q2", "yr ys yz", "yq"));
        onnx_add(&b, onnx_node("DequantizeLinear", "d", "yq ys yz", "y"));
        same(&a, &b, "Conv", 0);
    }
}

/* What has one scale per channel cannot be written in opset 10. */
static void scales_per_channel_raise_the_opset(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g;
    struct onnx_model a = model("1,2,5,5", "?", 10);
    add_conv_numbers(&a);
    onnx_add(&a, conv("QLinearConv", "xq xs xz w ws wz ys yz b", "yq"));
    onnx_add(&a, onnx_node("DequantizeLinear", "d", "yq ys yz", "y"));
    OK(load_model(&a, c, &g));
    assert_int_equal(g->opset, 13);
    rci_graph_free(g);
    test_context_done(c);
}

/* y = a + b on integers, and the other operators with one or two quantized operands. */
static void quantized_joins_and_pools_are_reals_between_conversions(void **state)
{
    (void) state;
    static const struct {
        const char *op, *in, *real, *real_in;
    } list[] = {
        {"QLinearAdd", "xq xs xz xq xs xz ys yz", "Add", "xr xr"},
        {"QLinearMul", "xq xs xz xq xs xz ys yz", "Mul", "xr xr"},
        {"QLinearGlobalAveragePool", "xq xs xz ys yz", "GlobalAveragePool", "xr"},
        {"QLinearSigmoid", "xq xs xz ys yz", "Sigmoid", "xr"},
        {"QLinearLeakyRelu", "xq xs xz ys yz", "LeakyRelu", "xr"},
        {"QLinearAveragePool", "xq xs xz ys yz", "AveragePool", "xr"},
        {"QLinearConcat", "ys yz xq xs xz xq xs xz", "Concat", "xr xr"},
    };
    for (size_t k = 0; k < sizeof(list) / sizeof(list[0]); k++) {
        struct onnx_model a = model("1,2,5,5", "?", 13), b = model("1,2,5,5", "?", 13);
        struct pb n = ms(onnx_node(list[k].op, "n", list[k].in, "yq"));
        struct pb r = onnx_node(list[k].real, "n", list[k].real_in, "yr");
        if (k == 5) {
            onnx_attr_list(&n, "kernel_shape", 2, 2);
            onnx_attr_list(&r, "kernel_shape", 2, 2);
        } else if (k == 6) {
            onnx_attr_int(&n, "axis", 1);
            onnx_attr_int(&r, "axis", 1);
        }
        for (int i = 0; i < 2; i++) {
            struct onnx_model *m = i ? &b : &a;
            add_scale(m, "xs", 0.02f, "xz", 128);
            add_scale(m, "ys", 0.013f, "yz", 90);
            onnx_add(m, onnx_node("QuantizeLinear", "q", "x xs xz", "xq"));
        }
        onnx_add(&a, n);
        dequantize(&b, "xq xs xz", "xr", false);
        onnx_add(&b, r);
        onnx_add(&b, onnx_node("QuantizeLinear", "q2", "yr ys yz", "yq"));
        onnx_add(&a, onnx_node("DequantizeLinear", "d", "yq ys yz", "y"));
        onnx_add(&b, onnx_node("DequantizeLinear", "d", "yq ys yz", "y"));
        same(&a, &b, list[k].real, 0);
    }
}

/* Weights in bytes, activations quantized at run time: what quantize_dynamic() writes. */
static void dynamic_quantization_counts_integers(void **state)
{
    (void) state;
    struct onnx_model a = model("1,2,5,5", "?", 13), b = model("1,2,5,5", "?", 13);
    for (int i = 0; i < 2; i++) {
        struct onnx_model *m = i ? &b : &a;
        onnx_initializer(m, bytes("w", 3, 4, (int64_t[]){4, 2, 3, 3}));
        onnx_initializer(m, onnx_tensor("wz", 3, 0, NULL, (int8_t[]){3}, 1));
        onnx_initializer(m, onnx_tensor("ws", 1, 0, NULL, (float[]){0.02f}, 4));
        onnx_add(m, onnx_node("DynamicQuantizeLinear", "q", "x", "xq xs xz"));
    }
    struct pb cast = onnx_node("Cast", "c", "yi", "yf");
    onnx_attr_int(&cast, "to", 1);
    onnx_add(&a, conv("ConvInteger", "xq w xz wz", "yi"));
    onnx_add(&a, cast);
    onnx_add(&a, onnx_node("Mul", "m1", "xs ws", "s"));
    onnx_add(&a, onnx_node("Mul", "m2", "yf s", "y"));
    dequantize(&b, "xq xs xz", "xr", false);
    dequantize(&b, "w ws wz", "wr", false);
    onnx_add(&b, conv("Conv", "xr wr", "y"));
    same(&a, &b, "Conv", 1e-4);
}

/* A gate as in ECA nets: [N, C, 1, 1] -> a line of C numbers -> convolution -> back. */
static void convolutions_and_pools_of_lines_are_those_of_images(void **state)
{
    (void) state;
    for (int64_t opset = 11; opset <= 13; opset += 2)
        for (int k = 0; k < 3; k++) {
            static const char *const ops[] = {"Conv", "MaxPool", "AveragePool"};
            struct onnx_model a = model("2,3,7", "?", opset), b = model("2,3,1,7", "?", opset);
            onnx_initializer(&a, WEIGHTS("w", 3, 3, 3));
            onnx_initializer(&b, WEIGHTS("w", 3, 3, 1, 3));
            struct pb n = onnx_node(ops[k], "n", k ? "x" : "x w", "y");
            struct pb i = onnx_node(ops[k], "n", k ? "x" : "x w", "t");
            if (k) {
                onnx_attr_list(&n, "kernel_shape", 3);
                onnx_attr_list(&i, "kernel_shape", 1, 3);
            }
            onnx_attr_list(&n, "pads", 1, 0);
            onnx_attr_list(&n, "strides", 2);
            onnx_attr_list(&i, "pads", 0, 1, 0, 0);
            onnx_attr_list(&i, "strides", 1, 2);
            onnx_add(&a, n);
            onnx_add(&b, i);
            /* 7 + 1 elements in windows of 3, every other: 3 */
            onnx_initializer(&b, onnx_int64s("shape", 2, 3, 3));
            onnx_add(&b, onnx_node("Reshape", "r", "t shape", "y"));
            same(&a, &b, ops[k], 0);
        }
}

static void every_rule_can_be_found(void **state)
{
    (void) state;
    const char *name, *domain, *as;
    uint32_t n = 0;
    while ((name = rci_rewrite_at(n, &domain, &as))) {
        assert_true(rci_rewrite_has(domain, name) && (!as || *as));
        n++;
    }
    assert_true(n >= 30);
    assert_false(rci_rewrite_has("", "Relu"));
    assert_false(rci_rewrite_has("com.example", "FusedConv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_several_are_additions),
        cmocka_unit_test(fused_convolutions_are_taken_apart),
        cmocka_unit_test(an_activation_that_is_unknown_is_refused_by_name),
        cmocka_unit_test(fused_products_are_taken_apart),
        cmocka_unit_test(spellings_of_gelu_agree),
        cmocka_unit_test(quantized_convolutions_are_reals_between_conversions),
        cmocka_unit_test(scales_per_channel_raise_the_opset),
        cmocka_unit_test(quantized_joins_and_pools_are_reals_between_conversions),
        cmocka_unit_test(dynamic_quantization_counts_integers),
        cmocka_unit_test(convolutions_and_pools_of_lines_are_those_of_images),
        cmocka_unit_test(every_rule_can_be_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
