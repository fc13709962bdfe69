/* Bump allocation in blocks that are released together: a protobuf message is thousands of small
 * strings and structs that are released together. */
#include "wire/arena.h"

#include <string.h>

enum { ARENA_BLOCK = 64 * 1024, ARENA_LARGE = 16 * 1024 };

struct rci_arena_block {
    struct rci_arena_block *next;
    size_t size; /* payload bytes */
    uint64_t align[];
};

struct rci_arena_large {
    struct rci_arena_large *next;
    void *piece;
};

static unsigned char *arena_payload(struct rci_arena_block *b)
{
    return (unsigned char *) b + 16;
}

static void *arena_fail(struct rci_arena *a, rc_status st)
{
    if (a->status == RC_OK)
        a->status = st;
    return NULL;
}

/* A large piece is an allocation of its own, so that it can be taken out. */
static void *arena_large(struct rci_arena *a, size_t size)
{
    struct rci_arena_large *l = rci_arena_alloc(a, sizeof(*l));
    if (!l)
        return NULL;
    *l = (struct rci_arena_large){NULL, rci_alloc(a->ctx, size)};
    if (!l->piece)
        return arena_fail(a, RC_ERR_MEMORY);
    if (a->last)
        a->last->next = l;
    else
        a->first = l;
    a->last = l;
    return l->piece;
}

void *rci_arena_alloc(struct rci_arena *a, size_t size)
{
    if (size > SIZE_MAX - 15) {
        rci_fail(RC_ERR_MEMORY, "memory: %zu bytes asked for", size);
        return arena_fail(a, RC_ERR_MEMORY);
    }
    size = (size + 15) & ~(size_t) 15;
    if (a->cap && (size > a->cap || a->total > a->cap - size)) {
        rci_fail(RC_ERR_LIMIT, "decoding needs more than %llu bytes", (unsigned long long) a->cap);
        return arena_fail(a, RC_ERR_LIMIT);
    }
    a->total += size;
    if (size > ARENA_LARGE)
        return arena_large(a, size);
    if (!a->blocks || a->left < size) {
        struct rci_arena_block *b = rci_alloc(a->ctx, ARENA_BLOCK + 16);
        if (!b)
            return arena_fail(a, RC_ERR_MEMORY);
        b->size = ARENA_BLOCK;
        b->next = a->blocks;
        a->blocks = b;
        a->left = ARENA_BLOCK;
    }
    void *p = arena_payload(a->blocks) + (a->blocks->size - a->left);
    a->left -= size;
    return p;
}

void *rci_arena_array(struct rci_arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (!rci_mul_size(count, size, &bytes))
        bytes = SIZE_MAX;
    void *p = rci_arena_alloc(a, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

char *rci_arena_strdup(struct rci_arena *a, const char *s)
{
    const size_t n = strlen(s) + 1;
    char *p = rci_arena_alloc(a, n);
    if (p)
        memcpy(p, s, n);
    return p;
}

/* Pieces are usually taken in order, so the one wanted is near the front. */
bool rci_arena_take(struct rci_arena *a, const void *p)
{
    struct rci_arena_large *before = NULL;
    for (struct rci_arena_large *l = a->first; l; before = l, l = l->next) {
        if (l->piece != p)
            continue;
        if (before)
            before->next = l->next;
        else
            a->first = l->next;
        if (a->last == l)
            a->last = before;
        return true;
    }
    return false;
}

void rci_arena_free(struct rci_arena *a)
{
    for (struct rci_arena_large *l = a->first; l; l = l->next)
        rci_release(l->piece);
    a->first = a->last = NULL;
    while (a->blocks) {
        struct rci_arena_block *next = a->blocks->next;
        rci_release(a->blocks);
        a->blocks = next;
    }
    a->left = 0;
    a->total = 0;
}
