/* Div: out = a / b with NumPy broadcasting. Integers divide towards zero; x/0 is 0. Not free of the
 * layout: padding would be 0/0. */
#include "op/common.h"
#include "op/math/broadcast.h"

static rc_status div_forward(const struct rci_call *c)
{
    return rci_arith_forward(c, RC_ARITH_DIV);
}

static rc_status div_backward(const struct rci_call *c)
{
    return rci_arith_backward(c, RC_ARITH_DIV);
}

static bool div_is_affine(const struct rc_graph *g, const struct rci_node *n)
{
    return rci_arith_is_affine(g, n, RC_ARITH_DIV);
}

static rc_status div_as_affine(const struct rc_graph *g, const struct rci_node *n,
                               struct rci_affine *out)
{
    return rci_arith_as_affine(g, n, RC_ARITH_DIV, out);
}

const struct rci_op rci_op_div = {
    .name = "Div",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RC_OP_SEPARATE,
    .infer = rci_arith_infer,
    .forward = div_forward,
    .backward = div_backward,
    .couple = rci_arith_couple,
    .is_affine = div_is_affine,
    .as_affine = div_as_affine,
    .cost = rci_op_cost_elementwise,
};
