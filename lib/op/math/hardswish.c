/* HardSwish: y = x * min(max(x/6 + 1/2, 0), 1) (opset 14). */
#include "op/math/activation.h"
#include "op/math/map.h"

static void hardswish_map(const struct rci_call *c, int64_t from, int64_t to)
{
    const float *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    for (int64_t i = from; i < to; i++)
        y[i] = rci_hardswish(x[i]);
}

static rc_status hardswish_forward(const struct rci_call *c)
{
    return rci_map_run(c, hardswish_map);
}

/* x <= -3: 0; x >= 3: 1; between: x/3 + 1/2 */
static void hardswish_grad(const struct rci_call *c, int64_t from, int64_t to)
{
    const float *restrict x = c->in[0].data, *restrict g = c->d_out[0].data;
    float *restrict d = c->d_in[0].data;
    for (int64_t i = from; i < to; i++)
        d[i] = x[i] <= -3 ? 0 : x[i] >= 3 ? g[i] : g[i] * (x[i] / 3 + 0.5f);
}

static rc_status hardswish_backward(const struct rci_call *c)
{
    return c->d_in[0].data ? rci_map_run(c, hardswish_grad) : RC_OK;
}

static bool hardswish_as_post(const struct rci_node *n, struct rci_post *out)
{
    (void) n;
    *out = (struct rci_post){.kind = RC_POST_HARDSWISH};
    return true;
}

const struct rci_op rci_op_hardswish = {
    .name = "HardSwish",
    RC_OP_ARITY(1, 1, 1, 1),
    .since = 14,
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_POINTWISE,
    .infer = rci_map_infer_f32,
    .forward = hardswish_forward,
    .backward = hardswish_backward,
    .as_post = hardswish_as_post,
    .couple = rci_op_couple_same,
    .cost = rci_op_cost_elementwise,
};
