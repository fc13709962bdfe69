/* AveragePool: y = sum of x over a sliding window / count, where count is the elements inside the
 * image or, with count_include_pad, inside image and padding. */
#include "op/common.h"
#include "op/pool/fast.h"
#include "op/pool/pool.h"

/* Taps along one axis that lie inside the padded image. */
static int64_t padded_taps(const struct rci_window *w, int a, int64_t at)
{
    const int64_t room = w->in[a] + w->begin[a] + w->end[a] - at * w->stride[a];
    const int64_t taps = (room + w->dilation[a] - 1) / w->dilation[a];
    return taps < w->kernel[a] ? taps : w->kernel[a];
}

/* The dilation steps over the image, so of [from, to) only every step-th row or column is a tap. */
static int64_t inside_taps(const struct rci_taps *t, int a)
{
    return t->to[a] > t->from[a] ? (t->to[a] - t->from[a] + t->step[a] - 1) / t->step[a] : 0;
}

/* Output (v, u). ONNX divides by the elements inside the image, or, with count_include_pad, by
 * those inside image and padding; a window that ceil_mode lets reach beyond the padding never
 * counts what lies behind it. */
static double divisor(const struct rci_node *n, const struct rci_window *w,
                      const struct rci_taps *t, int64_t v, int64_t u)
{
    const struct rci_pool_attrs *a = n->attrs;
    const int64_t count = a->count_include_pad ? padded_taps(w, 0, v) * padded_taps(w, 1, u)
                                               : inside_taps(t, 0) * inside_taps(t, 1);
    return count > 0 ? (double) count : 1;
}

/* x: one plane [H, W]. Sums are in double: in float their error grows with the number of pixels. */
static float averagepool_mean(const struct rci_node *n, const struct rci_window *w, const float *x,
                              int64_t v, int64_t u)
{
    struct rci_taps t;
    rci_pool_taps(&t, w, v, u);
    double sum = 0;
    for (int64_t p = t.from[0]; p < t.to[0]; p += t.step[0])
        for (int64_t q = t.from[1]; q < t.to[1]; q += t.step[1])
            sum += (double) x[p * w->in[1] + q];
    return (float) (sum / divisor(n, w, &t, v, u));
}

/* dx += dy / count over the window of output (v, u). */
static void averagepool_spread(const struct rci_node *n, const struct rci_window *w, const float *x,
                               float *dx, const int64_t at[2], float dy)
{
    struct rci_taps t;
    (void) x;
    rci_pool_taps(&t, w, at[0], at[1]);
    const float part = (float) ((double) dy / divisor(n, w, &t, at[0], at[1]));
    for (int64_t p = t.from[0]; p < t.to[0]; p += t.step[0])
        for (int64_t q = t.from[1]; q < t.to[1]; q += t.step[1])
            dx[p * w->in[1] + q] += part;
}

static rc_status averagepool_forward(const struct rci_call *c)
{
    return rci_pool_forward(c, averagepool_mean);
}

static rc_status averagepool_backward(const struct rci_call *c)
{
    return rci_pool_backward(c, averagepool_spread);
}

/* oneDNN divides by the whole window when it counts padding, also where ceil_mode lets the last
 * window reach beyond the padding. */
static rc_status averagepool_prepare(const struct rci_request *req, struct rci_prep *p)
{
    const struct rci_pool_attrs *a = req->node->attrs;
    struct rci_window w;
    rci_pool_window(&w, req->node, req->in);
    for (int i = 0; i < 2 && a->count_include_pad; i++)
        if (padded_taps(&w, i, w.out[i] - 1) < w.kernel[i])
            return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": a window reaches beyond the padding",
                            req->node->name);
    return rci_pool_prepare(req, p, &w,
                            a->count_include_pad ? RC_POOL_AVERAGE_PADDED : RC_POOL_AVERAGE);
}

/* Passes see a mean over a window; whether padding counts stays in the attributes. */
static void averagepool_as_pooling(const struct rci_node *n, struct rci_pooling *out)
{
    *out = (struct rci_pooling){.window = n->attrs, .max = false};
}

/* The zeros count in the mean. */
static bool averagepool_absorb_padding(const struct rc_graph *g, struct rci_node *n,
                                       const struct rci_padding *p, bool positive)
{
    struct rci_pool_attrs *a = n->attrs;
    const int64_t *own = a->window.pads;
    (void) g;
    (void) positive;
    if (a->ceil_mode || (!a->count_include_pad && (own[0] || own[1] || own[2] || own[3])) ||
        !rci_window_absorb(&a->window, p, a->window.kernel))
        return false;
    a->count_include_pad = 1;
    return true;
}

const struct rci_op rci_op_averagepool = {
    .name = "AveragePool",
    RC_OP_ARITY(1, 1, 1, 1),
    .attr_size = sizeof(struct rci_pool_attrs),
    .flags = RC_OP_BF16 | RC_OP_SEPARATE,
    .sign = RC_SIGN_KEEPS,
    .infer = rci_pool_infer,
    .forward = averagepool_forward,
    .backward = averagepool_backward,
    .prepare = averagepool_prepare,
    .as_pooling = averagepool_as_pooling,
    .absorb_padding = averagepool_absorb_padding,
    .couple = rci_pool_couple,
    .read_attrs = rci_pool_read,
    .write_attrs = rci_pool_write,
    .cost = rci_pool_cost,
};
