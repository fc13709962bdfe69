#ifndef RC_LIB_OP_NORM_FAST_H
#define RC_LIB_OP_NORM_FAST_H
#include "kernel/prep.h"
/* BatchNormalization by oneDNN, in whatever layout its input has; a ReLU behind it is fused. */
rc_status rc_norm_prepare(struct rc_prep *p);
#endif
