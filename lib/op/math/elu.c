/* Activations with numbers of their own, below and above 0 (Elu, Selu, Celu) or a bound
 * (ThresholdedRelu). */
#include "op/attrs.h"
#include "op/math/map.h"

#include <math.h>

/* below: gamma * alpha * (e^(x / width) - 1); above: gamma * x */
struct curve {
    float alpha, gamma, width;
};

static struct curve curve_of(const struct rci_call *c)
{
    const struct rci_elu_attrs *a = c->node->attrs;
    /* Celu divides by alpha, which keeps the slope at 0 at 1 */
    return (struct curve){a->alpha, a->gamma, c->node->op->variant ? a->alpha : 1};
}

static void elu_map(const struct rci_call *c, int64_t from, int64_t to)
{
    const struct curve k = curve_of(c);
    const float *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    for (int64_t i = from; i < to; i++)
        y[i] = k.gamma * (x[i] < 0 ? k.alpha * expm1f(x[i] / k.width) : x[i]);
}

static rc_status elu_forward(const struct rci_call *c)
{
    return rci_map_run(c, elu_map);
}

static void elu_grad(const struct rci_call *c, int64_t from, int64_t to)
{
    const struct curve k = curve_of(c);
    const float *restrict x = c->in[0].data, *restrict g = c->d_out[0].data;
    float *restrict d = c->d_in[0].data;
    for (int64_t i = from; i < to; i++)
        d[i] = g[i] * k.gamma * (x[i] < 0 ? k.alpha / k.width * expf(x[i] / k.width) : 1);
}

static rc_status elu_backward(const struct rci_call *c)
{
    return c->d_in[0].data ? rci_map_run(c, elu_grad) : RC_OK;
}

/* variant 1 is Celu */
static rc_status elu_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_elu_attrs *t = n->attrs;
    t->gamma = 1;
    RC_TRY(rci_attr_float(a, "alpha", 1, &t->alpha));
    if (n->op->variant && !(t->alpha > 0))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": alpha is %g, must be above 0", n->name,
                        (double) t->alpha);
    return RC_OK;
}

static rc_status elu_write(const struct rci_node *n, struct rci_attr_write *w)
{
    return rci_put_float(w, "alpha", ((const struct rci_elu_attrs *) n->attrs)->alpha);
}

/* ONNX's defaults: the fixed point of mean 0 and variance 1 (Klambauer et al., 2017). */
static rc_status selu_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_elu_attrs *t = n->attrs;
    RC_TRY(rci_attr_float(a, "alpha", 1.67326319217681884765625f, &t->alpha));
    return rci_attr_float(a, "gamma", 1.05070102214813232421875f, &t->gamma);
}

static rc_status selu_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_elu_attrs *t = n->attrs;
    RC_TRY(rci_put_float(w, "alpha", t->alpha));
    return rci_put_float(w, "gamma", t->gamma);
}

/* --- ThresholdedRelu: y = x for x > alpha, else 0 --- */

static void thresholded_map(const struct rci_call *c, int64_t from, int64_t to)
{
    const float alpha = ((const struct rci_elu_attrs *) c->node->attrs)->alpha;
    const float *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    for (int64_t i = from; i < to; i++)
        y[i] = x[i] <= alpha ? 0 : x[i]; /* NaN stays */
}

static rc_status thresholded_forward(const struct rci_call *c)
{
    return rci_map_run(c, thresholded_map);
}

static void thresholded_grad(const struct rci_call *c, int64_t from, int64_t to)
{
    const float alpha = ((const struct rci_elu_attrs *) c->node->attrs)->alpha;
    const float *restrict x = c->in[0].data, *restrict g = c->d_out[0].data;
    float *restrict d = c->d_in[0].data;
    for (int64_t i = from; i < to; i++)
        d[i] = x[i] > alpha ? g[i] : 0;
}

static rc_status thresholded_backward(const struct rci_call *c)
{
    return c->d_in[0].data ? rci_map_run(c, thresholded_grad) : RC_OK;
}

#define ELU                                                                                 \
    RC_OP_ARITY(1, 1, 1, 1), .attr_size = sizeof(struct rci_elu_attrs),                     \
                             .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_POINTWISE, \
                             .infer = rci_map_infer_f32, .couple = rci_op_couple_same,      \
                             .cost = rci_op_cost_elementwise

const struct rci_op rci_op_elu = {
    .name = "Elu",
    ELU,
    .forward = elu_forward,
    .backward = elu_backward,
    .read_attrs = elu_read,
    .write_attrs = elu_write,
};

const struct rci_op rci_op_celu = {
    .name = "Celu",
    ELU,
    .since = 12,
    .variant = 1,
    .forward = elu_forward,
    .backward = elu_backward,
    .read_attrs = elu_read,
    .write_attrs = elu_write,
};

const struct rci_op rci_op_selu = {
    .name = "Selu",
    ELU,
    .forward = elu_forward,
    .backward = elu_backward,
    .read_attrs = selu_read,
    .write_attrs = selu_write,
};

/* For alpha < 0 the result at 0 is 0 all the same. */
const struct rci_op rci_op_thresholdedrelu = {
    .name = "ThresholdedRelu",
    ELU,
    .since = 10,
    .forward = thresholded_forward,
    .backward = thresholded_backward,
    .read_attrs = elu_read,
    .write_attrs = elu_write,
};
