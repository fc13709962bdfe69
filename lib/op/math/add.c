/* Add: out = a + b with NumPy broadcasting; the residual join of a ResNet block. */
#include "op/common.h"
#include "op/math/broadcast.h"

static rc_status add_forward(const struct rci_call *c)
{
    return rci_arith_forward(c, RC_ARITH_ADD);
}

static rc_status add_backward(const struct rci_call *c)
{
    return rci_arith_backward(c, RC_ARITH_ADD);
}

static bool add_is_affine(const struct rc_graph *g, const struct rci_node *n)
{
    return rci_arith_is_affine(g, n, RC_ARITH_ADD);
}

static rc_status add_as_affine(const struct rc_graph *g, const struct rci_node *n,
                               struct rci_affine *out)
{
    return rci_arith_as_affine(g, n, RC_ARITH_ADD, out);
}

const struct rci_op rci_op_add = {
    .name = "Add",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE,
    .quant = RC_QUANT_REQUANT,
    .infer = rci_arith_infer,
    .forward = add_forward,
    .backward = add_backward,
    .couple = rci_arith_couple,
    .is_affine = add_is_affine,
    .as_affine = add_as_affine,
    .cost = rci_op_cost_elementwise,
};
