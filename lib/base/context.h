#ifndef RC_LIB_BASE_CONTEXT_H
#define RC_LIB_BASE_CONTEXT_H
/* The context and memory. Every block carries its context and size in a hidden
 * 64-byte header, so releasing needs only the pointer, the cap is exact, and
 * every block is 64-byte aligned (one cache line, one AVX-512 register). */
#include "base/error.h"
#include <stdatomic.h>

struct rc_context {
    uint64_t magic;
    rc_context_options o; /* defaults filled in */
    _Atomic uint64_t live, peak;
    struct rci_packed *packed;   /* constants that sessions share (exec/packed.c) */
    const struct rci_cpu *cpu;   /* this processor (kernel/cpu.h) */
    struct rci_choices *choices; /* implementations by measurement (kernel/choice/choice.h) */
};

bool rci_context_valid(const struct rc_context *c);
rc_status rci_context_new(struct rc_context **out, const rc_context_options *o);
void rci_context_free(struct rc_context *c);

/* Parts of one block start on cache lines of their own. */
static inline size_t rci_align_line(size_t bytes)
{
    return (bytes + 63) & ~(size_t) 63;
}

static inline size_t rci_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* NULL on failure, which rci_fail(RC_ERR_MEMORY) has already recorded. size 0 gives a valid block.
 */
void *rci_alloc(struct rc_context *c, size_t size);      /* not zeroed */
void *rci_alloc_zero(struct rc_context *c, size_t size); /* zeroed */
void *rci_alloc_array(struct rc_context *c, size_t count,
                      size_t size); /* zeroed, overflow checked */
void *rci_realloc_array(struct rc_context *c, void *p, size_t count,
                        size_t size); /* keeps contents */
void rci_release(void *p);            /* accepts NULL */
/* One more owner of a block, who releases it too; nobody may write to it then. Thread safe. */
void *rci_share(const void *p);
bool rci_is_shared(const void *p);
char *rci_strdup(struct rc_context *c, const char *s);
char *rci_format(struct rc_context *c, const char *fmt, ...) RC_PRINTF(2, 3);

#define RC_NEW(c, type) ((type *) rci_alloc_zero((c), sizeof(type)))

/* Grow `array` (of `count` used, `capacity` allocated elements) so that one more fits. */
rc_status rci_grow(struct rc_context *c, void *array_address, uint32_t count, uint32_t *capacity,
                   size_t element);

void rci_log(struct rc_context *c, rc_log_level level, const char *fmt, ...) RC_PRINTF(3, 4);

/* RC_ERR_CANCELLED when the caller's callback says stop. Ask between steps. */
rc_status rci_check_cancel(struct rc_context *c);

uint32_t rci_context_threads(const struct rc_context *c);

/* false on overflow */
static inline bool rci_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool rci_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
#endif
