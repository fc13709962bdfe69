#ifndef RC_LIB_OP_MATH_GATE_FAST_H
#define RC_LIB_OP_MATH_GATE_FAST_H
#include "kernel/prep.h"
/* Mul of an image [N, C, H, W] by one number per channel ([N or 1, C, 1, 1], a
 * squeeze-and-excitation gate) in the layout in which the image arrives; RC_ERR_UNSUPPORTED for
 * everything else. */
rc_status rci_gate_prepare(const struct rci_request *req, struct rci_prep *p);
#endif
