/* Packed constants that several sessions of a context have in common are held once. The second
 * session packs its own, finds an equal block by size, a hash of samples and then every byte, and
 * shares that instead. Nobody writes to packed constants. */
#include "exec/plan.h"

#include <pthread.h>
#include <string.h>

enum { SHARED_LEAST = 4096, SAMPLES = 64 };

struct entry {
    void *data; /* the table is one more owner */
    size_t bytes;
    uint64_t hash;
};

struct rci_packed {
    struct entry *entry;
    uint32_t n, cap;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t sample(const void *data, size_t bytes)
{
    const size_t words = bytes / sizeof(uint64_t);
    const size_t step = words / SAMPLES;
    uint64_t hash = bytes, word;
    for (size_t i = 0; i < SAMPLES; i++) {
        memcpy(&word, (const char *) data + i * step * sizeof(word), sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash;
}

static const struct entry *packed_find(const struct rci_packed *t, const struct entry *wanted)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct entry *e = &t->entry[i];
        if (e->bytes == wanted->bytes && e->hash == wanted->hash &&
            !memcmp(e->data, wanted->data, e->bytes))
            return e;
    }
    return NULL;
}

static rc_status share_locked(struct rc_context *c, void **data, size_t bytes)
{
    const struct entry mine = {*data, bytes, sample(*data, bytes)};
    if (!c->packed && !(c->packed = RC_NEW(c, struct rci_packed)))
        return RC_ERR_MEMORY;
    struct rci_packed *t = c->packed;
    const struct entry *same = packed_find(t, &mine);
    if (same) {
        *data = rci_share(same->data);
        rci_release(mine.data);
        return RC_OK;
    }
    RC_TRY(rci_grow(c, &t->entry, t->n, &t->cap, sizeof(*t->entry)));
    t->entry[t->n++] = mine;
    rci_share(mine.data);
    return RC_OK;
}

rc_status rci_packed_share(struct rc_context *c, void **data, size_t bytes)
{
    if (bytes < SHARED_LEAST)
        return RC_OK;
    pthread_mutex_lock(&lock);
    const rc_status st = share_locked(c, data, bytes);
    pthread_mutex_unlock(&lock);
    return st;
}

void rci_packed_trim(struct rc_context *c)
{
    pthread_mutex_lock(&lock);
    struct rci_packed *t = c->packed;
    for (uint32_t i = t ? t->n : 0; i-- > 0;) {
        if (rci_is_shared(t->entry[i].data))
            continue;
        rci_release(t->entry[i].data);
        t->entry[i] = t->entry[--t->n];
    }
    if (t && t->n == 0) {
        rci_release(t->entry);
        rci_release(t);
        c->packed = NULL;
    }
    pthread_mutex_unlock(&lock);
}
