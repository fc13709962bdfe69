#ifndef RC_LIB_WIRE_ARENA_H
#define RC_LIB_WIRE_ARENA_H
/* Memory that is released all at once, for the many small pieces of a protobuf message. */
#include "base/context.h"

struct rc_arena_block;
struct rc_arena_large;
struct rc_arena {
    struct rc_context *ctx;
    struct rc_arena_block *blocks;
    struct rc_arena_large *first, *last; /* large pieces, in order of allocation */
    size_t left;         /* free bytes at the end of the newest block */
    uint64_t total, cap; /* bytes handed out; cap 0: none */
    rc_status status;    /* first failure, RC_OK before */
};

/* Aligned to 16, not zeroed; NULL (rc_fail done) when the cap or the context's memory is used up.
 */
void *rc_arena_alloc(struct rc_arena *a, size_t size);
void *rc_arena_array(struct rc_arena *a, size_t count, size_t size); /* zeroed, overflow checked */
char *rc_arena_strdup(struct rc_arena *a, const char *s);
/* A piece large enough to have a block of its own becomes the caller's, to be released with
 * rc_release(); false: it has not. */
bool rc_arena_take(struct rc_arena *a, const void *p);
void rc_arena_free(struct rc_arena *a);
#endif
