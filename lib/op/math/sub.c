/* Sub: out = a - b with NumPy broadcasting. */
#include "op/common.h"
#include "op/math/broadcast.h"

static rc_status sub_forward(const struct rci_call *c)
{
    return rci_arith_forward(c, RC_ARITH_SUB);
}

static rc_status sub_backward(const struct rci_call *c)
{
    return rci_arith_backward(c, RC_ARITH_SUB);
}

static bool sub_is_affine(const struct rc_graph *g, const struct rci_node *n)
{
    return rci_arith_is_affine(g, n, RC_ARITH_SUB);
}

static rc_status sub_as_affine(const struct rc_graph *g, const struct rci_node *n,
                               struct rci_affine *out)
{
    return rci_arith_as_affine(g, n, RC_ARITH_SUB, out);
}

const struct rci_op rci_op_sub = {
    .name = "Sub",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE,
    .infer = rci_arith_infer,
    .forward = sub_forward,
    .backward = sub_backward,
    .couple = rci_arith_couple,
    .is_affine = sub_is_affine,
    .as_affine = sub_as_affine,
    .cost = rci_op_cost_elementwise,
};
