/* Operators on integers, as ONNX Runtime's quantizer writes them, read as DequantizeLinear, the
 * operator on reals and QuantizeLinear: what exporters of the newer form write. Sessions make
 * integer kernels of both. */
#include "op/rewrite/rules.h"

#include <string.h>

static const char ms[] = "com.microsoft";
enum { WEIGHT_AXIS = 0, COLUMN_AXIS = -1 };

static const char *real_of(struct rci_rule_call *c, const char *x, const char *scale,
                           const char *zero, int64_t axis)
{
    const struct rci_made m = RC_MAKE(c, "DequantizeLinear", NULL, x, scale, zero);
    const struct rci_tensor *s = rci_rule_const(c, scale);
    if (!s || s->shape.rank > 0)
        rci_made_int(c, m, "axis", axis);
    return m.out;
}

/* Operands k, k+1, k+2: integers, scale, zero point. */
static const char *real_in(struct rci_rule_call *c, size_t k, int64_t axis)
{
    return real_of(c, rci_rule_in(c, k), rci_rule_in(c, k + 1), rci_rule_in(c, k + 2), axis);
}

static void quantized_out(struct rci_rule_call *c, const char *y, const char *scale,
                          const char *zero)
{
    RC_MAKE(c, "QuantizeLinear", rci_rule_out(c, 0), y, scale, zero);
}

/* --- images whose channels come last --- */

static bool last_channels(const struct rci_rule_call *c)
{
    return rci_rule_int(c, "channels_last", 0) != 0;
}

static const char *permuted(struct rci_rule_call *c, const char *x, const char *out, bool forth)
{
    static const int64_t to_planes[] = {0, 3, 1, 2}, to_pixels[] = {0, 2, 3, 1};
    const struct rci_made m = RC_MAKE(c, "Transpose", out, x);
    rci_made_ints(c, m, "perm", forth ? to_planes : to_pixels, 4);
    return m.out;
}

static void image_out(struct rci_rule_call *c, const char *y, const char *scale, const char *zero)
{
    if (!last_channels(c)) {
        quantized_out(c, y, scale, zero);
        return;
    }
    const char *q = RC_MAKE(c, "QuantizeLinear", NULL, y, scale, zero).out;
    permuted(c, q, rci_rule_out(c, 0), false);
}

static const char *image_in(struct rci_rule_call *c)
{
    const char *x = rci_rule_in(c, 0);
    if (last_channels(c))
        x = permuted(c, x, NULL, true);
    return real_of(c, x, rci_rule_in(c, 1), rci_rule_in(c, 2), 1);
}

/* --- layers with weights --- */

/* An i32 bias counts in units of the product of both scales. */
static const char *real_bias(struct rci_rule_call *c, size_t k, size_t x_scale, size_t w_scale,
                             float factor)
{
    if (!rci_rule_in(c, k))
        return NULL;
    const char *s = RC_MAKE(c, "Mul", NULL, rci_rule_in(c, x_scale), rci_rule_in(c, w_scale)).out;
    if (factor != 1)
        s = RC_MAKE(c, "Mul", NULL, s, rci_rule_scalar(c, factor)).out;
    return real_of(c, rci_rule_in(c, k), s, NULL, 0);
}

static const char *const image_attrs[] = {"channels_last", NULL};

/* x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias */
static rc_status qlinearconv_rule(struct rci_rule_call *c)
{
    RC_TRY(rci_rule_need(c, 7));
    const char *x = image_in(c), *w = real_in(c, 3, WEIGHT_AXIS), *b = real_bias(c, 8, 1, 4, 1);
    const struct rci_made conv = RC_MAKE(c, "Conv", NULL, x, w, b);
    rci_made_copy(c, conv, image_attrs);
    image_out(c, conv.out, rci_rule_in(c, 6), rci_rule_in(c, 7));
    return RC_OK;
}

/* a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero */
static rc_status qlinearmatmul_rule(struct rci_rule_call *c)
{
    RC_TRY(rci_rule_need(c, 7));
    const char *a = real_in(c, 0, -2), *b = real_in(c, 3, COLUMN_AXIS);
    quantized_out(c, RC_MAKE(c, "MatMul", NULL, a, b).out, rci_rule_in(c, 6), rci_rule_in(c, 7));
    return RC_OK;
}

