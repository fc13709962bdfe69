#ifndef RC_LIB_OP_TABLE_H
#define RC_LIB_OP_TABLE_H
#include "graph/op.h"
/* rc_op_find() is declared in graph/op.h. For listings (docs, doctor, tests): */
uint32_t rc_op_count(void);
const struct rc_op *rc_op_at(uint32_t i);
#endif
