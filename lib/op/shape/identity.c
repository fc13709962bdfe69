/* Identity: y = x, any type. */
#include "op/common.h"

static rc_status identity_infer(const struct rci_infer *i)
{
    return rci_op_infer_same(i, RC_DT_ANY);
}

const struct rci_op rci_op_identity = {
    .name = "Identity",
    RC_OP_ARITY(1, 1, 1, 1),
    .flags = RC_OP_LAYOUT_FREE | RC_OP_VIEW | RC_OP_SEPARATE | RC_OP_POINTWISE,
    .quant = RC_QUANT_PASS,
    .infer = identity_infer,
    .forward = rci_op_forward_copy,
    .backward = rci_op_backward_copy,
    .couple = rci_op_couple_same,
};
