/* Mul: out = a * b with NumPy broadcasting (the gate of a squeeze-and-excitation block). */
#include "op/broadcast.h"
#include "op/common.h"
#include "op/gate_fast.h"

static rc_status mul_forward(const struct rc_call *c)
{
    return rc_arith_forward(c, RC_ARITH_MUL);
}

static rc_status mul_backward(const struct rc_call *c)
{
    return rc_arith_backward(c, RC_ARITH_MUL);
}

static bool mul_is_affine(const struct rc_graph *g, const struct rc_node *n)
{
    return rc_arith_is_affine(g, n, RC_ARITH_MUL);
}

static rc_status mul_as_affine(const struct rc_graph *g, const struct rc_node *n,
                               struct rc_affine *out)
{
    return rc_arith_as_affine(g, n, RC_ARITH_MUL, out);
}

const struct rc_op rc_op_mul = {
    .name = "Mul",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE,
    .infer = rc_arith_infer,
    .forward = mul_forward,
    .backward = mul_backward,
    .prepare = rc_gate_prepare,
    .couple = rc_arith_couple,
    .is_affine = mul_is_affine,
    .as_affine = mul_as_affine,
    .cost = rc_op_cost_elementwise,
};
