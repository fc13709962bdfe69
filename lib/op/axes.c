/* Operators with a list of axes that was an attribute first and became operand 1 later. */
#include "op/axes.h"

rc_status rc_axes_read(const struct rc_attrs *a, int64_t operand_since, int64_t *axes, int32_t *n)
{
    *n = 0;
    if (rc_attrs_opset(a) >= operand_since)
        return RC_OK;
    RC_TRY(rc_attr_ints(a, "axes", axes, RC_MAX_DIMS, n));
    if (*n < 0)
        *n = 0;
    return RC_OK;
}

rc_status rc_axes_bind(struct rc_graph *g, struct rc_node *n, const struct rc_tensor *known,
                       int64_t *axes, int32_t *count)
{
    if (!rc_op_has(n, 1) || !known[1].data)
        return RC_OK;
    RC_TRY(rc_op_ints(n, "axes", &known[1], axes, RC_MAX_DIMS, count));
    rc_op_drop_from(g, n, 1);
    return RC_OK;
}

rc_status rc_axes_write(struct rc_attr_write *w, int64_t operand_since, const int64_t *axes,
                        int32_t n)
{
    if (n == 0)
        return RC_OK;
    if (rc_attr_write_opset(w) >= operand_since)
        return rc_op_put_i64(w, 1, "axes", axes, n);
    return rc_put_ints(w, "axes", axes, (uint32_t) n);
}

rc_status rc_axes_get(const struct rc_node *n, const struct rc_tensor *in, int64_t *axes,
                      int32_t *count)
{
    return rc_op_has(n, 1) ? rc_op_ints(n, "axes", &in[1], axes, RC_MAX_DIMS, count) : RC_OK;
}
