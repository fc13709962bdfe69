#ifndef RC_LIB_OP_CONV_FAST_H
#define RC_LIB_OP_CONV_FAST_H
#include "kernel/prep.h"
/* Convolution by oneDNN: post-ops fused, layouts chosen by the library, backward included. */
rc_status rc_conv_prepare(struct rc_prep *p);
#endif
