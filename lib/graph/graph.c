/* Life and death of a graph, copies, metadata. */
#include "graph/graph.h"
#include "graph/names.h"

#include <string.h>

#define GRAPH_MAGIC UINT64_C(0x72636772617068) /* "rcgraph" */

rc_status rci_graph_new(struct rc_graph **out, struct rc_context *c)
{
    struct rc_graph *g = RC_NEW(c, struct rc_graph);
    if (!g)
        return RC_ERR_MEMORY;
    g->ctx = c;
    g->opset = 13;
    g->ir_version = 8;
    g->batch = 1;
    g->magic = GRAPH_MAGIC;
    *out = g;
    return RC_OK;
}

bool rci_graph_valid(const struct rc_graph *g)
{
    return g && g->magic == GRAPH_MAGIC;
}

static void free_node(struct rci_node *n)
{
    rci_release(n->name);
    rci_release(n->attrs);
    rci_release(n->in);
    rci_release(n->out);
}

void rci_graph_free(struct rc_graph *g)
{
    if (!g)
        return;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        free_node(&g->nodes[i]);
    for (uint32_t i = 0; i < g->n_values; i++) {
        rci_release(g->values[i].name);
        rci_tensor_free(&g->values[i].tensor);
    }
    for (uint32_t i = 0; i < g->n_meta; i++) {
        rci_release(g->meta[i].key);
        rci_release(g->meta[i].value);
    }
    rci_release(g->nodes);
    rci_release(g->values);
    rci_release(g->inputs);
    rci_release(g->outputs);
    rci_release(g->meta);
    rci_release(g->name);
    rci_release(g->batch_name);
    rci_release(g->value_names.slot);
    rci_release(g->node_names.slot);
    g->magic = 0;
    rci_release(g);
}

/* Duplicate an array; NULL source or no elements gives a valid empty block. */
static void *copy_array(struct rc_context *c, const void *from, size_t count, size_t size)
{
    void *p = rci_alloc_array(c, count, size);
    if (p && count)
        memcpy(p, from, count * size);
    return p;
}

static rc_status clone_node(struct rc_context *c, struct rci_node *to, const struct rci_node *from)
{
    *to = *from;
    to->name = NULL;
    to->attrs = NULL;
    to->in = to->out = NULL;
    if (!from->op)
        return RC_OK;
    to->name = rci_strdup(c, from->name);
    to->attrs = copy_array(c, from->attrs, from->op->attr_size, 1);
    to->in = copy_array(c, from->in, from->n_in, sizeof(rci_id));
    to->out = copy_array(c, from->out, from->n_out, sizeof(rci_id));
    return to->name && to->attrs && to->in && to->out ? RC_OK : RC_ERR_MEMORY;
}

static rc_status clone_value(struct rc_context *c, struct rci_value *to,
                             const struct rci_value *from, bool share)
{
    *to = *from;
    to->name = NULL;
    to->tensor.data = NULL;
    if (from->name && !(to->name = rci_strdup(c, from->name)))
        return RC_ERR_MEMORY;
    if (!from->tensor.data)
        return RC_OK;
    if (!share)
        return rci_tensor_copy(&to->tensor, c, &from->tensor);
    to->tensor.data = rci_share(from->tensor.data);
    return RC_OK;
}

