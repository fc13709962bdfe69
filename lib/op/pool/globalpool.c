/* GlobalMaxPool: y[n,c] = the largest of x[n,c,...]. GlobalLpPool: y[n,c] = (sum |x|^p)^(1/p).
 * Spatial axes become 1. */
#include "op/common.h"
#include "op/layers.h"
#include "op/pool/pool.h"

#include <math.h>
#include <string.h>

/* NaN wins and stays: x > NaN is false, so nothing replaces it. */
static float plane_max(const float *x, int64_t n)
{
    float best = x[0];
    for (int64_t i = 1; i < n; i++)
        best = x[i] > best || isnan(x[i]) ? x[i] : best;
    return best;
}

/* The usual p == 2 needs no pow(). */
static float plane_norm(const float *x, int64_t n, double p)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += p == 2 ? (double) x[i] * (double) x[i] : pow(fabs((double) x[i]), p);
    return (float) (p == 2 ? sqrt(sum) : pow(sum, 1 / p));
}

static double power_of(const struct rci_call *c)
{
    return (double) ((const struct rci_globallp_attrs *) c->node->attrs)->p;
}

/* The whole plane of each channel. */
struct planes {
    int64_t n, area;
};

static struct planes planes_of(const struct rci_call *c)
{
    const struct rci_shape *x = &c->in[0].shape;
    struct planes p = {x->dim[0] * x->dim[1], 1};
    for (uint32_t a = 2; a < x->rank; a++)
        p.area *= x->dim[a];
    return p;
}

static rc_status globalmax_forward(const struct rci_call *c)
{
    const struct planes p = planes_of(c);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < p.n; k++)
        ((float *) c->out[0].data)[k] =
            plane_max((const float *) c->in[0].data + k * p.area, p.area);
    return RC_OK;
}

/* The first of several largest elements takes all; with NaN, which equals nothing, the last
 * element of the plane does. */
static rc_status globalmax_backward(const struct rci_call *c)
{
    const struct planes p = planes_of(c);
    float *d = c->d_in[0].data;
    if (!d)
        return RC_OK;
    memset(d, 0, rci_tensor_bytes(&c->in[0]));
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < p.n; k++) {
        const float *x = (const float *) c->in[0].data + k * p.area;
        const float best = ((const float *) c->out[0].data)[k];
        int64_t i = 0;
        while (i < p.area - 1 && x[i] != best)
            i++;
        d[k * p.area + i] = ((const float *) c->d_out[0].data)[k];
    }
    return RC_OK;
}

static rc_status globallp_forward(const struct rci_call *c)
{
    const struct planes p = planes_of(c);
    const double power = power_of(c);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < p.n; k++)
        ((float *) c->out[0].data)[k] =
            plane_norm((const float *) c->in[0].data + k * p.area, p.area, power);
    return RC_OK;
}

/* sign(x) |x|^(p-1) / y^(p-1) */
static double slope(double x, double y, double power)
{
    return copysign(pow(fabs(x) / y, power - 1), x);
}

static rc_status globallp_backward(const struct rci_call *c)
{
    const struct planes p = planes_of(c);
    const double power = power_of(c);
    float *d = c->d_in[0].data;
    if (!d)
        return RC_OK;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < p.n; k++) {
        const float *x = (const float *) c->in[0].data + k * p.area;
        const double y = (double) ((const float *) c->out[0].data)[k];
        const double g = (double) ((const float *) c->d_out[0].data)[k];
        for (int64_t i = 0; i < p.area; i++)
            d[k * p.area + i] = (float) (y > 0 ? g * slope((double) x[i], y, power) : 0);
    }
    return RC_OK;
}

static rc_status globallp_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_globallp_attrs *t = n->attrs;
    RC_TRY(rci_attr_int(a, "p", 2, &t->p));
    if (t->p < 1)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": p is %lld, must be 1 or more", n->name,
                        (long long) t->p);
    return RC_OK;
}

static rc_status globallp_write(const struct rci_node *n, struct rci_attr_write *w)
{
    return rci_put_int(w, "p", ((const struct rci_globallp_attrs *) n->attrs)->p);
}

static struct rci_cost global_cost(const struct rci_node *n, const struct rci_tensor *in,
                                   const struct rci_tensor *out)
{
    (void) n;
    (void) out;
    return (struct rci_cost){0, (uint64_t) rci_shape_count(&in[0].shape)};
}

/* Of planes of one pixel. */
static bool globalmax_keeps_elements(const struct rci_node *n)
{
    (void) n;
    return true;
}

const struct rci_op rci_op_globalmaxpool = {
    .name = "GlobalMaxPool",
    RC_OP_ARITY(1, 1, 1, 1),
    .flags = RC_OP_SEPARATE,
    .sign = RC_SIGN_KEEPS,
    .infer = rci_pool_global_infer,
    .keeps_elements = globalmax_keeps_elements,
    .forward = globalmax_forward,
    .backward = globalmax_backward,
    .couple = rci_pool_couple,
    .cost = global_cost,
};

const struct rci_op rci_op_globallppool = {
    .name = "GlobalLpPool",
    RC_OP_ARITY(1, 1, 1, 1),
    .attr_size = sizeof(struct rci_globallp_attrs),
    .flags = RC_OP_SEPARATE,
    .sign = RC_SIGN_NON_NEGATIVE,
    .infer = rci_pool_global_infer,
    .forward = globallp_forward,
    .backward = globallp_backward,
    .couple = rci_pool_couple,
    .read_attrs = globallp_read,
    .write_attrs = globallp_write,
    .cost = global_cost,
};
