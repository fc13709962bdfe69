#ifndef RC_LIB_KERNEL_SYNC_H
#define RC_LIB_KERNEL_SYNC_H
/* Values of all ranks (processes of one data-parallel run), through a hook that only sums floats:
 * every rank fills its own part of an array of zeros, so the sum is exact and has the same bytes
 * everywhere whatever order the hook adds in. */
#include "base/error.h"

struct rci_sync {
    rc_status (*all_reduce)(void *user, float *data, size_t n); /* NULL: one process */
    void *user;
    uint32_t ranks, rank;
};

/* Bytes that a gathering of n values needs. */
size_t rci_sync_room(const struct rci_sync *s, size_t n);
/* (*all)[r * n + i]: value i of rank r, to 2^-48 of its size; inside `room`, aligned to 8. */
rc_status rci_sync_gather(const struct rci_sync *s, const double *own, size_t n, void *room,
                          const double **all);
#endif
