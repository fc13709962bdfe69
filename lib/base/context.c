/* Memory: [64-byte header: context, size][block]. The header makes the cap exact and lets
 * rci_release() take only the pointer. */
#include "base/context.h"

#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };
#define CONTEXT_MAGIC UINT64_C(0x7263636f6e746578) /* "rccontex" */

struct header {
    struct rc_context *ctx;
    size_t size;
    _Atomic uint32_t owners;
};
_Static_assert(sizeof(struct header) <= ALIGNMENT, "the header fits before the block");

static struct header *header_of(const void *p)
{
    return (struct header *) (uintptr_t) ((const char *) p - ALIGNMENT);
}

static void *default_allocate(void *user, size_t size, size_t alignment)
{
    (void) user;
    void *p = NULL;
    const bool large = size >= HUGE_PAGE;
    if (posix_memalign(&p, large ? HUGE_PAGE : alignment, size))
        return NULL;
#if defined(MADV_HUGEPAGE)
    if (large) /* a hint: 512 times fewer page faults; refusing it does no harm */
        (void) madvise(p, size / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return p;
}

static void default_release(void *user, void *memory)
{
    (void) user;
    free(memory);
}

bool rci_context_valid(const struct rc_context *c)
{
    return c && c->magic == CONTEXT_MAGIC;
}

static rc_status context_options_read(rc_context_options *o)
{
    if (!o->allocate != !o->release)
        return rci_fail(RC_ERR_ARG, "allocate and release must be set both or not at all");
    if (!o->allocate) {
        o->allocate = default_allocate;
        o->release = default_release;
    }
    if (o->threads > 1024)
        return rci_fail(RC_ERR_ARG, "threads is %llu, allowed is 1..1024, or 0 for all",
                        (unsigned long long) o->threads);
    if (!o->threads)
        o->threads = (uint64_t) omp_get_max_threads();
    if (!o->max_file_bytes)
        o->max_file_bytes = INT32_MAX;
    if (!o->max_nodes)
        o->max_nodes = 65536;
    return RC_OK;
}

rc_status rci_context_new(struct rc_context **out, const rc_context_options *options)
{
    rc_context_options o = *options;
    RC_TRY(context_options_read(&o));
    struct rc_context *c = o.allocate(o.allocator_user, sizeof(*c), ALIGNMENT);
    if (!c)
        return rci_fail(RC_ERR_MEMORY, "out of memory: %zu bytes for the context", sizeof(*c));
    memset(c, 0, sizeof(*c));
    c->o = o;
    c->o.choices = NULL; /* the caller's memory; kernel/choice/choice.h has read it */
    c->magic = CONTEXT_MAGIC;
    *out = c;
    return RC_OK;
}

void rci_context_free(struct rc_context *c)
{
    if (!c)
        return;
    c->magic = 0; /* a use after free is then an error, not a crash */
    c->o.release(c->o.allocator_user, c);
}

static bool account(struct rc_context *c, size_t size)
{
    const uint64_t live = atomic_fetch_add(&c->live, size) + size;
    if (c->o.max_memory && live > c->o.max_memory) {
        atomic_fetch_sub(&c->live, size);
        return false;
    }
    uint64_t peak = atomic_load(&c->peak);
    while (live > peak && !atomic_compare_exchange_weak(&c->peak, &peak, live))
        ;
    return true;
}

void *rci_alloc(struct rc_context *c, size_t size)
{
    size_t total;
    if (!rci_add_size(size, ALIGNMENT, &total) || !account(c, total)) {
        rci_fail(RC_ERR_MEMORY, "out of memory: %zu bytes beyond the cap of %llu", size,
                 (unsigned long long) c->o.max_memory);
        return NULL;
    }
    char *p = c->o.allocate(c->o.allocator_user, total, ALIGNMENT);
    if (!p) {
        atomic_fetch_sub(&c->live, total);
        rci_fail(RC_ERR_MEMORY, "out of memory: %zu bytes", size);
        return NULL;
    }
    struct header *h = (struct header *) (void *) p;
    h->ctx = c;
    h->size = total;
    atomic_init(&h->owners, 1);
    return p + ALIGNMENT;
}

void *rci_alloc_zero(struct rc_context *c, size_t size)
{
    void *p = rci_alloc(c, size);
    return p ? memset(p, 0, size) : NULL;
}

void *rci_alloc_array(struct rc_context *c, size_t count, size_t size)
{
    size_t bytes;
    if (!rci_mul_size(count, size, &bytes)) {
        rci_fail(RC_ERR_MEMORY, "out of memory: %zu elements of %zu bytes", count, size);
        return NULL;
    }
    return rci_alloc_zero(c, bytes);
}

void *rci_realloc_array(struct rc_context *c, void *p, size_t count, size_t size)
{
    void *q = rci_alloc_array(c, count, size);
    if (!q || !p)
        return q;
    const size_t old = header_of(p)->size - ALIGNMENT;
    memcpy(q, p, old < count * size ? old : count * size);
    rci_release(p);
    return q;
}

void rci_release(void *p)
{
    if (!p)
        return;
    struct header *h = header_of(p);
    if (atomic_fetch_sub(&h->owners, 1) > 1)
        return;
    struct rc_context *c = h->ctx;
    atomic_fetch_sub(&c->live, h->size);
    c->o.release(c->o.allocator_user, h);
}

void *rci_share(const void *p)
{
    atomic_fetch_add(&header_of(p)->owners, 1);
    return (void *) (uintptr_t) p;
}

bool rci_is_shared(const void *p)
{
    return atomic_load(&header_of(p)->owners) > 1;
}

char *rci_strdup(struct rc_context *c, const char *s)
{
    const size_t n = strlen(s) + 1;
    char *p = rci_alloc(c, n);
    return p ? memcpy(p, s, n) : NULL;
}

char *rci_format(struct rc_context *c, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    char *p = n < 0 ? NULL : rci_alloc(c, (size_t) n + 1);
    if (p)
        vsnprintf(p, (size_t) n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p;
}

rc_status rci_grow(struct rc_context *c, void *array_address, uint32_t count, uint32_t *capacity,
                   size_t element)
{
    if (count < *capacity)
        return RC_OK;
    if (*capacity > UINT32_MAX / 2)
        return rci_fail(RC_ERR_LIMIT, "more than %u elements", *capacity);
    const uint32_t wanted = *capacity ? *capacity * 2 : 16;
    void *old, *grown;
    memcpy(&old, array_address, sizeof(old));
    grown = rci_realloc_array(c, old, wanted, element);
    if (!grown)
        return RC_ERR_MEMORY;
    memcpy(array_address, &grown, sizeof(grown));
    *capacity = wanted;
    return RC_OK;
}

void rci_log(struct rc_context *c, rc_log_level level, const char *fmt, ...)
{
    if (!c->o.log)
        return;
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    c->o.log(c->o.log_user, (int32_t) level, line);
}

rc_status rci_check_cancel(struct rc_context *c)
{
    if (c->o.cancel && c->o.cancel(c->o.cancel_user))
        return rci_fail(RC_ERR_CANCELLED, "cancelled by the caller");
    return RC_OK;
}

uint32_t rci_context_threads(const struct rc_context *c)
{
    return (uint32_t) c->o.threads;
}
