/* Flatten: [d0 .. dr) -> [d0*..*d(axis-1), d(axis)*..]; the bytes stay. */
#include "op/attrs.h"
#include "op/common.h"

/* axis may equal the rank: everything moves to the first dimension */
static rc_status flatten_axis(const struct rci_node *n, uint32_t rank, uint32_t *out)
{
    const int64_t axis = ((const struct rci_axis_attrs *) n->attrs)->axis, r = rank;
    if (axis < -r || axis > r)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": axis is %lld, allowed %lld to %lld", n->name,
                        (long long) axis, (long long) -r, (long long) r);
    *out = (uint32_t) (axis < 0 ? axis + r : axis);
    return RC_OK;
}

static rc_status flatten_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT_ANY));
    const struct rci_shape *s = &i->in[0].shape;
    uint32_t axis = 0;
    RC_TRY(flatten_axis(i->node, s->rank, &axis));
    /* an empty side is 1, as ONNX has it for axis 0 and axis = rank */
    struct rci_shape y = {2, {1, 1}};
    for (uint32_t a = 0; a < s->rank; a++)
        y.dim[a >= axis] *= s->dim[a];
    i->out[0].shape = y;
    i->out[0].dtype = i->in[0].dtype;
    return RC_OK;
}

/* Of the axes that are merged only the outermost can lose indices: each of its indices is a run of
 * `inner` neighbours in the flat axis. The others would leave holes everywhere, so they stay. */
static void flatten_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *s = rci_links_shape(l, RC_IN(0, 0).operand);
    uint32_t axis = 0;
    if (!s || flatten_axis(n, s->rank, &axis) != RC_OK)
        return;
    for (uint32_t part = 0; part < 2; part++) {
        const uint32_t first = part ? axis : 0, last = part ? s->rank : axis;
        int64_t inner = 1;
        for (uint32_t a = first + 1; a < last; a++)
            inner *= s->dim[a];
        if (first < last)
            rci_link_repeat(l, RC_IN(0, first), RC_OUT(0, part), inner);
        for (uint32_t a = first + 1; a < last; a++)
            rci_link_fixed(l, RC_IN(0, a));
    }
}

static rc_status flatten_read(struct rci_node *n, const struct rci_attrs *a)
{
    return rci_attr_int(a, "axis", 1, &((struct rci_axis_attrs *) n->attrs)->axis);
}

static rc_status flatten_write(const struct rci_node *n, struct rci_attr_write *w)
{
    return rci_put_int(w, "axis", ((const struct rci_axis_attrs *) n->attrs)->axis);
}

const struct rci_op rci_op_flatten = {
    .name = "Flatten",
    RC_OP_ARITY(1, 1, 1, 1),
    .attr_size = sizeof(struct rci_axis_attrs),
    .flags = RC_OP_VIEW | RC_OP_SEPARATE,
    .quant = RC_QUANT_PASS,
    .infer = flatten_infer,
    .forward = rci_op_forward_copy,
    .backward = rci_op_backward_copy,
    .couple = flatten_couple,
    .read_attrs = flatten_read,
    .write_attrs = flatten_write,
};
