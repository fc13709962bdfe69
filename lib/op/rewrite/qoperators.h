#ifndef RC_LIB_OP_REWRITE_QOPERATORS_H
#define RC_LIB_OP_REWRITE_QOPERATORS_H
/* The other way round than rewrite.h: DequantizeLinear, an operator on reals and QuantizeLinear
 * become one operator on integers (QLinearConv, QGemm, QLinearAdd ...), in a message to be written.
 */
#include "wire/onnx.h"

/* Nodes that no rule covers stay as they are. Nodes and initializers that nobody reads afterwards
 * are taken out of the lists. */
rc_status rci_qoperators_make(Onnx__GraphProto *g, struct rci_arena *a);
#endif
