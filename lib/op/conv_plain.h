#ifndef RC_LIB_OP_CONV_PLAIN_H
#define RC_LIB_OP_CONV_PLAIN_H
/* Convolution in plain C, row-major. */
#include "graph/graph.h"

rc_status rc_conv_forward_plain(const struct rc_call *c);
rc_status rc_conv_backward_plain(const struct rc_call *c);
#endif
