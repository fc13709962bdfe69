/* Add, Sub, Mul, Div: out = a (+ - * /) b with NumPy broadcasting. They differ in the formula alone
 * (`variant`); Add is also the residual join of a ResNet block and Mul the gate of a
 * squeeze-and-excitation block. */
#include "op/common.h"
#include "op/math/broadcast.h"
#include "op/math/gate_fast.h"

/* Slots of all four; flags and signs are each operator's own. */
#define ARITH(kind)                                                                        \
    RC_OP_ARITY(2, 2, 1, 1), .variant = (kind), .infer = rci_arith_infer,                  \
                             .forward = rci_arith_forward, .backward = rci_arith_backward, \
                             .couple = rci_arith_couple, .is_affine = rci_arith_is_affine, \
                             .as_affine = rci_arith_as_affine, .cost = rci_op_cost_elementwise

const struct rci_op rci_op_add = {
    .name = "Add",
    ARITH(RC_ARITH_ADD),
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_SUM | RC_OP_POINTWISE,
    .quant = RC_QUANT_REQUANT,
    .sign = RC_SIGN_KEEPS,
};

const struct rci_op rci_op_sub = {
    .name = "Sub",
    ARITH(RC_ARITH_SUB),
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_POINTWISE,
};

const struct rci_op rci_op_mul = {
    .name = "Mul",
    ARITH(RC_ARITH_MUL),
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_POINTWISE,
    .sign = RC_SIGN_KEEPS,
    .prepare = rci_gate_prepare,
};

/* Integers divide towards zero; x/0 is 0. Not free of the layout: padding would be 0/0. */
const struct rci_op rci_op_div = {
    .name = "Div",
    ARITH(RC_ARITH_DIV),
    .flags = RC_OP_SEPARATE | RC_OP_POINTWISE,
    .sign = RC_SIGN_KEEPS,
};
