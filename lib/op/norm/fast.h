#ifndef RC_LIB_OP_NORM_FAST_H
#define RC_LIB_OP_NORM_FAST_H
#include "kernel/prep.h"
/* BatchNormalization in plain and channel-blocked layouts; a ReLU behind it is fused. Ours, because
 * oneDNN computes in float throughout, which makes gradients wrong in the fourth digit. */
rc_status rci_norm_prepare(struct rci_prep *p);
/* The same on images that arrive in bf16. */
rc_status rci_norm_bf16_prepare(struct rci_prep *p);
#endif
