#ifndef RC_LIB_OP_MAP_H
#define RC_LIB_OP_MAP_H
/* Element-by-element operators: the range loop and the slots they share. */
#include "op/common.h"

/* Calls fn(c, from, to) over pieces of in[0]'s elements, on several threads when there are many. */
typedef void rc_map_fn(const struct rc_call *c, int64_t from, int64_t to);
rc_status rc_map_run(const struct rc_call *c, rc_map_fn *fn);
rc_status rc_map_infer_f32(const struct rc_infer *i);
#endif