/* a, a_scale, a_zero, b, b_scale, b_zero, c (i32), y_scale, y_zero; without y_scale y is real */
static rc_status qgemm_rule(struct rci_rule_call *c)
{
    RC_TRY(rci_rule_need(c, 6));
    const float alpha = rci_rule_float(c, "alpha", 1);
    const bool across = rci_rule_int(c, "transB", 0) != 0;
    const char *a = real_in(c, 0, -2), *b = real_in(c, 3, across ? 0 : 1);
    const char *bias = real_bias(c, 6, 1, 4, alpha), *scale = rci_rule_in(c, 7);
    const struct rci_made m = RC_MAKE(c, "Gemm", scale ? NULL : rci_rule_out(c, 0), a, b, bias);
    rci_made_copy(c, m, NULL);
    if (scale)
        quantized_out(c, m.out, scale, rci_rule_in(c, 8));
    return RC_OK;
}

/* --- sums of integers, given out as i32 --- */

/* Integers less their zero point: scales of one, as many as there are zero points. */
static const char *counted(struct rci_rule_call *c, size_t k, size_t zero, int64_t axis)
{
    const char *name = rci_rule_in(c, zero), *one;
    const struct rci_tensor *z = rci_rule_const(c, name);
    if (name && !z) { /* computed at run time: 0 z + 1 */
        const struct rci_made real = RC_MAKE(c, "Cast", NULL, name);
        rci_made_int(c, real, "to", ONNX_FLOAT);
        one = RC_MAKE(c, "Mul", NULL, real.out, rci_rule_scalar(c, 0)).out;
        one = RC_MAKE(c, "Add", NULL, one, rci_rule_scalar(c, 1)).out;
    } else {
        one = z && z->shape.rank == 1 ? rci_rule_floats(c, 1, z->shape.dim[0])
                                      : rci_rule_scalar(c, 1);
    }
    return real_of(c, rci_rule_in(c, k), one, name, axis);
}

static void integers_out(struct rci_rule_call *c, const char *y)
{
    const char *whole = RC_MAKE(c, "Round", NULL, y).out;
    rci_made_int(c, RC_MAKE(c, "Cast", rci_rule_out(c, 0), whole), "to", ONNX_INT32);
}

static rc_status convinteger_rule(struct rci_rule_call *c)
{
    RC_TRY(rci_rule_need(c, 2));
    const char *x = counted(c, 0, 2, 1), *w = counted(c, 1, 3, WEIGHT_AXIS);
    const struct rci_made conv = RC_MAKE(c, "Conv", NULL, x, w);
    rci_made_copy(c, conv, NULL);
    integers_out(c, conv.out);
    return RC_OK;
}

static rc_status matmulinteger_rule(struct rci_rule_call *c)
{
    RC_TRY(rci_rule_need(c, 2));
    const char *a = counted(c, 0, 2, -2), *b = counted(c, 1, 3, COLUMN_AXIS);
    integers_out(c, RC_MAKE(c, "MatMul", NULL, a, b).out);
    return RC_OK;
}

/* a, b, a_scale, b_scale, a_zero, b_zero, bias: a real product */
static rc_status matmulintegertofloat_rule(struct rci_rule_call *c)
{
    RC_TRY(rci_rule_need(c, 4));
    const char *out = rci_rule_out(c, 0), *bias = rci_rule_in(c, 6);
    const char *a = real_of(c, rci_rule_in(c, 0), rci_rule_in(c, 2), rci_rule_in(c, 4), -2);
    const char *b = real_of(c, rci_rule_in(c, 1), rci_rule_in(c, 3), rci_rule_in(c, 5), -1);
    const char *y = RC_MAKE(c, "MatMul", bias ? NULL : out, a, b).out;
    if (bias)
        RC_MAKE(c, "Add", out, y, bias);
    return RC_OK;
}

/* --- joins, averages and activations --- */

static rc_status pair(struct rci_rule_call *c, const char *op)
{
    RC_TRY(rci_rule_need(c, 2));
    RC_TRY(rci_rule_in(c, 6) && rci_rule_in(c, 3) && rci_rule_in(c, 4) ? RC_OK
                                                                       : rci_rule_need(c, 7));
    const char *a = real_in(c, 0, 1), *b = real_in(c, 3, 1);
    quantized_out(c, RC_MAKE(c, op, NULL, a, b).out, rci_rule_in(c, 6), rci_rule_in(c, 7));
    return RC_OK;
}

static rc_status qlinearadd_rule(struct rci_rule_call *c)
{
    return pair(c, "Add");
}

