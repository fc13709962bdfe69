/* Sigmoid: y = 1 / (1 + e^-x); dx = dy * y * (1 - y). */
#include "op/math/map.h"

#include <math.h>

static float sigmoid(float x)
{
    /* e^-|x| cannot overflow */
    const float e = expf(-fabsf(x));
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

static void sigmoid_map(const struct rci_call *c, int64_t from, int64_t to)
{
    const float *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    for (int64_t i = from; i < to; i++)
        y[i] = sigmoid(x[i]);
}

static rc_status sigmoid_forward(const struct rci_call *c)
{
    return rci_map_run(c, sigmoid_map);
}

static void sigmoid_grad(const struct rci_call *c, int64_t from, int64_t to)
{
    const float *restrict x = c->in[0].data, *restrict g = c->d_out[0].data;
    float *restrict d = c->d_in[0].data;
    for (int64_t i = from; i < to; i++) {
        const float e = expf(-fabsf(x[i]));
        d[i] = g[i] * e / ((1 + e) * (1 + e));
    }
}

static rc_status sigmoid_backward(const struct rci_call *c)
{
    return c->d_in[0].data ? rci_map_run(c, sigmoid_grad) : RC_OK;
}

const struct rci_op rci_op_sigmoid = {
    .name = "Sigmoid",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RC_OP_SEPARATE,
    .infer = rci_map_infer_f32,
    .forward = sigmoid_forward,
    .backward = sigmoid_backward,
    .couple = rci_op_couple_same,
    .cost = rci_op_cost_elementwise,
};
