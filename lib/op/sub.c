/* Sub: out = a - b with NumPy broadcasting. */
#include "op/broadcast.h"
#include "op/common.h"

static rc_status sub_forward(const struct rc_call *c)
{
    return rc_arith_forward(c, RC_ARITH_SUB);
}

static rc_status sub_backward(const struct rc_call *c)
{
    return rc_arith_backward(c, RC_ARITH_SUB);
}

static bool sub_is_affine(const struct rc_graph *g, const struct rc_node *n)
{
    return rc_arith_is_affine(g, n, RC_ARITH_SUB);
}

static rc_status sub_as_affine(const struct rc_graph *g, const struct rc_node *n,
                               struct rc_affine *out)
{
    return rc_arith_as_affine(g, n, RC_ARITH_SUB, out);
}

const struct rc_op rc_op_sub = {
    .name = "Sub",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE,
    .infer = rc_arith_infer,
    .forward = sub_forward,
    .backward = sub_backward,
    .couple = rc_arith_couple,
    .is_affine = sub_is_affine,
    .as_affine = sub_as_affine,
    .cost = rc_op_cost_elementwise,
};
