/* QuantizeLinear: q = saturate(round(x / scale) + zero), ties to even, to u8 or s8.
 * Gradient (straight-through with clipping): dx = dq / scale where q did not saturate, so that
 * together with DequantizeLinear dx = dy inside the range and 0 outside. Integer values have float
 * gradients. */
#include "op/quant/quantparams.h"

#include <string.h>

static rc_status quantize_infer(const struct rci_infer *i)
{
    const struct rci_quantize_attrs *t = i->node->attrs;
    RC_TRY(rci_op_check_type(i, 0, "x", RC_DT_F32));
    RC_TRY(rci_quant_check(i, RC_DT(RC_U8) | RC_DT(RC_S8)));
    i->out[0].shape = i->in[0].shape;
    /* the zero point's type, as ONNX says; output_dtype (opset 21) where there is none */
    i->out[0].dtype = rci_op_has(i->node, 2) ? i->in[2].dtype : t->type ? t->type : RC_U8;
    return RC_OK;
}

/* Bounds of x / scale: what saturates lies outside. */
static void quantize_range(enum rci_dtype d, int32_t zero, float *lo, float *hi)
{
    *lo = (float) ((d == RC_S8 ? -128 : 0) - zero);
    *hi = (float) ((d == RC_S8 ? 127 : 255) - zero);
}

/* Adding and taking away 1.5 * 2^23 rounds |v| < 2^22 to an integer, ties to even; the compiler
 * vectorises it, unlike rintf. NaN becomes the lower bound. */
static inline int32_t quantize_one(float v, float lo, float hi)
{
    const float magic = 12582912.0f;
    v = v > lo ? v : lo;
    v = v < hi ? v : hi;
    return (int32_t) ((v + magic) - magic);
}

static rc_status quantize_forward(const struct rci_call *c)
{
    const struct rci_quant_rows r = rci_quant_rows(c->node, c->in);
    const float *x = c->in[0].data, *scale = c->in[1].data;
    const enum rci_dtype d = c->out[0].dtype;
    uint8_t *y = c->out[0].data;
    const struct rci_tensor none = {0}, *zero = rci_op_has(c->node, 2) ? &c->in[2] : &none;
#pragma omp parallel for schedule(static) if (r.total >= RC_PARALLEL_MIN)
    for (int64_t row = 0; row < r.rows; row++) {
        const int64_t k = row % r.channels, first = row * r.inner;
        const int64_t last = first + r.inner < r.total ? first + r.inner : r.total;
        const int32_t z = rci_quant_zero(zero, k);
        const float s = scale[k];
        float lo, hi;
        quantize_range(d, z, &lo, &hi);
        for (int64_t i = first; i < last; i++)
            y[i] = (uint8_t) (quantize_one(x[i] / s, lo, hi) + z);
    }
    return RC_OK;
}

static rc_status quantize_backward(const struct rci_call *c)
{
    const struct rci_quant_rows r = rci_quant_rows(c->node, c->in);
    const float *x = c->in[0].data, *scale = c->in[1].data, *g = c->d_out[0].data;
    const struct rci_tensor none = {0}, *zero = rci_op_has(c->node, 2) ? &c->in[2] : &none;
    float *d = c->d_in[0].data;
    for (uint32_t k = 1; k < c->node->n_in; k++)
        if (c->d_in[k].data)
            memset(c->d_in[k].data, 0, (size_t) rci_shape_count(&c->in[k].shape) * sizeof(float));
    if (!d)
        return RC_OK;
#pragma omp parallel for schedule(static) if (r.total >= RC_PARALLEL_MIN)
    for (int64_t row = 0; row < r.rows; row++) {
        const int64_t k = row % r.channels, first = row * r.inner;
        const int64_t last = first + r.inner < r.total ? first + r.inner : r.total;
        const float s = scale[k];
        float lo, hi;
        quantize_range(c->out[0].dtype, rci_quant_zero(zero, k), &lo, &hi);
        for (int64_t i = first; i < last; i++)
            /* half a step beyond the bounds still rounds to them */
            d[i] = x[i] / s >= lo - 0.5f && x[i] / s <= hi + 0.5f ? g[i] / s : 0;
    }
    return RC_OK;
}

static rc_status quantize_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_quantize_attrs *t = n->attrs;
    int64_t type = 0, precision = 0;
    RC_TRY(rci_quant_read(n, a));
    RC_TRY(rci_attr_int(a, "output_dtype", 0, &type));
    RC_TRY(rci_attr_int(a, "precision", 0, &precision));
    if (type && type != 2 && type != 3)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": output_dtype is %lld, supported are 2 (u8) and 3 (s8)",
                        n->name, (long long) type);
    t->type = type == 3 ? RC_S8 : type == 2 ? RC_U8 : 0;
    return RC_OK;
}

static rc_status quantize_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_quantize_attrs *t = n->attrs;
    if (t->type == RC_S8 && !rci_op_has(n, 2))
        RC_TRY(rci_attr_write_since(w, 21, "output_dtype"));
    if (t->type && !rci_op_has(n, 2) && rci_attr_write_opset(w) >= 21)
        RC_TRY(rci_put_int(w, "output_dtype", t->type == RC_S8 ? 3 : 2));
    return rci_quant_write(n, w);
}

const struct rci_op rci_op_quantizelinear = {
    .name = "QuantizeLinear",
    RC_OP_ARITY(2, 3, 1, 1),
    .since = 10,
    .attr_size = sizeof(struct rci_quantize_attrs),
    .flags = RC_OP_SEPARATE,
    .trainable = 1 << 0, /* weights of the trainable form are constants here */
    .quant = RC_QUANT_TO_INTEGER,
    .infer = quantize_infer,
    .forward = quantize_forward,
    .backward = quantize_backward,
    .permute = rci_quant_permute,
    .couple = rci_quant_couple,
    .read_attrs = quantize_read,
    .write_attrs = quantize_write,
    .cost = rci_op_cost_elementwise,
};
