/* Name lookup by SipHash-1-3 (Aumasson and Bernstein, 2012) and linear probing; ids are stored plus
 * one, 0 is an empty slot. The hash has a key that files cannot know: with a plain one, names made
 * to collide turn loading into a walk over all names for each. */
#include "graph/names.h"

#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

/* 16 random bytes that the kernel gives each process. */
static void names_key(uint64_t key[2])
{
    const void *random = (const void *) getauxval(AT_RANDOM);
    if (random)
        memcpy(key, random, 16);
}

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

uint32_t rci_names_hash(const char *s)
{
    const size_t n = strlen(s);
    uint64_t key[2] = {0};
    names_key(key);
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    for (size_t at = 0; at <= n; at += 8) {
        const size_t left = n - at;
        uint64_t word = left < 8 ? (uint64_t) n << 56 : 0;
        memcpy(&word, s + at, left < 8 ? left : 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return (uint32_t) (v[0] ^ v[1] ^ v[2] ^ v[3]);
}

static const char *value_name(const struct rc_graph *g, rci_id id)
{
    return g->values[id].name;
}

static const char *node_name(const struct rc_graph *g, rci_id id)
{
    return g->nodes[id].name;
}

typedef const char *(*name_fn)(const struct rc_graph *g, rci_id id);

static void names_put(struct rci_name_index *x, const char *name, rci_id id)
{
    uint32_t i = rci_names_hash(name) & (x->capacity - 1);
    while (x->slot[i])
        i = (i + 1) & (x->capacity - 1);
    x->slot[i] = id + 1;
    x->used++;
}

static rc_status index_grow(struct rc_graph *g, struct rci_name_index *x, name_fn name_of,
                            uint32_t n)
{
    uint32_t wanted = 64;
    while (wanted < n * 4)
        wanted *= 2;
    rci_id *slot = rci_alloc_array(g->ctx, wanted, sizeof(*slot));
    if (!slot)
        return RC_ERR_MEMORY;
    rci_release(x->slot);
    *x = (struct rci_name_index){slot, wanted, 0};
    for (rci_id id = 0; id < n; id++)
        if (name_of(g, id))
            names_put(x, name_of(g, id), id);
    return RC_OK;
}

static rc_status index_add(struct rc_graph *g, struct rci_name_index *x, name_fn name_of, rci_id id,
                           uint32_t n)
{
    if (x->used * 2 >= x->capacity)
        return index_grow(g, x, name_of, n); /* picks up `id` as well */
    names_put(x, name_of(g, id), id);
    return RC_OK;
}

rc_status rci_names_add_value(struct rc_graph *g, rci_id id)
{
    return index_add(g, &g->value_names, value_name, id, g->n_values);
}

rc_status rci_names_add_node(struct rc_graph *g, rci_id id)
{
    return index_add(g, &g->node_names, node_name, id, g->n_nodes);
}

static rci_id names_find(const struct rc_graph *g, const struct rci_name_index *x, name_fn name_of,
                         const char *name)
{
    if (!x->capacity)
        return RC_NONE;
    for (uint32_t i = rci_names_hash(name) & (x->capacity - 1); x->slot[i];
         i = (i + 1) & (x->capacity - 1)) {
        const char *have = name_of(g, x->slot[i] - 1);
        if (have && !strcmp(have, name))
            return x->slot[i] - 1;
    }
    return RC_NONE;
}

rci_id rci_graph_find_value(const struct rc_graph *g, const char *name)
{
    return names_find(g, &g->value_names, value_name, name);
}

rci_id rci_graph_find_node(const struct rc_graph *g, const char *name)
{
    return names_find(g, &g->node_names, node_name, name);
}

char *rci_graph_fresh_name(struct rc_graph *g, const char *hint)
{
    char *name = rci_strdup(g->ctx, hint);
    for (uint32_t i = 1; name && (rci_graph_find_value(g, name) != RC_NONE ||
                                  rci_graph_find_node(g, name) != RC_NONE);
         i++) {
        rci_release(name);
        name = rci_format(g->ctx, "%s_%u", hint, i);
    }
    return name;
}
