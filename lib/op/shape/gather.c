/* Gather: rows of `data` along one axis, picked by an index tensor of any shape. */
#include "op/attrs.h"
#include "op/common.h"

#include <string.h>

static rc_status gather_axis(const struct rci_node *n, uint32_t rank, uint32_t *axis)
{
    return rci_op_axis(n, ((const struct rci_axis_attrs *) n->attrs)->axis, rank, axis);
}

static int64_t index_at(const struct rci_tensor *t, int64_t i)
{
    return t->dtype == RC_I64 ? ((const int64_t *) t->data)[i] : ((const int32_t *) t->data)[i];
}

/* Negative indices count from the end (opset 11; older files that have them mean the same). */
static rc_status gather_check(const struct rci_node *n, const struct rci_tensor *index,
                              int64_t rows)
{
    for (int64_t i = 0, count = rci_shape_count(&index->shape); i < count; i++) {
        const int64_t k = index_at(index, i);
        if (k < -rows || k >= rows)
            return rci_fail(RC_ERR_SHAPE, "node \"%s\": index %lld, allowed %lld to %lld", n->name,
                            (long long) k, (long long) -rows, (long long) rows - 1);
    }
    return RC_OK;
}

static rc_status gather_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_check_type(i, 0, "data", RC_DT_ANY));
    RC_TRY(rci_op_check_type(i, 1, "indices", RC_DT_INDEX));
    const struct rci_shape *x = &i->in[0].shape, *q = &i->in[1].shape;
    struct rci_shape y = {0, {0}};
    uint32_t axis;
    RC_TRY(gather_axis(i->node, x->rank, &axis));
    if (x->rank - 1 + q->rank > RC_MAX_DIMS)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": rank of the result is %u, at most %d",
                        i->node->name, x->rank - 1 + q->rank, RC_MAX_DIMS);
    /* known indices are refused before anything runs; others at every run */
    if (i->in[1].data)
        RC_TRY(gather_check(i->node, &i->in[1], x->dim[axis]));
    for (uint32_t a = 0; a < x->rank; a++) {
        if (a != axis)
            y.dim[y.rank++] = x->dim[a];
        for (uint32_t b = 0; a == axis && b < q->rank; b++)
            y.dim[y.rank++] = q->dim[b];
    }
    i->out[0].dtype = i->in[0].dtype;
    i->out[0].shape = y;
    return rci_op_check_count(i->node, &y);
}

/* data as [outer][rows][inner], of which each index picks one row. */
struct gather_plan {
    int64_t outer, rows, inner, picks;
};

static rc_status gather_plan(const struct rci_call *c, struct gather_plan *p)
{
    const struct rci_shape *x = &c->in[0].shape;
    uint32_t axis;
    RC_TRY(gather_axis(c->node, x->rank, &axis));
    *p = (struct gather_plan){1, x->dim[axis], 1, rci_shape_count(&c->in[1].shape)};
    for (uint32_t a = 0; a < x->rank; a++)
        *(a < axis ? &p->outer : &p->inner) *= a == axis ? 1 : x->dim[a];
    return gather_check(c->node, &c->in[1], p->rows);
}

static rc_status gather_forward(const struct rci_call *c)
{
    struct gather_plan p;
    RC_TRY(gather_plan(c, &p));
    const size_t bytes = (size_t) p.inner * rci_dtype_size(c->in[0].dtype);
    const char *x = c->in[0].data;
    char *y = c->out[0].data;
    for (int64_t o = 0; o < p.outer; o++)
        for (int64_t k = 0; k < p.picks; k++) {
            const int64_t at = index_at(&c->in[1], k);
            const int64_t row = o * p.rows + (at < 0 ? at + p.rows : at);
            memcpy(y + (size_t) (o * p.picks + k) * bytes, x + (size_t) row * bytes, bytes);
        }
    return RC_OK;
}

/* A row that was picked several times receives the sum. */
static rc_status gather_backward(const struct rci_call *c)
{
    struct gather_plan p;
    float *d = c->d_in[0].data;
    const float *g = c->d_out[0].data;
    /* indices have no gradient; the tape still wants zeros */
    if (c->d_in[1].data)
        memset(c->d_in[1].data, 0, (size_t) rci_shape_count(&c->in[1].shape) * sizeof(float));
    if (!d)
        return RC_OK;
    RC_TRY(gather_plan(c, &p));
    memset(d, 0, (size_t) rci_shape_count(&c->in[0].shape) * sizeof(float));
    for (int64_t o = 0; o < p.outer; o++)
        for (int64_t k = 0; k < p.picks; k++) {
            const int64_t at = index_at(&c->in[1], k);
            const int64_t row = o * p.rows + (at < 0 ? at + p.rows : at);
            for (int64_t i = 0; i < p.inner; i++)
                d[row * p.inner + i] += g[(o * p.picks + k) * p.inner + i];
        }
    return RC_OK;
}

/* The indices name rows of the axis, so that axis stays whole. */
static void gather_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    const struct rci_shape *q = rci_links_shape(l, RC_IN(1, 0).operand);
    uint32_t axis;
    if (!x || !q || gather_axis(n, x->rank, &axis) != RC_OK)
        return;
    for (uint32_t a = 0; a < x->rank; a++)
        if (a != axis)
            rci_link_same(l, RC_IN(0, a), RC_OUT(0, a < axis ? a : a + q->rank - 1));
}

static rc_status gather_read(struct rci_node *n, const struct rci_attrs *a)
{
    return rci_attr_int(a, "axis", 0, &((struct rci_axis_attrs *) n->attrs)->axis);
}

static rc_status gather_write(const struct rci_node *n, struct rci_attr_write *w)
{
    return rci_put_int(w, "axis", ((const struct rci_axis_attrs *) n->attrs)->axis);
}

const struct rci_op rci_op_gather = {
    .name = "Gather",
    RC_OP_ARITY(2, 2, 1, 1),
    .attr_size = sizeof(struct rci_axis_attrs),
    .infer = gather_infer,
    .forward = gather_forward,
    .backward = gather_backward,
    .couple = gather_couple,
    .read_attrs = gather_read,
    .write_attrs = gather_write,
    .cost = rci_op_cost_elementwise,
};
