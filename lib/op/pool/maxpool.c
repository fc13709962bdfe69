/* MaxPool: y = max of x over a sliding window; padding never wins. The gradient goes to the first
 * largest element. */
#include "op/common.h"
#include "op/pool/fast.h"
#include "op/pool/pool.h"

#include <math.h>
#include <string.h>

static rc_status maxpool_infer(const struct rci_infer *i)
{
    if (i->node->n_out > 1 && i->node->out[1] != RC_NONE)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": the indices output is not supported",
                        i->node->name);
    return rci_pool_infer(i);
}

static int64_t largest(const float *x, const struct rci_window *w, int64_t v, int64_t u)
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

static rc_status maxpool_forward(const struct rci_call *c)
{
    struct rci_window w;
    rci_pool_window(&w, c->node, c->in);
    const int64_t planes = c->in[0].shape.dim[0] * c->in[0].shape.dim[1];
    const int64_t area = w.out[0] * w.out[1];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < planes; k++) {
        const float *x = (const float *) c->in[0].data + k * w.in[0] * w.in[1];
        float *y = (float *) c->out[0].data + k * area;
        for (int64_t i = 0; i < area; i++) {
            const int64_t best = largest(x, &w, i / w.out[1], i % w.out[1]);
            y[i] = best < 0 ? -INFINITY : x[best];
        }
    }
    return RC_OK;
}

static rc_status maxpool_backward(const struct rci_call *c)
{
    if (!c->d_in[0].data)
        return RC_OK;
    struct rci_window w;
    rci_pool_window(&w, c->node, c->in);
    const int64_t planes = c->in[0].shape.dim[0] * c->in[0].shape.dim[1];
    const int64_t area = w.out[0] * w.out[1], in_area = w.in[0] * w.in[1];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < planes; k++) {
        const float *x = (const float *) c->in[0].data + k * in_area;
        const float *dy = (const float *) c->d_out[0].data + k * area;
        float *dx = (float *) c->d_in[0].data + k * in_area;
        memset(dx, 0, (size_t) in_area * sizeof(float));
        for (int64_t i = 0; i < area; i++) {
            const int64_t best = largest(x, &w, i / w.out[1], i % w.out[1]);
            if (best >= 0)
                dx[best] += dy[i];
        }
    }
    return RC_OK;
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
    .couple = rci_pool_couple,
    .read_attrs = rci_pool_read,
    .write_attrs = rci_pool_write,
    .cost = rci_pool_cost,
};
