/* LeakyRelu: y = x for x >= 0, alpha*x below. */
#include "op/attrs.h"
#include "op/math/activation.h"
#include "op/math/map.h"

static float leaky_alpha(const struct rci_call *c)
{
    return ((const struct rci_leaky_attrs *) c->node->attrs)->alpha;
}

static void leaky_map(const struct rci_call *c, int64_t from, int64_t to)
{
    const float alpha = leaky_alpha(c), *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    for (int64_t i = from; i < to; i++)
        y[i] = rci_leaky(x[i], alpha);
}

static rc_status leaky_forward(const struct rci_call *c)
{
    return rci_map_run(c, leaky_map);
}

/* At 0 the slope from below. */
static void leaky_grad(const struct rci_call *c, int64_t from, int64_t to)
{
    const float alpha = leaky_alpha(c), *restrict x = c->in[0].data, *restrict g = c->d_out[0].data;
    float *restrict d = c->d_in[0].data;
    for (int64_t i = from; i < to; i++)
        d[i] = x[i] > 0 ? g[i] : alpha * g[i];
}

static rc_status leaky_backward(const struct rci_call *c)
{
    return c->d_in[0].data ? rci_map_run(c, leaky_grad) : RC_OK;
}

static rc_status leaky_read(struct rci_node *n, const struct rci_attrs *a)
{
    return rci_attr_float(a, "alpha", 0.01f, &((struct rci_leaky_attrs *) n->attrs)->alpha);
}

static rc_status leaky_write(const struct rci_node *n, struct rci_attr_write *w)
{
    return rci_put_float(w, "alpha", ((const struct rci_leaky_attrs *) n->attrs)->alpha);
}

static bool leaky_as_post(const struct rci_node *n, struct rci_post *out)
{
    const struct rci_leaky_attrs *a = n->attrs;
    *out = (struct rci_post){.kind = RC_POST_LEAKY, .alpha = a->alpha};
    return true;
}

const struct rci_op rci_op_leakyrelu = {
    .name = "LeakyRelu",
    RC_OP_ARITY(1, 1, 1, 1),
    .attr_size = sizeof(struct rci_leaky_attrs),
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_POINTWISE,
    .infer = rci_map_infer_f32,
    .forward = leaky_forward,
    .backward = leaky_backward,
    .as_post = leaky_as_post,
    .couple = rci_op_couple_same,
    .read_attrs = leaky_read,
    .write_attrs = leaky_write,
    .cost = rci_op_cost_elementwise,
};
