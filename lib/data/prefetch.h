#ifndef RC_LIB_DATA_PREFETCH_H
#define RC_LIB_DATA_PREFETCH_H
/* One thread that prepares one batch ahead, into a buffer of its own. */
#include "data/deliver.h"

struct rci_order {
    uint32_t *image;
    uint64_t epoch;
    bool valid;
};

struct rci_prefetch;
rc_status rci_prefetch_new(struct rci_prefetch **out, const struct rc_dataset *d, uint32_t batch,
                           bool mixes);
void rci_prefetch_free(struct rci_prefetch *p); /* accepts NULL */

/* The thread is idle afterwards. `*served` when it had prepared this batch: then the result is
 * copied, or its failure handed on. */
rc_status rci_prefetch_take(struct rci_prefetch *p, uint64_t index, const struct rci_delivery *to,
                            bool *served);
/* Begin with `job` (x, y, id and target are the buffer's); the thread must be idle. */
void rci_prefetch_start(struct rci_prefetch *p, const struct rci_delivery *job, uint64_t index,
                        bool mixed);
#endif
