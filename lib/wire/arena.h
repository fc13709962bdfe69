#ifndef RC_LIB_WIRE_ARENA_H
#define RC_LIB_WIRE_ARENA_H
/* Memory that is released all at once, for the many small pieces of a protobuf message. */
#include "base/context.h"

struct rci_arena_block;
struct rci_arena_large;
struct rci_arena {
    struct rc_context *ctx;
    struct rci_arena_block *blocks;
    struct rci_arena_large *first, *last; /* large pieces, in order of allocation */
    size_t left;         /* free bytes at the end of the newest block */
    uint64_t total, cap; /* bytes handed out; cap 0: none */
    rc_status status;    /* first failure, RC_OK before */
};

/* Aligned to 16, not zeroed; NULL (rci_fail done) when the cap or the context's memory is used up.
 */
void *rci_arena_alloc(struct rci_arena *a, size_t size);
/* zeroed, overflow checked */
void *rci_arena_array(struct rci_arena *a, size_t count, size_t size);
char *rci_arena_strdup(struct rci_arena *a, const char *s);
/* A piece large enough to have a block of its own becomes the caller's, to be released with
 * rci_release(); false: it has not. */
bool rci_arena_take(struct rci_arena *a, const void *p);
void rci_arena_free(struct rci_arena *a);
#endif
