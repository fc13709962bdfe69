/* HardSigmoid: y = min(max(alpha*x + beta, 0), 1); dx = alpha*dy between the bounds. */
#include "op/attrs.h"
#include "op/math/activation.h"
#include "op/math/map.h"

static void hardsigmoid_map(const struct rci_call *c, int64_t from, int64_t to)
{
    const struct rci_hardsigmoid_attrs a = *(const struct rci_hardsigmoid_attrs *) c->node->attrs;
    const float *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    for (int64_t i = from; i < to; i++)
        y[i] = rci_hardsigmoid(x[i], a.alpha, a.beta);
}

static rc_status hardsigmoid_forward(const struct rci_call *c)
{
    return rci_map_run(c, hardsigmoid_map);
}

static void hardsigmoid_grad(const struct rci_call *c, int64_t from, int64_t to)
{
    const struct rci_hardsigmoid_attrs a = *(const struct rci_hardsigmoid_attrs *) c->node->attrs;
    const float *restrict x = c->in[0].data, *restrict g = c->d_out[0].data;
    float *restrict d = c->d_in[0].data;
    for (int64_t i = from; i < to; i++) {
        const float v = a.alpha * x[i] + a.beta;
        d[i] = v > 0 && v < 1 ? a.alpha * g[i] : 0;
    }
}

static rc_status hardsigmoid_backward(const struct rci_call *c)
{
    return c->d_in[0].data ? rci_map_run(c, hardsigmoid_grad) : RC_OK;
}

static rc_status hardsigmoid_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_hardsigmoid_attrs *t = n->attrs;
    RC_TRY(rci_attr_float(a, "alpha", 0.2f, &t->alpha));
    return rci_attr_float(a, "beta", 0.5f, &t->beta);
}

static rc_status hardsigmoid_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_hardsigmoid_attrs *t = n->attrs;
    RC_TRY(rci_put_float(w, "alpha", t->alpha));
    return rci_put_float(w, "beta", t->beta);
}

static bool hardsigmoid_as_post(const struct rci_node *n, struct rci_post *out)
{
    const struct rci_hardsigmoid_attrs *a = n->attrs;
    *out = (struct rci_post){.kind = RC_POST_HARDSIGMOID, .alpha = a->alpha, .beta = a->beta};
    return true;
}

const struct rci_op rci_op_hardsigmoid = {
    .name = "HardSigmoid",
    RC_OP_ARITY(1, 1, 1, 1),
    .attr_size = sizeof(struct rci_hardsigmoid_attrs),
    /* f(0) = beta, so padding of a layout would not stay 0 */
    .flags = RC_OP_SEPARATE | RC_OP_POINTWISE,
    .sign = RC_SIGN_NON_NEGATIVE,
    .infer = rci_map_infer_f32,
    .forward = hardsigmoid_forward,
    .backward = hardsigmoid_backward,
    .as_post = hardsigmoid_as_post,
    .couple = rci_op_couple_same,
    .read_attrs = hardsigmoid_read,
    .write_attrs = hardsigmoid_write,
    .cost = rci_op_cost_elementwise,
};
