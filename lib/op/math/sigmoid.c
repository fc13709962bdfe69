/* Sigmoid: y = 1 / (1 + e^-x); dx = dy * y * (1 - y). */
#include "op/math/activation.h"
#include "op/math/map.h"

static void sigmoid_map(const struct rci_call *c, int64_t from, int64_t to)
{
    const float *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    for (int64_t i = from; i < to; i++)
        y[i] = rci_sigmoid(x[i]);
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
        /* y (1 - y) = e / (1 + e)^2 without the cancellation of 1 - y near 1 */
        const float e = expf(-fabsf(x[i]));
        d[i] = g[i] * e / ((1 + e) * (1 + e));
    }
}

static rc_status sigmoid_backward(const struct rci_call *c)
{
    return c->d_in[0].data ? rci_map_run(c, sigmoid_grad) : RC_OK;
}

static bool sigmoid_as_post(const struct rci_node *n, struct rci_post *out)
{
    (void) n;
    *out = (struct rci_post){.kind = RC_POST_SIGMOID};
    return true;
}

const struct rci_op rci_op_sigmoid = {
    .name = "Sigmoid",
    RC_OP_ARITY(1, 1, 1, 1),
    .flags = RC_OP_SEPARATE | RC_OP_POINTWISE,
    .sign = RC_SIGN_NON_NEGATIVE,
    .infer = rci_map_infer_f32,
    .forward = sigmoid_forward,
    .backward = sigmoid_backward,
    .as_post = sigmoid_as_post,
    .couple = rci_op_couple_same,
    .cost = rci_op_cost_elementwise,
};
