/* Relu: y = max(x, 0); dx = dy where x > 0. */
#include "op/math/activation.h"
#include "op/math/map.h"

static void relu_map(const struct rci_call *c, int64_t from, int64_t to)
{
    const float *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    for (int64_t i = from; i < to; i++)
        y[i] = rci_relu(x[i]);
}

static rc_status relu_forward(const struct rci_call *c)
{
    return rci_map_run(c, relu_map);
}

/* At 0, where the slope is anything from 0 to 1, frameworks take 0; so for NaN. */
static void relu_grad(const struct rci_call *c, int64_t from, int64_t to)
{
    const float *restrict x = c->in[0].data, *restrict g = c->d_out[0].data;
    float *restrict d = c->d_in[0].data;
    for (int64_t i = from; i < to; i++)
        d[i] = x[i] > 0 ? g[i] : 0;
}

static rc_status relu_backward(const struct rci_call *c)
{
    return c->d_in[0].data ? rci_map_run(c, relu_grad) : RC_OK;
}

static bool relu_as_post(const struct rci_node *n, struct rci_post *out)
{
    (void) n;
    *out = (struct rci_post){.kind = RC_POST_RELU};
    return true;
}

const struct rci_op rci_op_relu = {
    .name = "Relu",
    RC_OP_ARITY(1, 1, 1, 1),
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_POINTWISE,
    .quant = RC_QUANT_BOUND,
    .sign = RC_SIGN_NON_NEGATIVE,
    .infer = rci_map_infer_f32,
    .forward = relu_forward,
    .backward = relu_backward,
    .as_post = relu_as_post,
    .couple = rci_op_couple_same,
    .cost = rci_op_cost_elementwise,
};
