/* ReduceMean: the mean over a set of axes (all of them when none is listed). */
#include "op/attrs.h"
#include "op/math/broadcast.h"
#include "op/shape/axes.h"
#include "op/shape/strided.h"

#include <string.h>

static rc_status reduce_bits(const struct rci_node *n, const struct rci_tensor *in, uint32_t rank,
                             uint32_t *bits)
{
    struct rci_reduce_attrs t = *(const struct rci_reduce_attrs *) n->attrs;
    if (in)
        RC_TRY(rci_axes_get(n, in, t.axes, &t.n));
    RC_TRY(rci_op_axes(n, t.axes, t.n, rank, bits));
    if (t.n == 0 && !t.noop)
        *bits = (1u << rank) - 1;
    return RC_OK;
}

static rc_status reduce_infer(const struct rci_infer *i)
{
    const struct rci_reduce_attrs *t = i->node->attrs;
    const struct rci_shape *s = &i->in[0].shape;
    struct rci_shape y = {0, {0}};
    uint32_t bits;
    RC_TRY(rci_op_check_type(i, 0, "data", RC_DT_F32));
    RC_TRY(reduce_bits(i->node, i->in, s->rank, &bits));
    for (uint32_t a = 0; a < s->rank; a++) {
        if (!(bits >> a & 1))
            y.dim[y.rank++] = s->dim[a];
        else if (s->dim[a] == 0)
            return rci_fail(RC_ERR_SHAPE, "node \"%s\": mean over axis %u of length 0",
                            i->node->name, a);
        else if (t->keepdims)
            y.dim[y.rank++] = 1;
    }
    i->out[0].dtype = RC_F32;
    i->out[0].shape = y;
    return RC_OK;
}

/* Shape of the result with the reduced axes kept as 1, and 1 / number of elements averaged. */
static rc_status reduce_plan(const struct rci_call *c, struct rci_shape *kept, double *factor)
{
    uint32_t bits;
    double count = 1;
    *kept = c->in[0].shape;
    RC_TRY(reduce_bits(c->node, c->in, kept->rank, &bits));
    for (uint32_t a = 0; a < kept->rank; a++)
        if (bits >> a & 1) {
            count *= (double) kept->dim[a];
            kept->dim[a] = 1;
        }
    *factor = 1 / count;
    return RC_OK;
}

static rc_status reduce_forward(const struct rci_call *c)
{
    struct rci_shape kept;
    double factor;
    RC_TRY(reduce_plan(c, &kept, &factor));
    rci_sum_to(c->in[0].data, &c->in[0].shape, c->out[0].data, &kept, factor);
    return RC_OK;
}

static rc_status reduce_backward(const struct rci_call *c)
{
    struct rci_shape kept;
    double factor;
    float *d = c->d_in[0].data;
    if (!d)
        return RC_OK;
    RC_TRY(reduce_plan(c, &kept, &factor));
    struct rci_strided s = {.rank = c->in[0].shape.rank};
    memcpy(s.dim, c->in[0].shape.dim, sizeof(s.dim));
    rci_shape_strides(&kept, &c->in[0].shape, s.from);
    rci_row_major(&c->in[0].shape, s.to);
    rci_strided_copy(&s, sizeof(float), c->d_out[0].data, d);
    const int64_t n = rci_shape_count(&c->in[0].shape);
    const float f = (float) factor;
#pragma omp parallel for simd schedule(static) if (n >= RC_PARALLEL_MIN)
    for (int64_t i = 0; i < n; i++)
        d[i] *= f;
    return RC_OK;
}

/* A mean over channels changes when channels go, so reduced axes stay whole. */
static void reduce_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *s = rci_links_shape(l, RC_IN(0, 0).operand);
    const bool keep = ((const struct rci_reduce_attrs *) n->attrs)->keepdims != 0;
    uint32_t bits, at = 0;
    if (!s || rci_op_has(n, 1) || reduce_bits(n, NULL, s->rank, &bits) != RC_OK)
        return;
    for (uint32_t a = 0; a < s->rank; a++) {
        if (!(bits >> a & 1))
            rci_link_same(l, RC_IN(0, a), RC_OUT(0, at++));
        else
            at += keep;
    }
}

static rc_status reduce_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_reduce_attrs *t = n->attrs;
    int64_t keepdims, noop = 0;
    RC_TRY(rci_attr_int(a, "keepdims", 1, &keepdims));
    if (rci_attrs_opset(a) >= 18)
        RC_TRY(rci_attr_int(a, "noop_with_empty_axes", 0, &noop));
    t->keepdims = keepdims != 0;
    t->noop = noop != 0;
    return rci_axes_read(a, 18, t->axes, &t->n);
}

static rc_status reduce_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                             const struct rci_tensor *alt, const int64_t batch[2])
{
    (void) alt;
    (void) batch;
    struct rci_reduce_attrs *t = n->attrs;
    return rci_axes_bind(g, n, known, t->axes, &t->n);
}

static rc_status reduce_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_reduce_attrs *t = n->attrs;
    RC_TRY(rci_put_int(w, "keepdims", t->keepdims));
    if (t->noop)
        RC_TRY(rci_put_int(w, "noop_with_empty_axes", 1));
    return rci_axes_write(w, 18, t->axes, t->n);
}

static struct rci_cost reduce_cost(const struct rci_node *n, const struct rci_tensor *in,
                                   const struct rci_tensor *out)
{
    (void) n;
    (void) out;
    return (struct rci_cost){0, (uint64_t) rci_shape_count(&in[0].shape)};
}

const struct rci_op rci_op_reducemean = {
    .name = "ReduceMean",
    RC_OP_ARITY(1, 2, 1, 1),
    .attr_size = sizeof(struct rci_reduce_attrs),
    .flags = RC_OP_SEPARATE,
    .sign = RC_SIGN_KEEPS,
    .infer = reduce_infer,
    .forward = reduce_forward,
    .backward = reduce_backward,
    .couple = reduce_couple,
    .read_attrs = reduce_read,
    .bind = reduce_bind,
    .write_attrs = reduce_write,
    .cost = reduce_cost,
};
