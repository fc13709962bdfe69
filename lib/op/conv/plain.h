#ifndef RC_LIB_OP_CONV_PLAIN_H
#define RC_LIB_OP_CONV_PLAIN_H
/* Convolution in plain C, row-major. */
#include "graph/graph.h"

rc_status rci_conv_forward_plain(const struct rci_call *c);
rc_status rci_conv_backward_plain(const struct rci_call *c);
#endif
