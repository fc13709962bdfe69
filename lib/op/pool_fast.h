#ifndef RC_LIB_OP_POOL_FAST_H
#define RC_LIB_OP_POOL_FAST_H
#include "kernel/prep.h"
#include "op/window.h"

enum rc_pool_kind { RC_POOL_MAX, RC_POOL_AVERAGE, RC_POOL_AVERAGE_PADDED };
/* Pooling by oneDNN, in whatever layout the input has. */
rc_status rc_pool_prepare(struct rc_prep *p, const struct rc_window *w, enum rc_pool_kind kind);

/* The mean of whole planes by a loop of ours: where it can, and nothing is trained. */
bool rc_pool_whole_fits(const struct rc_prep *p, const struct rc_window *w);
rc_status rc_pool_whole(struct rc_prep *p);
#endif
