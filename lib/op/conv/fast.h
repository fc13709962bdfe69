#ifndef RC_LIB_OP_CONV_FAST_H
#define RC_LIB_OP_CONV_FAST_H
#include "kernel/prep.h"
/* Convolution by oneDNN: post-ops fused, layouts chosen by the library, backward included. */
rc_status rci_conv_prepare(const struct rci_request *req, struct rci_prep *p);
#endif
