#ifndef RC_LIB_OP_POOL_FAST_H
#define RC_LIB_OP_POOL_FAST_H
#include "kernel/prep.h"
#include "op/window.h"

enum rc_pool_kind { RC_POOL_MAX, RC_POOL_AVERAGE, RC_POOL_AVERAGE_PADDED };
/* Pooling by oneDNN, in whatever layout the input has. */
rc_status rc_pool_prepare(struct rc_prep *p, const struct rc_window *w, enum rc_pool_kind kind);
#endif
