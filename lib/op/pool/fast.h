#ifndef RC_LIB_OP_POOL_FAST_H
#define RC_LIB_OP_POOL_FAST_H
#include "kernel/prep.h"
#include "op/window.h"

/* AVERAGE divides by the elements inside the image, AVERAGE_PADDED by the whole window. */
enum rci_pool_kind { RC_POOL_MAX, RC_POOL_AVERAGE, RC_POOL_AVERAGE_PADDED };
/* Pooling by oneDNN, in whatever layout the input has. */
rc_status rci_pool_prepare(const struct rci_request *req, struct rci_prep *p,
                           const struct rci_window *w, enum rci_pool_kind kind);

/* The mean of whole planes by a loop of ours: where it can, and nothing is trained. */
bool rci_pool_whole_fits(const struct rci_request *req, const struct rci_window *w);
rc_status rci_pool_whole(const struct rci_request *req, struct rci_prep *p);
#endif
