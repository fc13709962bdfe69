/* MaxPool: y = max of x over a sliding window; padding never wins. The gradient goes to the first
 * largest element. */
#include "op/common.h"
#include "op/pool.h"
#include "op/pool_fast.h"

#include <math.h>
#include <string.h>

static rc_status maxpool_infer(const struct rc_infer *i)
{
    if (i->node->n_out > 1 && i->node->out[1] != RC_NONE)
        return rc_fail(RC_ERR_UNSUPPORTED, "node \"%s\": the indices output is not supported",
                       i->node->name);
    return rc_pool_infer(i);
}

static int64_t largest(const float *x, const struct rc_window *w, int64_t v, int64_t u)
{
    struct rc_taps t;
    rc_pool_taps(&t, w, v, u);
    int64_t best = -1;
    for (int64_t p = t.from[0]; p < t.to[0]; p += t.step[0])
        for (int64_t q = t.from[1]; q < t.to[1]; q += t.step[1]) {
            const int64_t at = p * w->in[1] + q;
            if (best < 0 || x[at] > x[best] || isnan(x[at]))
                best = at;
        }
    return best;
}

static rc_status maxpool_forward(const struct rc_call *c)
{
    struct rc_window w;
    rc_pool_window(&w, c->node, c->in);
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

static rc_status maxpool_backward(const struct rc_call *c)
{
    if (!c->d_in[0].data)
        return RC_OK;
    struct rc_window w;
    rc_pool_window(&w, c->node, c->in);
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

static rc_status maxpool_prepare(struct rc_prep *p)
{
    struct rc_window w;
    rc_pool_window(&w, p->node, p->in);
    return rc_pool_prepare(p, &w, RC_POOL_MAX);
}

const struct rc_op rc_op_maxpool = {
    .name = "MaxPool",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 2,
    .attr_size = sizeof(struct rc_pool_attrs),
    .flags = RC_OP_BF16 | RC_OP_SEPARATE,
    .quant = RC_QUANT_PASS,
    .infer = maxpool_infer,
    .forward = maxpool_forward,
    .backward = maxpool_backward,
    .prepare = maxpool_prepare,
    .couple = rc_pool_couple,
    .read_attrs = rc_pool_read,
    .write_attrs = rc_pool_write,
    .cost = rc_pool_cost,
};
