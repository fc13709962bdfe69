/* Mul: out = a * b with NumPy broadcasting (the gate of a squeeze-and-excitation block). */
#include "op/common.h"
#include "op/math/broadcast.h"
#include "op/math/gate_fast.h"

static rc_status mul_forward(const struct rci_call *c)
{
    return rci_arith_forward(c, RC_ARITH_MUL);
}

static rc_status mul_backward(const struct rci_call *c)
{
    return rci_arith_backward(c, RC_ARITH_MUL);
}

static bool mul_is_affine(const struct rc_graph *g, const struct rci_node *n)
{
    return rci_arith_is_affine(g, n, RC_ARITH_MUL);
}

static rc_status mul_as_affine(const struct rc_graph *g, const struct rci_node *n,
                               struct rci_affine *out)
{
    return rci_arith_as_affine(g, n, RC_ARITH_MUL, out);
}

const struct rci_op rci_op_mul = {
    .name = "Mul",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE,
    .infer = rci_arith_infer,
    .forward = mul_forward,
    .backward = mul_backward,
    .prepare = rci_gate_prepare,
    .couple = rci_arith_couple,
    .is_affine = mul_is_affine,
    .as_affine = mul_as_affine,
    .cost = rci_op_cost_elementwise,
};
