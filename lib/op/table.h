#ifndef RC_LIB_OP_TABLE_H
#define RC_LIB_OP_TABLE_H
#include "graph/op.h"
/* rci_op_find() is declared in graph/op.h. For listings (docs, doctor, tests): */
uint32_t rci_op_count(void);
const struct rci_op *rci_op_at(uint32_t i);
#endif