static rc_status qlinearmul_rule(struct rci_rule_call *c)
{
    return pair(c, "Mul");
}

/* x, x_scale, x_zero, y_scale, y_zero; zero points may be absent */
static rc_status single(struct rci_rule_call *c, const char *op, const char *const *but)
{
    RC_TRY(rci_rule_need(c, 2));
    if (!rci_rule_in(c, 3))
        return rci_rule_need(c, 4);
    const struct rci_made m = RC_MAKE(c, op, NULL, image_in(c));
    rci_made_copy(c, m, but);
    image_out(c, m.out, rci_rule_in(c, 3), rci_rule_in(c, 4));
    return RC_OK;
}

static rc_status qlinearaverage_rule(struct rci_rule_call *c)
{
    return single(c, "AveragePool", image_attrs);
}

static rc_status qlinearglobal_rule(struct rci_rule_call *c)
{
    return single(c, "GlobalAveragePool", image_attrs);
}

static rc_status qlinearsigmoid_rule(struct rci_rule_call *c)
{
    return single(c, "Sigmoid", NULL);
}

static rc_status qlinearleaky_rule(struct rci_rule_call *c)
{
    return single(c, "LeakyRelu", NULL);
}

/* Attribute opset says which Softmax it was: up to 12 over all axes from `axis` on. */
static rc_status qlinearsoftmax_rule(struct rci_rule_call *c)
{
    static const char *const own[] = {"opset", NULL};
    const int64_t was = rci_rule_int(c, "opset", rci_rule_opset(c));
    if ((was < 13) != (rci_rule_opset(c) < 13) && rci_rule_int(c, "axis", -1) != -1)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": QLinearSoftmax of opset %lld in a model of opset %lld",
                        rci_rule_label(c), (long long) was, (long long) rci_rule_opset(c));
    return single(c, "Softmax", own);
}

/* y_scale, y_zero, then x, scale and zero of each operand */
static rc_status qlinearconcat_rule(struct rci_rule_call *c)
{
    const size_t n = c->from->n_input > 2 ? (c->from->n_input - 2) / 3 : 0;
    RC_TRY(rci_rule_need(c, 5));
    if (c->from->n_input != 2 + n * 3)
        return rci_fail(RC_ERR_MODEL,
                        "node \"%s\": QLinearConcat with %zu operands, must be 2 + 3n",
                        rci_rule_label(c), c->from->n_input);
    const char **in = rci_arena_array(c->r->arena, n, sizeof(*in));
    if (!in)
        return c->r->arena->status;
    for (size_t k = 0; k < n; k++) {
        if (!rci_rule_in(c, 2 + 3 * k) || !rci_rule_in(c, 3 + 3 * k))
            return rci_rule_need(c, c->from->n_input);
        in[k] = real_in(c, 2 + 3 * k, 1);
    }
    const struct rci_made m = rci_rule_make(c, "Concat", NULL, in, n);
    rci_made_copy(c, m, NULL);
    quantized_out(c, m.out, rci_rule_in(c, 0), rci_rule_in(c, 1));
    return RC_OK;
}

/* --- operators on integers that say nothing of scales --- */

/* Scales for each channel came with opset 13. Files of before have them too, and rules make them:
 * what is written is of 13 then. */
static void scales_opset(struct rci_rule_call *c)
{
    enum { PER_AXIS_SINCE = 13 };
    if (rci_rule_attr(c, "axis") && c->r->opset < PER_AXIS_SINCE)
        c->r->opset = PER_AXIS_SINCE;
}

static rc_status dequantize_rule(struct rci_rule_call *c)
{
    c->declined = true; /* only looked at, as the next */
    scales_opset(c);
    return RC_OK;
}

static rc_status quantize_rule(struct rci_rule_call *c)
{
    c->declined = true;
    scales_opset(c);
    return rci_rule_set_quantized(
        c, (struct rci_quantized){rci_rule_out(c, 0), rci_rule_in(c, 1), rci_rule_in(c, 2)});
}

static rc_status moved_rule(struct rci_rule_call *c)
{
    const struct rci_quantized *q = rci_rule_quantized(c, rci_rule_in(c, 0));
    c->declined = true;
    return q ? rci_rule_set_quantized(c,
                                      (struct rci_quantized){rci_rule_out(c, 0), q->scale, q->zero})
             : RC_OK;
}

