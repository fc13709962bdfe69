#ifndef RC_LIB_OP_BIAS_H
#define RC_LIB_OP_BIAS_H
#include "graph/graph.h"
/* Operand 2 of a weighted layer is there afterwards: a constant of `channels` zeros is added when
 * it was absent. */
rc_status rci_op_need_bias(struct rc_graph *g, struct rci_node *n, uint32_t channels);
#endif
