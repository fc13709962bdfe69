/* DequantizeLinear: y = (q - zero) * scale for u8, s8 and i32 (biases); dq = dy * scale. Constant
 * operands are not folded: the integers are the weights. */
#include "op/quant/quantparams.h"

#include <string.h>

static rc_status dequantize_infer(const struct rci_infer *i)
{
    /* i32 are biases, whose scale is that of their sum: x scale * weight scale */
    const uint32_t types = RC_DT(RC_U8) | RC_DT(RC_S8) | RC_DT(RC_I32);
    RC_TRY(rci_op_check_type(i, 0, "x", types));
    RC_TRY(rci_quant_check(i, types));
    if (rci_op_has(i->node, 2) && i->in[2].dtype != i->in[0].dtype)
        return rci_fail(RC_ERR_MODEL,
                        "node \"%s\": x of type %s, zero point of type %s, must be "
                        "equal",
                        i->node->name, rci_dtype_name(i->in[0].dtype),
                        rci_dtype_name(i->in[2].dtype));
    i->out[0].shape = i->in[0].shape;
    i->out[0].dtype = RC_F32;
    return RC_OK;
}

#define DEQUANTIZE_ROW(type)                         \
    do {                                             \
        const type *q = c->in[0].data;               \
        for (int64_t i = first; i < last; i++)       \
            y[i] = (float) ((int64_t) q[i] - z) * s; \
    } while (0)

static rc_status dequantize_forward(const struct rci_call *c)
{
    const struct rci_quant_rows r = rci_quant_rows(c->node, c->in);
    const float *scale = c->in[1].data;
    const enum rci_dtype d = c->in[0].dtype;
    const struct rci_tensor none = {0}, *zero = rci_op_has(c->node, 2) ? &c->in[2] : &none;
    float *y = c->out[0].data;
#pragma omp parallel for schedule(static) if (r.total >= RC_PARALLEL_MIN)
    for (int64_t row = 0; row < r.rows; row++) {
        const int64_t k = row % r.channels, first = row * r.inner;
        const int64_t last = first + r.inner < r.total ? first + r.inner : r.total;
        const int32_t z = rci_quant_zero(zero, k);
        const float s = scale[k];
        if (d == RC_U8)
            DEQUANTIZE_ROW(uint8_t);
        else if (d == RC_S8)
            DEQUANTIZE_ROW(int8_t);
        else
            DEQUANTIZE_ROW(int32_t);
    }
    return RC_OK;
}

/* The integers were rounded from floats somewhere, so they have the gradient; scale and zero point
 * are not trained here. */
static rc_status dequantize_backward(const struct rci_call *c)
{
    const struct rci_quant_rows r = rci_quant_rows(c->node, c->in);
    const float *scale = c->in[1].data, *g = c->d_out[0].data;
    float *d = c->d_in[0].data;
    for (uint32_t k = 1; k < c->node->n_in; k++)
        if (c->d_in[k].data)
            memset(c->d_in[k].data, 0, (size_t) rci_shape_count(&c->in[k].shape) * sizeof(float));
    if (!d)
        return RC_OK;
#pragma omp parallel for schedule(static) if (r.total >= RC_PARALLEL_MIN)
    for (int64_t row = 0; row < r.rows; row++) {
        const int64_t first = row * r.inner;
        const int64_t last = first + r.inner < r.total ? first + r.inner : r.total;
        for (int64_t i = first; i < last; i++)
            d[i] = g[i] * scale[row % r.channels];
    }
    return RC_OK;
}

const struct rci_op rci_op_dequantizelinear = {
    .name = "DequantizeLinear",
    RC_OP_ARITY(2, 3, 1, 1),
    .since = 10,
    .attr_size = sizeof(struct rci_quantize_attrs),
    .flags = RC_OP_NO_FOLD | RC_OP_SEPARATE,
    .quant = RC_QUANT_TO_REAL,
    .infer = dequantize_infer,
    .forward = dequantize_forward,
    .backward = dequantize_backward,
    .permute = rci_quant_permute,
    .couple = rci_quant_couple,
    .read_attrs = rci_quant_read,
    .write_attrs = rci_quant_write,
    .cost = rci_op_cost_elementwise,
};
