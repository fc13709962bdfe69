/* LpPool: y = (sum |x|^p over a sliding window)^(1/p); padding adds nothing. */
#include "op/common.h"
#include "op/pool/pool.h"

#include <math.h>
#include <string.h>

static double power_of(const struct rci_node *n)
{
    return (double) ((const struct rci_lppool_attrs *) n->attrs)->p;
}

static double norm(const struct rci_window *w, double p, const float *x, int64_t v, int64_t u)
{
    struct rci_taps t;
    double sum = 0;
    rci_pool_taps(&t, w, v, u);
    for (int64_t i = t.from[0]; i < t.to[0]; i += t.step[0])
        for (int64_t j = t.from[1]; j < t.to[1]; j += t.step[1])
            sum += pow(fabs((double) x[i * w->in[1] + j]), p);
    return pow(sum, 1 / p);
}

static rc_status lppool_forward(const struct rci_call *c)
{
    struct rci_window w;
    rci_pool_window(&w, c->node, c->in);
    const double p = power_of(c->node);
    const int64_t planes = c->in[0].shape.dim[0] * c->in[0].shape.dim[1];
    const int64_t area = w.out[0] * w.out[1];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < planes; k++) {
        const float *x = (const float *) c->in[0].data + k * w.in[0] * w.in[1];
        for (int64_t i = 0; i < area; i++)
            ((float *) c->out[0].data)[k * area + i] =
                (float) norm(&w, p, x, i / w.out[1], i % w.out[1]);
    }
    return RC_OK;
}

/* dx += dy * sign(x) (|x| / y)^(p-1) */
static void spread(const struct rci_window *w, double p, const float *x, float *dx, int64_t v,
                   int64_t u, double dy)
{
    struct rci_taps t;
    const double y = norm(w, p, x, v, u);
    rci_pool_taps(&t, w, v, u);
    for (int64_t i = t.from[0]; y > 0 && i < t.to[0]; i += t.step[0])
        for (int64_t j = t.from[1]; j < t.to[1]; j += t.step[1]) {
            const double s = (double) x[i * w->in[1] + j];
            dx[i * w->in[1] + j] += (float) (dy * copysign(pow(fabs(s) / y, p - 1), s));
        }
}

static rc_status lppool_backward(const struct rci_call *c)
{
    if (!c->d_in[0].data)
        return RC_OK;
    struct rci_window w;
    rci_pool_window(&w, c->node, c->in);
    const double p = power_of(c->node);
    const int64_t planes = c->in[0].shape.dim[0] * c->in[0].shape.dim[1];
    const int64_t area = w.out[0] * w.out[1], in_area = w.in[0] * w.in[1];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < planes; k++) {
        const float *x = (const float *) c->in[0].data + k * in_area;
        const float *dy = (const float *) c->d_out[0].data + k * area;
        float *dx = (float *) c->d_in[0].data + k * in_area;
        memset(dx, 0, (size_t) in_area * sizeof(float));
        for (int64_t i = 0; i < area; i++)
            spread(&w, p, x, dx, i / w.out[1], i % w.out[1], (double) dy[i]);
    }
    return RC_OK;
}

static rc_status lppool_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_lppool_attrs *t = n->attrs;
    RC_TRY(rci_pool_read(n, a));
    RC_TRY(rci_attr_int(a, "p", 2, &t->p));
    if (t->p < 1)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": p is %lld, must be 1 or more", n->name,
                        (long long) t->p);
    return RC_OK;
}

static rc_status lppool_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_lppool_attrs *t = n->attrs;
    RC_TRY(rci_pool_write(n, w));
    return rci_put_int(w, "p", t->p);
}

const struct rci_op rci_op_lppool = {
    .name = "LpPool",
    RC_OP_ARITY(1, 1, 1, 1),
    .attr_size = sizeof(struct rci_lppool_attrs),
    .flags = RC_OP_SEPARATE,
    .sign = RC_SIGN_NON_NEGATIVE,
    .infer = rci_pool_infer,
    .forward = lppool_forward,
    .backward = lppool_backward,
    .couple = rci_pool_couple,
    .read_attrs = lppool_read,
    .write_attrs = lppool_write,
    .cost = rci_pool_cost,
};
