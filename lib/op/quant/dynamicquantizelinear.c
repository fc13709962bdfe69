/* DynamicQuantizeLinear: u8 integers, scale and zero point of all elements of x, chosen so that the
 * range of x together with 0 is that of u8:
 *   scale = (max - min) / 255, zero = round(-min / scale), q = saturate(round(x / scale) + zero).
 */
#include "op/common.h"

#include <math.h>

static rc_status dynamic_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_check_type(i, 0, "x", RC_DT_F32));
    for (uint32_t k = 0; k < i->node->n_out; k++) {
        i->out[k].dtype = k == 1 ? RC_F32 : RC_U8;
        i->out[k].shape = k ? (struct rci_shape){0, {0}} : i->in[0].shape;
    }
    return RC_OK;
}

/* NaN becomes 0: it has no integer, and C leaves its conversion undefined. */
static float saturate(float v)
{
    return v > 0 ? v > 255 ? 255 : v : 0;
}

static rc_status dynamic_forward(const struct rci_call *c)
{
    const float *x = c->in[0].data;
    const int64_t n = rci_shape_count(&c->in[0].shape);
    float lo = 0, hi = 0;
#pragma omp parallel for schedule(static) reduction(min   \
                                                    : lo) \
    reduction(max                                         \
              : hi) if (n >= RC_PARALLEL_MIN)
    for (int64_t i = 0; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    const float range = (hi - lo) / 255;
    /* all zeros, or a range beyond float: any scale will do */
    const float scale = range > 0 && isfinite(range) ? range : 1;
    const float zero = saturate(rintf(-lo / scale));
    uint8_t *q = c->out[0].data;
#pragma omp parallel for schedule(static) if (n >= RC_PARALLEL_MIN)
    for (int64_t i = 0; i < n; i++)
        q[i] = (uint8_t) saturate(rintf(x[i] / scale) + zero);
    if (c->node->n_out > 1 && c->out[1].data)
        *(float *) c->out[1].data = scale;
    if (c->node->n_out > 2 && c->out[2].data)
        *(uint8_t *) c->out[2].data = (uint8_t) zero;
    return RC_OK;
}

/* Images of a batch share the scale, so the batch is never cut into parts. */
const struct rci_op rci_op_dynamicquantizelinear = {
    .name = "DynamicQuantizeLinear",
    RC_OP_ARITY(1, 1, 1, 3),
    .since = 11,
    .infer = dynamic_infer,
    .forward = dynamic_forward,
    .couple = rci_op_couple_same,
    .cost = rci_op_cost_elementwise,
};
