/* Name lookup by FNV-1a hash and linear probing; ids are stored plus one, 0 is an empty slot. */
#include "graph/names.h"

#include <stdio.h>
#include <string.h>

static uint32_t names_hash(const char *s)
{
    uint32_t h = 2166136261u;
    for (; *s; s++)
        h = (h ^ (unsigned char) *s) * 16777619u;
    return h;
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
    uint32_t i = names_hash(name) & (x->capacity - 1);
    while (x->slot[i])
        i = (i + 1) & (x->capacity - 1);
    x->slot[i] = id + 1;
    x->used++;
}

static rc_status grow(struct rc_graph *g, struct rci_name_index *x, name_fn name_of, uint32_t n)
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

static rc_status add(struct rc_graph *g, struct rci_name_index *x, name_fn name_of, rci_id id,
                     uint32_t n)
{
    if (x->used * 2 >= x->capacity)
        return grow(g, x, name_of, n); /* picks up `id` as well */
    names_put(x, name_of(g, id), id);
    return RC_OK;
}

rc_status rci_names_add_value(struct rc_graph *g, rci_id id)
{
    return add(g, &g->value_names, value_name, id, g->n_values);
}

rc_status rci_names_add_node(struct rc_graph *g, rci_id id)
{
    return add(g, &g->node_names, node_name, id, g->n_nodes);
}

static rci_id names_find(const struct rc_graph *g, const struct rci_name_index *x, name_fn name_of,
                         const char *name)
{
    if (!x->capacity)
        return RC_NONE;
    for (uint32_t i = names_hash(name) & (x->capacity - 1); x->slot[i];
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
