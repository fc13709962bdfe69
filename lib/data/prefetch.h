#ifndef RC_LIB_DATA_PREFETCH_H
#define RC_LIB_DATA_PREFETCH_H
/* One thread that prepares one batch ahead, into a buffer of its own. */
#include "data/deliver.h"

struct rc_order {
    uint32_t *image;
    uint64_t epoch;
    bool valid;
};

struct rc_prefetch;
rc_status rc_prefetch_create(struct rc_prefetch **out, const struct rc_dataset *d, uint32_t batch);
void rc_prefetch_destroy(struct rc_prefetch *p); /* accepts NULL */

/* The thread is idle afterwards. `*served` when it had prepared this batch: then the result is
 * copied, or its failure handed on. */
rc_status rc_prefetch_take(struct rc_prefetch *p, uint64_t index, const struct rc_delivery *to,
                           bool *served);
/* Begin with `job` (x, y and id are the buffer's); the thread must be idle. */
void rc_prefetch_start(struct rc_prefetch *p, const struct rc_delivery *job, uint64_t index);
#endif
