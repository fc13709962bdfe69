/* LeakyRelu: y = x for x >= 0, alpha*x below. */
#include "op/attrs.h"
#include "op/map.h"

static float leaky_alpha(const struct rc_call *c)
{
    return ((const struct rc_leaky_attrs *) c->node->attrs)->alpha;
}

static void leaky_map(const struct rc_call *c, int64_t from, int64_t to)
{
    const float alpha = leaky_alpha(c), *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    for (int64_t i = from; i < to; i++)
        y[i] = x[i] < 0 ? alpha * x[i] : x[i];
}

static rc_status leaky_forward(const struct rc_call *c)
{
    return rc_map_run(c, leaky_map);
}

static void leaky_grad(const struct rc_call *c, int64_t from, int64_t to)
{
    const float alpha = leaky_alpha(c), *restrict x = c->in[0].data, *restrict g = c->d_out[0].data;
    float *restrict d = c->d_in[0].data;
    for (int64_t i = from; i < to; i++)
        d[i] = x[i] > 0 ? g[i] : alpha * g[i];
}

static rc_status leaky_backward(const struct rc_call *c)
{
    return c->d_in[0].data ? rc_map_run(c, leaky_grad) : RC_OK;
}

static rc_status leaky_read(struct rc_node *n, const struct rc_attrs *a)
{
    return rc_attr_float(a, "alpha", 0.01f, &((struct rc_leaky_attrs *) n->attrs)->alpha);
}

static rc_status leaky_write(const struct rc_node *n, struct rc_attr_write *w)
{
    return rc_put_float(w, "alpha", ((const struct rc_leaky_attrs *) n->attrs)->alpha);
}

const struct rc_op rc_op_leakyrelu = {
    .name = "LeakyRelu",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .attr_size = sizeof(struct rc_leaky_attrs),
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE,
    .infer = rc_map_infer_f32,
    .forward = leaky_forward,
    .backward = leaky_backward,
    .couple = rc_op_couple_same,
    .read_attrs = leaky_read,
    .write_attrs = leaky_write,
    .cost = rc_op_cost_elementwise,
};