/* The largest integer is the largest number. */
static rc_status maxpool(struct rci_rule_call *c, bool last)
{
    const struct rci_quantized *q = rci_rule_quantized(c, rci_rule_in(c, 0));
    const char *x = rci_rule_in(c, 0), *out = rci_rule_out(c, 0);
    if (!last && (!q || !out || rci_rule_out(c, 1))) {
        c->declined = true;
        return RC_OK;
    }
    RC_TRY(rci_rule_need(c, 1));
    if (last)
        x = permuted(c, x, NULL, true);
    if (q)
        x = real_of(c, x, q->scale, q->zero, 1);
    const struct rci_made m = RC_MAKE(c, "MaxPool", q || last ? NULL : out, x);
    rci_made_copy(c, m, image_attrs);
    const char *y = m.out;
    if (q)
        y = RC_MAKE(c, "QuantizeLinear", last ? NULL : out, y, q->scale, q->zero).out;
    if (last)
        permuted(c, y, out, false);
    return RC_OK;
}

static rc_status maxpool_rule(struct rci_rule_call *c)
{
    return maxpool(c, false);
}

static rc_status nhwcmaxpool_rule(struct rci_rule_call *c)
{
    return maxpool(c, true);
}

/* --- the same operator in ONNX Runtime's domain --- */

static rc_status plain_rule(struct rci_rule_call *c)
{
    RC_TRY(rci_rule_need(c, 2));
    const struct rci_made m = RC_MAKE(c, c->from->op_type, rci_rule_out(c, 0), rci_rule_in(c, 0),
                                      rci_rule_in(c, 1), rci_rule_in(c, 2));
    rci_made_copy(c, m, NULL);
    return RC_OK;
}

const struct rci_rule rci_rules_quantized[] = {
    {"", "QLinearConv", qlinearconv_rule, "DequantizeLinear, Conv, QuantizeLinear"},
    {ms, "QLinearConv", qlinearconv_rule, "DequantizeLinear, Conv, QuantizeLinear"},
    {"", "QLinearMatMul", qlinearmatmul_rule, "DequantizeLinear, MatMul, QuantizeLinear"},
    {"", "ConvInteger", convinteger_rule, "DequantizeLinear, Conv, Round, Cast"},
    {"", "MatMulInteger", matmulinteger_rule, "DequantizeLinear, MatMul, Round, Cast"},
    {ms, "MatMulIntegerToFloat", matmulintegertofloat_rule, "DequantizeLinear, MatMul, Add"},
    {ms, "QGemm", qgemm_rule, "DequantizeLinear, Gemm, QuantizeLinear"},
    {ms, "QLinearAdd", qlinearadd_rule, "DequantizeLinear, Add, QuantizeLinear"},
    {ms, "QLinearMul", qlinearmul_rule, "DequantizeLinear, Mul, QuantizeLinear"},
    {ms, "QLinearAveragePool", qlinearaverage_rule,
     "DequantizeLinear, AveragePool, QuantizeLinear"},
    {ms, "QLinearGlobalAveragePool", qlinearglobal_rule,
     "DequantizeLinear, GlobalAveragePool, QuantizeLinear"},
    {ms, "QLinearSigmoid", qlinearsigmoid_rule, "DequantizeLinear, Sigmoid, QuantizeLinear"},
    {ms, "QLinearLeakyRelu", qlinearleaky_rule, "DequantizeLinear, LeakyRelu, QuantizeLinear"},
    {ms, "QLinearSoftmax", qlinearsoftmax_rule, "DequantizeLinear, Softmax, QuantizeLinear"},
    {ms, "QLinearConcat", qlinearconcat_rule, "DequantizeLinear, Concat, QuantizeLinear"},
    {ms, "QuantizeLinear", plain_rule, "QuantizeLinear"},
    {ms, "DequantizeLinear", plain_rule, "DequantizeLinear"},
    {ms, "NhwcMaxPool", nhwcmaxpool_rule, "Transpose, MaxPool"},
    {"", "MaxPool", maxpool_rule, "DequantizeLinear, MaxPool, QuantizeLinear on integers"},
    {"", "QuantizeLinear", quantize_rule, NULL},
    {"", "DequantizeLinear", dequantize_rule, NULL},
    {"", "Transpose", moved_rule, NULL},
    {"", "Reshape", moved_rule, NULL},
    {"", "Flatten", moved_rule, NULL},
    {"", "Squeeze", moved_rule, NULL},
    {"", "Unsqueeze", moved_rule, NULL},
    {"", "Identity", moved_rule, NULL},
    {0},
};
