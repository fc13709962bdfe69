/* Softmax: y_i = e^(x_i - max) / sum e^(x_j - max); dx_i = y_i * (dy_i - sum dy_j*y_j).
 * LogSoftmax: its logarithm, y_i = x_i - max - log sum e^(x_j - max); dx_i = dy_i - e^y_i * sum
 * dy_j. From opset 13 on over one axis; before, over all axes from `axis` on together. */
#include "op/attrs.h"
#include "op/common.h"

#include <math.h>
#include <string.h>

enum { SOFTMAX, SOFTMAX_LOG }; /* op->variant */

/* x as [outer][n][inner]: a sum runs over n elements, `inner` apart. */
struct softmax_plan {
    int64_t outer, n, inner;
};

static rc_status softmax_plan(const struct rci_node *node, const struct rci_shape *s,
                              struct softmax_plan *p)
{
    const struct rci_softmax_attrs *t = node->attrs;
    uint32_t axis;
    RC_TRY(rci_op_axis(node, t->axis, s->rank, &axis));
    *p = (struct softmax_plan){1, 1, 1};
    for (uint32_t a = 0; a < s->rank; a++)
        *(a < axis ? &p->outer : a == axis || t->flat ? &p->n : &p->inner) *= s->dim[a];
    return RC_OK;
}

static rc_status softmax_infer(const struct rci_infer *i)
{
    struct softmax_plan p;
    RC_TRY(rci_op_infer_same(i, RC_DT_F32));
    return softmax_plan(i->node, &i->in[0].shape, &p);
}

static rc_status softmax_forward(const struct rci_call *c)
{
    struct softmax_plan p;
    const float *x = c->in[0].data;
    float *y = c->out[0].data;
    RC_TRY(softmax_plan(c->node, &c->in[0].shape, &p));
#pragma omp parallel for schedule(static) if (p.outer * p.n * p.inner >= RC_PARALLEL_MIN)
    for (int64_t r = 0; r < p.outer * p.inner; r++) {
        const int64_t base = r / p.inner * p.n * p.inner + r % p.inner;
        /* the largest is subtracted, so that no exponential overflows */
        float top = -INFINITY;
        double sum = 0;
        for (int64_t k = 0; k < p.n; k++)
            top = x[base + k * p.inner] > top ? x[base + k * p.inner] : top;
        for (int64_t k = 0; k < p.n; k++) {
            const float e = expf(x[base + k * p.inner] - top);
            y[base + k * p.inner] = e;
            sum += (double) e;
        }
        if (c->node->op->variant == SOFTMAX_LOG) {
            const float rest = (float) log(sum);
            for (int64_t k = 0; k < p.n; k++)
                y[base + k * p.inner] = x[base + k * p.inner] - top - rest;
            continue;
        }
        const float scale = (float) (1 / sum);
        for (int64_t k = 0; k < p.n; k++)
            y[base + k * p.inner] *= scale;
    }
    return RC_OK;
}

static rc_status softmax_backward(const struct rci_call *c)
{
    struct softmax_plan p;
    const bool logarithm = c->node->op->variant == SOFTMAX_LOG;
    const float *y = c->out[0].data, *g = c->d_out[0].data;
    float *d = c->d_in[0].data;
    if (!d)
        return RC_OK;
    RC_TRY(softmax_plan(c->node, &c->in[0].shape, &p));
#pragma omp parallel for schedule(static) if (p.outer * p.n * p.inner >= RC_PARALLEL_MIN)
    for (int64_t r = 0; r < p.outer * p.inner; r++) {
        const int64_t base = r / p.inner * p.n * p.inner + r % p.inner;
        double sum = 0;
        for (int64_t k = 0; k < p.n; k++) {
            const int64_t at = base + k * p.inner;
            sum += (double) g[at] * (logarithm ? 1 : (double) y[at]);
        }
        for (int64_t k = 0; k < p.n; k++) {
            const int64_t at = base + k * p.inner;
            const double dy = (double) g[at], v = (double) y[at];
            d[at] = (float) (logarithm ? dy - exp(v) * sum : v * (dy - sum));
        }
    }
    return RC_OK;
}

/* Every index of the axis is in the sum: it stays whole. */
static void softmax_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_softmax_attrs *t = n->attrs;
    const struct rci_shape *s = rci_links_shape(l, RC_IN(0, 0).operand);
    uint32_t axis;
    if (!s || rci_op_axis(n, t->axis, s->rank, &axis) != RC_OK)
        return;
    for (uint32_t a = 0; a < s->rank; a++)
        if (a < axis || (a > axis && !t->flat))
            rci_link_same(l, RC_IN(0, a), RC_OUT(0, a));
}

static rc_status softmax_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_softmax_attrs *t = n->attrs;
    /* opset 13 changed the default from 1 to -1 along with the meaning */
    t->flat = rci_attrs_opset(a) < 13;
    return rci_attr_int(a, "axis", t->flat ? 1 : -1, &t->axis);
}

/* The last axis means the same in all opsets. */
static rc_status softmax_bind(struct rc_graph *g, struct rci_node *n,
                              const struct rci_tensor *known, const struct rci_tensor *alt,
                              const int64_t batch[2])
{
    struct rci_softmax_attrs *t = n->attrs;
    (void) g;
    (void) alt;
    (void) batch;
    if (t->axis >= 0 && t->axis == (int64_t) known[0].shape.rank - 1)
        t->axis = -1;
    return RC_OK;
}

/* Both meanings agree on the last axis only. */
static rc_status softmax_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_softmax_attrs *t = n->attrs;
    if ((t->flat != 0) != (rci_attr_write_opset(w) < 13) && t->axis != -1)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": %s over %s axis %lld cannot be written in opset %lld",
                        n->name, n->op->name, t->flat ? "all axes from" : "only",
                        (long long) t->axis, (long long) rci_attr_write_opset(w));
    return rci_put_int(w, "axis", t->axis);
}

/* Over the batch it sums over images. */
static bool softmax_separate(const struct rc_graph *g, const struct rci_node *n, uint32_t rank)
{
    const struct rci_softmax_attrs *a = n->attrs;
    (void) g;
    return a->axis != 0 && a->axis != -(int64_t) rank;
}

/* Before opset 13 the axes behind belong to the sum too. */
static bool softmax_permute(struct rci_node *n, uint32_t *rank, const uint32_t *perm, uint32_t *out)
{
    struct rci_softmax_attrs *t = n->attrs;
    uint32_t axis;
    if (t->flat || rci_op_axis(n, t->axis, *rank, &axis) != RC_OK)
        return false;
    t->axis = perm[axis];
    memcpy(out, perm, *rank * sizeof(*out));
    return true;
}

#define SOFTMAX_OP                                                                              \
    RC_OP_ARITY(1, 1, 1, 1),                                                                    \
        .attr_size = sizeof(struct rci_softmax_attrs), .infer = softmax_infer,                  \
        .forward = softmax_forward, .backward = softmax_backward, .separate = softmax_separate, \
        .couple = softmax_couple, .read_attrs = softmax_read, .bind = softmax_bind,             \
        .write_attrs = softmax_write, .cost = rci_op_cost_elementwise, .permute = softmax_permute

const struct rci_op rci_op_softmax = {
    .name = "Softmax",
    SOFTMAX_OP,
    .flags = RC_OP_PROBABILITIES,
    .sign = RC_SIGN_NON_NEGATIVE,
};

const struct rci_op rci_op_logsoftmax = {
    .name = "LogSoftmax",
    SOFTMAX_OP,
    .variant = SOFTMAX_LOG,
};