static rc_status clone_contents(struct rc_graph *g, const struct rc_graph *from, bool share)
{
    struct rc_context *c = g->ctx;
    g->nodes = rci_alloc_array(c, from->n_nodes, sizeof(*g->nodes));
    g->values = rci_alloc_array(c, from->n_values, sizeof(*g->values));
    g->inputs = copy_array(c, from->inputs, from->n_inputs, sizeof(rci_id));
    g->outputs = copy_array(c, from->outputs, from->n_outputs, sizeof(rci_id));
    if (!g->nodes || !g->values || !g->inputs || !g->outputs)
        return RC_ERR_MEMORY;
    g->cap_nodes = from->n_nodes;
    g->cap_values = from->n_values;
    g->n_inputs = from->n_inputs;
    g->n_outputs = from->n_outputs;
    for (uint32_t i = 0; i < from->n_nodes; i++) {
        g->n_nodes = i + 1; /* counted first, so that destroying sees the half-made one */
        RC_TRY(clone_node(c, &g->nodes[i], &from->nodes[i]));
    }
    for (uint32_t i = 0; i < from->n_values; i++) {
        g->n_values = i + 1;
        RC_TRY(clone_value(c, &g->values[i], &from->values[i], share));
    }
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].name)
            RC_TRY(rci_names_add_node(g, i));
    for (uint32_t i = 0; i < g->n_values; i++)
        if (g->values[i].name)
            RC_TRY(rci_names_add_value(g, i));
    for (uint32_t i = 0; i < from->n_meta; i++)
        RC_TRY(rci_graph_set_metadata(g, from->meta[i].key, from->meta[i].value));
    return RC_OK;
}

static rc_status clone(struct rc_graph **out, const struct rc_graph *from, bool share)
{
    struct rc_graph *g;
    rc_status st;
    RC_TRY(rci_graph_new(&g, from->ctx));
    g->opset = from->opset;
    g->ir_version = from->ir_version;
    g->dynamic_batch = from->dynamic_batch;
    g->batch = from->batch;
    g->storage = from->storage;
    g->checked = from->checked;
    st = clone_contents(g, from, share);
    if (st == RC_OK && from->name && !(g->name = rci_strdup(g->ctx, from->name)))
        st = RC_ERR_MEMORY;
    if (st == RC_OK && from->batch_name && !(g->batch_name = rci_strdup(g->ctx, from->batch_name)))
        st = RC_ERR_MEMORY;
    if (st == RC_OK)
        *out = g;
    else
        rci_graph_free(g);
    return st;
}

rc_status rci_graph_clone(struct rc_graph **out, const struct rc_graph *from)
{
    return clone(out, from, false);
}

rc_status rci_graph_clone_shared(struct rc_graph **out, const struct rc_graph *from)
{
    return clone(out, from, true);
}

rc_status rci_graph_own_const(struct rc_graph *g, rci_id value)
{
    const struct rci_tensor *t = &g->values[value].tensor;
    struct rci_tensor copy;
    if (!rci_is_shared(t->data))
        return RC_OK;
    RC_TRY(rci_tensor_copy(&copy, g->ctx, t));
    rci_graph_replace_const(g, value, &copy);
    return RC_OK;
}

static uint32_t find_meta(const struct rc_graph *g, const char *key)
{
    uint32_t i = 0;
    while (i < g->n_meta && strcmp(g->meta[i].key, key))
        i++;
    return i;
}

const char *rci_graph_get_metadata(const struct rc_graph *g, const char *key)
{
    const uint32_t i = find_meta(g, key);
    return i < g->n_meta ? g->meta[i].value : NULL;
}

static void drop_meta(struct rc_graph *g, uint32_t i)
{
    rci_release(g->meta[i].key);
    rci_release(g->meta[i].value);
    memmove(&g->meta[i], &g->meta[i + 1], (g->n_meta - i - 1) * sizeof(g->meta[0]));
    g->n_meta--;
}

rc_status rci_graph_set_metadata(struct rc_graph *g, const char *key, const char *value)
{
    const uint32_t i = find_meta(g, key);
    if (!value) {
        if (i < g->n_meta)
            drop_meta(g, i);
        return RC_OK;
    }
    char *copy = rci_strdup(g->ctx, value);
    if (!copy)
        return RC_ERR_MEMORY;
    if (i < g->n_meta) {
        rci_release(g->meta[i].value);
        g->meta[i].value = copy;
        return RC_OK;
    }
    char *name = rci_strdup(g->ctx, key);
    if (!name || rci_grow(g->ctx, &g->meta, g->n_meta, &g->cap_meta, sizeof(g->meta[0])) != RC_OK) {
        rci_release(name);
        rci_release(copy);
        return RC_ERR_MEMORY;
    }
    g->meta[g->n_meta++] = (struct rci_meta){name, copy};
    return RC_OK;
}
