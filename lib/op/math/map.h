#ifndef RC_LIB_OP_MATH_MAP_H
#define RC_LIB_OP_MATH_MAP_H
/* Element-by-element operators: the range loop and the slots they share. */
#include "op/common.h"

/* Calls fn(c, from, to) over pieces of in[0]'s elements, on several threads when there are many. */
typedef void rci_map_fn(const struct rci_call *c, int64_t from, int64_t to);
rc_status rci_map_run(const struct rci_call *c, rci_map_fn *fn);
rc_status rci_map_infer_f32(const struct rci_infer *i);
#endif
