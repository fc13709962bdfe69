/* Operators with a list of axes that was an attribute first and became operand 1 later. */
#include "op/shape/axes.h"

rc_status rci_axes_read(const struct rci_attrs *a, int64_t operand_since, int64_t *axes, int32_t *n)
{
    *n = 0;
    /* the operand is read by rci_axes_bind() */
    if (rci_attrs_opset(a) >= operand_since)
        return RC_OK;
    RC_TRY(rci_attr_ints(a, "axes", axes, RC_MAX_DIMS, n));
    if (*n < 0)
        *n = 0;
    return RC_OK;
}

/* An unknown operand stays where it is, and infer asks for it each time. */
rc_status rci_axes_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                        int64_t *axes, int32_t *count)
{
    if (!rci_op_has(n, 1) || !known[1].data)
        return RC_OK;
    RC_TRY(rci_op_ints(n, "axes", &known[1], axes, RC_MAX_DIMS, count));
    rci_op_drop_from(g, n, 1);
    return RC_OK;
}

/* An operand that was never bound is still in n->in, so an empty list writes nothing. */
rc_status rci_axes_write(struct rci_attr_write *w, int64_t operand_since, const int64_t *axes,
                         int32_t n)
{
    if (n == 0)
        return RC_OK;
    if (rci_attr_write_opset(w) >= operand_since)
        return rci_op_put_i64(w, 1, "axes", axes, n);
    return rci_put_ints(w, "axes", axes, (uint32_t) n);
}

rc_status rci_axes_get(const struct rci_node *n, const struct rci_tensor *in, int64_t *axes,
                       int32_t *count)
{
    return rci_op_has(n, 1) ? rci_op_ints(n, "axes", &in[1], axes, RC_MAX_DIMS, count) : RC_OK;
}

enum { AXES_OPERAND_SINCE = 13 }; /* opset of Squeeze and Unsqueeze */

rc_status rci_axes_read_attrs(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_axes_attrs *t = n->attrs;
    return rci_axes_read(a, AXES_OPERAND_SINCE, t->axes, &t->n);
}

rc_status rci_axes_write_attrs(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_axes_attrs *t = n->attrs;
    return rci_axes_write(w, AXES_OPERAND_SINCE, t->axes, t->n);
}
