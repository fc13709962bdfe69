/* Expand: the input repeated along axes of length 1 to the broadcast of its shape and the given
 * one. */
#include "op/attrs.h"
#include "op/common.h"
#include "op/math/broadcast.h"
#include "op/shape/strided.h"

#include <string.h>

/* Broadcasting goes both ways in ONNX: a length of 1 in the shape keeps the input's, and the result
 * may have more axes than either. */
static rc_status expand_shape(const struct rci_node *n, const struct rci_tensor *shape,
                              const struct rci_shape *x, struct rci_shape *y)
{
    struct rci_expand_attrs t = *(const struct rci_expand_attrs *) n->attrs;
    char a[RC_SHAPE_TEXT], b[RC_SHAPE_TEXT];
    if (!t.bound)
        RC_TRY(rci_op_ints(n, "shape", shape, t.dims, RC_MAX_DIMS, &t.rank));
    struct rci_shape to = {(uint32_t) t.rank, {0}};
    memcpy(to.dim, t.dims, sizeof(to.dim));
    for (int32_t k = 0; k < t.rank; k++)
        if (t.dims[k] < 0)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": shape entry %d is %lld, allowed from 0",
                            n->name, k, (long long) t.dims[k]);
    if (!rci_shape_broadcast(x, &to, y))
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": %s does not expand to %s", n->name,
                        rci_shape_text(x, a), rci_shape_text(&to, b));
    return rci_op_check_count(n, y);
}

static rc_status expand_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT_ANY));
    if (!((const struct rci_expand_attrs *) i->node->attrs)->bound)
        RC_TRY(rci_op_check_type(i, 1, "shape", RC_DT_INDEX));
    i->out[0].dtype = i->in[0].dtype;
    return expand_shape(i->node, &i->in[1], &i->in[0].shape, &i->out[0].shape);
}

static rc_status expand_forward(const struct rci_call *c)
{
    struct rci_strided s = {.rank = c->out[0].shape.rank};
    memcpy(s.dim, c->out[0].shape.dim, sizeof(s.dim));
    rci_shape_strides(&c->in[0].shape, &c->out[0].shape, s.from);
    rci_row_major(&c->out[0].shape, s.to);
    rci_strided_copy(&s, rci_dtype_size(c->in[0].dtype), c->in[0].data, c->out[0].data);
    return RC_OK;
}

static rc_status expand_backward(const struct rci_call *c)
{
    if (c->d_in[0].data)
        rci_sum_to(c->d_out[0].data, &c->out[0].shape, c->d_in[0].data, &c->in[0].shape, 1);
    return RC_OK;
}

/* Axes correspond from the back; one that is repeated (1 -> n) has channels of its own. */
static void expand_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    const struct rci_shape *y = rci_links_shape(l, RC_OUT(0, 0).operand);
    (void) n;
    for (uint32_t a = 0; x && y && a < x->rank; a++) {
        const uint32_t ya = a + y->rank - x->rank;
        if (x->dim[a] == y->dim[ya])
            rci_link_same(l, RC_IN(0, a), RC_OUT(0, ya));
    }
}

/* A literal that was a channel count follows it; 1 means "as the input" and stays. */
static rc_status expand_resized(struct rc_graph *g, struct rci_node *n, const struct rci_links *l)
{
    (void) g;
    struct rci_expand_attrs *t = n->attrs;
    const uint32_t rank = rci_links_shape(l, RC_OUT(0, 0).operand)->rank;
    for (int32_t k = 0; k < t->rank; k++) {
        uint32_t count;
        if (rci_links_kept(l, RC_OUT(0, (uint32_t) k + rank - (uint32_t) t->rank), &count) &&
            t->dims[k] > 1)
            t->dims[k] = count;
    }
    return RC_OK;
}

/* An element that follows the batch becomes 1, which leaves the input's own batch as it is. */
static rc_status expand_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                             const struct rci_tensor *alt, const int64_t batch[2])
{
    struct rci_expand_attrs *t = n->attrs;
    int64_t second[RC_MAX_DIMS];
    int32_t count;
    if (t->bound || !rci_op_has(n, 1) || !known[1].data)
        return RC_OK;
    RC_TRY(rci_op_ints(n, "shape", &known[1], t->dims, RC_MAX_DIMS, &t->rank));
    RC_TRY(rci_op_ints(n, "shape", alt && alt[1].data ? &alt[1] : &known[1], second, RC_MAX_DIMS,
                       &count));
    for (int32_t k = 0; k < t->rank && k < count; k++) {
        if (t->dims[k] == second[k])
            continue;
        const struct rci_shape *x = &known[0].shape; /* also where no value is known */
        if (k + (int64_t) x->rank != t->rank || x->dim[0] != batch[0] || t->dims[k] != batch[0])
            return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": expands a constant to the batch",
                            n->name);
        t->dims[k] = 1;
    }
    t->bound = 1;
    rci_op_drop_from(g, n, 1);
    return RC_OK;
}

static rc_status expand_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_expand_attrs *t = n->attrs;
    return t->bound ? rci_op_put_i64(w, 1, "shape", t->dims, t->rank) : RC_OK;
}

const struct rci_op rci_op_expand = {
    .name = "Expand",
    RC_OP_ARITY(1, 2, 1, 1),
    .since = 8,
    .attr_size = sizeof(struct rci_expand_attrs),
    .flags = RC_OP_REPEATS,
    .infer = expand_infer,
    .forward = expand_forward,
    .backward = expand_backward,
    .couple = expand_couple,
    .resized = expand_resized,
    .bind = expand_bind,
    .write_attrs = expand_write,
    .cost = rci_op_cost_elementwise,
};
