/* MaxPool: y = max of x over a sliding window; padding never wins. The gradient goes to the first
 * largest element. */
#include "op/common.h"
#include "op/pool/fast.h"
#include "op/pool/pool.h"

#include <math.h>

/* Result 1 of ONNX is the places of the maxima (for MaxUnpool), which no residual network reads. */
static rc_status maxpool_infer(const struct rci_infer *i)
{
    if (i->node->n_out > 1 && i->node->out[1] != RC_NONE)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": the indices output is not supported",
                        i->node->name);
    return rci_pool_infer(i);
}

/* Place in the plane x [H, W] of the first largest element of the window of output (v, u); -1 where
 * the window holds padding alone. NaN counts as largest, as in NumPy. */
static int64_t maxpool_largest(const float *x, const struct rci_window *w, int64_t v, int64_t u)
{
    struct rci_taps t;
    rci_pool_taps(&t, w, v, u);
    int64_t best = -1;
    for (int64_t p = t.from[0]; p < t.to[0]; p += t.step[0])
        for (int64_t q = t.from[1]; q < t.to[1]; q += t.step[1]) {
            const int64_t at = p * w->in[1] + q;
            if (best < 0 || x[at] > x[best] || isnan(x[at]))
                best = at;
        }
    return best;
}

static float maxpool_value(const struct rci_node *n, const struct rci_window *w, const float *x,
                           int64_t v, int64_t u)
{
    const int64_t best = maxpool_largest(x, w, v, u);
    (void) n;
    /* padding is -infinity, and so is what consists of it */
    return best < 0 ? -INFINITY : x[best];
}

static rc_status maxpool_forward(const struct rci_call *c)
{
    return rci_pool_forward(c, maxpool_value);
}

/* The place is found anew: the reference path keeps none between forward and backward. */
static void maxpool_spread(const struct rci_node *n, const struct rci_window *w, const float *x,
                           float *dx, const int64_t at[2], float dy)
{
    const int64_t best = maxpool_largest(x, w, at[0], at[1]);
    (void) n;
    if (best >= 0)
        dx[best] += dy;
}

static rc_status maxpool_backward(const struct rci_call *c)
{
    return rci_pool_backward(c, maxpool_spread);
}

static rc_status maxpool_prepare(const struct rci_request *req, struct rci_prep *p)
{
    struct rci_window w;
    rci_pool_window(&w, req->node, req->in);
    return rci_pool_prepare(req, p, &w, RC_POOL_MAX);
}

static void maxpool_as_pooling(const struct rci_node *n, struct rci_pooling *out)
{
    *out = (struct rci_pooling){.window = n->attrs, .max = true};
}

/* Where nothing is below zero, no zero is larger than what is there; each window holds some of it.
 */
static bool maxpool_absorb_padding(const struct rc_graph *g, struct rci_node *n,
                                   const struct rci_padding *p, bool positive)
{
    struct rci_pool_attrs *a = n->attrs;
    const bool dense = a->window.dilation[0] <= 1 && a->window.dilation[1] <= 1;
    (void) g;
    return positive && dense && !a->ceil_mode && n->n_out == 1 &&
           rci_window_absorb(&a->window, p, a->window.kernel);
}

const struct rci_op rci_op_maxpool = {
    .name = "MaxPool",
    RC_OP_ARITY(1, 1, 1, 2),
    .attr_size = sizeof(struct rci_pool_attrs),
    .flags = RC_OP_BF16 | RC_OP_SEPARATE,
    .quant = RC_QUANT_PASS,
    .infer = maxpool_infer,
    .forward = maxpool_forward,
    .backward = maxpool_backward,
    .prepare = maxpool_prepare,
    .as_pooling = maxpool_as_pooling,
    .absorb_padding = maxpool_absorb_padding,
    .couple = rci_pool_couple,
    .read_attrs = rci_pool_read,
    .write_attrs = rci_pool_write,
    .cost = rci_pool_cost,
};
