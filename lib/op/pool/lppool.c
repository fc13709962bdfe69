/* LpPool: y = (sum |x|^p over a sliding window)^(1/p); padding adds nothing. */
#include "op/common.h"
#include "op/pool/pool.h"

#include <math.h>

static double power_of(const struct rci_node *n)
{
    return (double) ((const struct rci_lppool_attrs *) n->attrs)->p;
}

/* Output (v, u) of a plane x [H, W]. Unlike in AveragePool nothing is divided by. */
static double lppool_norm(const struct rci_window *w, double p, const float *x, int64_t v,
                          int64_t u)
{
    struct rci_taps t;
    double sum = 0;
    rci_pool_taps(&t, w, v, u);
    for (int64_t i = t.from[0]; i < t.to[0]; i += t.step[0])
        for (int64_t j = t.from[1]; j < t.to[1]; j += t.step[1])
            sum += pow(fabs((double) x[i * w->in[1] + j]), p);
    return pow(sum, 1 / p);
}

static float lppool_value(const struct rci_node *n, const struct rci_window *w, const float *x,
                          int64_t v, int64_t u)
{
    return (float) lppool_norm(w, power_of(n), x, v, u);
}

static rc_status lppool_forward(const struct rci_call *c)
{
    return rci_pool_forward(c, lppool_value);
}

/* dx += dy * sign(x) (|x| / y)^(p-1); nothing where y is 0, for all x are 0 then. */
static void lppool_spread(const struct rci_node *n, const struct rci_window *w, const float *x,
                          float *dx, const int64_t at[2], float dy)
{
    struct rci_taps t;
    const double p = power_of(n), y = lppool_norm(w, p, x, at[0], at[1]);
    rci_pool_taps(&t, w, at[0], at[1]);
    for (int64_t i = t.from[0]; y > 0 && i < t.to[0]; i += t.step[0])
        for (int64_t j = t.from[1]; j < t.to[1]; j += t.step[1]) {
            const double s = (double) x[i * w->in[1] + j];
            dx[i * w->in[1] + j] += (float) ((double) dy * copysign(pow(fabs(s) / y, p - 1), s));
        }
}

static rc_status lppool_backward(const struct rci_call *c)
{
    return rci_pool_backward(c, lppool_spread);
}

/* Below 1 it is no norm, and its gradient is infinite at 0. */
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

/* The other attributes are those of all pools; each knows the opset it came with. */
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
