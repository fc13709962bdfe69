/* Shape: the dimensions [start, end) of the input as i64 (start and end since opset 15). */
#include "op/attrs.h"
#include "op/common.h"

/* ONNX clamps start and end to [0, rank] instead of refusing them. */
static int64_t clamp_axis(int64_t a, int64_t rank)
{
    if (a < 0)
        a += rank;
    return a < 0 ? 0 : a > rank ? rank : a;
}

static void shape_range(const struct rci_node *n, uint32_t rank, int64_t *from, int64_t *to)
{
    const struct rci_shape_attrs *a = n->attrs;
    *from = clamp_axis(a->start, rank);
    *to = a->has_end ? clamp_axis(a->end, rank) : rank;
}

static rc_status shape_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT_ANY));
    int64_t from, to;
    shape_range(i->node, i->in[0].shape.rank, &from, &to);
    i->out[0].dtype = RC_I64;
    i->out[0].shape = (struct rci_shape){1, {to > from ? to - from : 0}};
    return RC_OK;
}

static rc_status shape_forward(const struct rci_call *c)
{
    int64_t from, to, *y = c->out[0].data;
    shape_range(c->node, c->in[0].shape.rank, &from, &to);
    for (int64_t a = from; a < to; a++)
        y[a - from] = c->in[0].shape.dim[a];
    return RC_OK;
}

static rc_status shape_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_shape_attrs *t = n->attrs;
    if (rci_attrs_opset(a) < 15)
        return RC_OK;
    t->has_end = rci_attrs_has(a, "end");
    RC_TRY(rci_attr_int(a, "start", 0, &t->start));
    return rci_attr_int(a, "end", 0, &t->end);
}

static rc_status shape_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_shape_attrs *t = n->attrs;
    if (t->start || t->has_end)
        RC_TRY(rci_attr_write_since(w, 15, "start"));
    if (t->start)
        RC_TRY(rci_put_int(w, "start", t->start));
    return t->has_end ? rci_put_int(w, "end", t->end) : RC_OK;
}

const struct rci_op rci_op_shape = {
    .name = "Shape",
    RC_OP_ARITY(1, 1, 1, 1),
    .attr_size = sizeof(struct rci_shape_attrs),
    .flags = RC_OP_SHAPE_ONLY,
    .infer = shape_infer,
    .forward = shape_forward,
    .read_attrs = shape_read,
    .write_attrs = shape_write,
};
