/* Building and editing. Ids never move; what dies leaves a dead slot. */
#include "graph/graph.h"
#include "graph/names.h"

#include <stdio.h>
#include <string.h>

static rc_status push_named(struct rc_graph *g, rci_id *out, const char *name)
{
    *out = RC_NONE;
    if (rci_graph_find_value(g, name) != RC_NONE)
        return rci_fail(RC_ERR_MODEL, "name \"%s\" defined twice", name);
    RC_TRY(rci_grow(g->ctx, &g->values, g->n_values, &g->cap_values, sizeof(g->values[0])));
    char *copy = rci_strdup(g->ctx, name);
    if (!copy)
        return RC_ERR_MEMORY;
    g->values[g->n_values] = (struct rci_value){.name = copy, .producer = RC_NONE};
    const rci_id id = g->n_values++;
    RC_TRY(rci_names_add_value(g, id)); /* the slot stays, owned by the graph */
    *out = id;
    return RC_OK;
}

/* name NULL: one is made up. */
static rc_status push_value(struct rc_graph *g, rci_id *out, const char *name)
{
    if (name)
        return push_named(g, out, name);
    char *fresh = rci_graph_fresh_name(g, "value");
    const rc_status st = fresh ? push_named(g, out, fresh) : RC_ERR_MEMORY;
    rci_release(fresh);
    return st;
}

rc_status rci_graph_add_value(struct rc_graph *g, rci_id *out, const char *name)
{
    return push_value(g, out, name);
}

rc_status rci_graph_add_const(struct rc_graph *g, rci_id *out, const char *name,
                              const struct rci_tensor *t)
{
    RC_TRY(push_value(g, out, name));
    return rci_tensor_copy(&g->values[*out].tensor, g->ctx, t);
}

static rc_status push_id(struct rc_graph *g, rci_id **list, uint32_t *n, rci_id id)
{
    rci_id *grown = rci_realloc_array(g->ctx, *list, *n + 1, sizeof(rci_id));
    if (!grown)
        return RC_ERR_MEMORY;
    grown[(*n)++] = id;
    *list = grown;
    return RC_OK;
}

rc_status rci_graph_add_input(struct rc_graph *g, rci_id *out, const char *name, enum rci_dtype d,
                              const struct rci_shape *s)
{
    RC_TRY(push_value(g, out, name));
    g->values[*out].tensor = (struct rci_tensor){d, *s, NULL};
    g->values[*out].flags = RC_VALUE_INPUT;
    return push_id(g, &g->inputs, &g->n_inputs, *out);
}

rc_status rci_graph_set_outputs(struct rc_graph *g, const rci_id *values, uint32_t n)
{
    rci_id *copy = rci_alloc_array(g->ctx, n, sizeof(rci_id));
    if (!copy)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < g->n_outputs; i++)
        g->values[g->outputs[i]].flags &= ~(uint32_t) RC_VALUE_OUTPUT;
    for (uint32_t i = 0; i < n; i++) {
        copy[i] = values[i];
        g->values[values[i]].flags |= RC_VALUE_OUTPUT;
    }
    rci_release(g->outputs);
    g->outputs = copy;
    g->n_outputs = n;
    return RC_OK;
}

static rc_status check_new_node(const struct rc_graph *g, const char *name, const rci_id *outs,
                                uint32_t n_out)
{
    if (rci_graph_find_node(g, name) != RC_NONE)
        return rci_fail(RC_ERR_MODEL, "node name \"%s\" defined twice", name);
    for (uint32_t i = 0; outs && i < n_out; i++)
        if (outs[i] != RC_NONE &&
            (g->values[outs[i]].producer != RC_NONE || g->values[outs[i]].flags & RC_VALUE_INPUT ||
             rci_value_is_const(&g->values[outs[i]])))
            return rci_fail(RC_ERR_MODEL, "name \"%s\" defined twice", g->values[outs[i]].name);
    return RC_OK;
}

static rc_status fill_node(struct rc_graph *g, struct rci_node *n, const void *attrs,
                           const rci_id *ins, const rci_id *outs)
{
    n->attrs = rci_alloc_zero(g->ctx, n->op->attr_size);
    n->in = rci_alloc_array(g->ctx, n->n_in, sizeof(rci_id));
    n->out = rci_alloc_array(g->ctx, n->n_out, sizeof(rci_id));
    if (!n->attrs || !n->in || !n->out)
        return RC_ERR_MEMORY;
    if (attrs)
        memcpy(n->attrs, attrs, n->op->attr_size);
    for (uint32_t i = 0; i < n->n_in; i++)
        n->in[i] = ins[i];
    for (uint32_t i = 0; i < n->n_out; i++)
        n->out[i] = outs ? outs[i] : RC_NONE;
    return RC_OK;
}

static rc_status name_outputs(struct rc_graph *g, rci_id id)
{
    for (uint32_t i = 0; i < g->nodes[id].n_out; i++) {
        char *hint = rci_format(g->ctx, "%s_output_%u", g->nodes[id].name, i);
        char *name = hint ? rci_graph_fresh_name(g, hint) : NULL;
        rci_id v = RC_NONE;
        const rc_status st = name ? push_value(g, &v, name) : RC_ERR_MEMORY;
        rci_release(hint);
        rci_release(name);
        RC_TRY(st);
        g->nodes[id].out[i] = v;
    }
    return RC_OK;
}

rc_status rci_graph_add_node(struct rc_graph *g, rci_id *out, const struct rci_op *op,
                             const char *name, const void *attrs, const rci_id *ins, uint32_t n_in,
                             const rci_id *outs, uint32_t n_out)
{
    *out = RC_NONE;
    char *fresh = name ? rci_strdup(g->ctx, name) : rci_graph_fresh_name(g, op->name);
    rc_status st = fresh ? check_new_node(g, fresh, outs, n_out) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = rci_grow(g->ctx, &g->nodes, g->n_nodes, &g->cap_nodes, sizeof(g->nodes[0]));
    if (st != RC_OK) {
        rci_release(fresh);
        return st;
    }
    const rci_id id = g->n_nodes;
    struct rci_node *n = &g->nodes[id];
    *n = (struct rci_node){.op = op, .name = fresh, .n_in = n_in, .n_out = n_out};
    g->n_nodes++; /* from here the graph owns the slot, half-built or not */
    st = fill_node(g, n, attrs, ins, outs);
    if (st != RC_OK) {
        n->op = NULL;
        return st;
    }
    RC_TRY(rci_names_add_node(g, id));
    if (!outs)
        RC_TRY(name_outputs(g, id));
    for (uint32_t i = 0; i < n_out; i++) {
        const rci_id v = g->nodes[id].out[i];
        if (v == RC_NONE)
            continue;
        g->values[v].producer = id;
        g->values[v].producer_out = i;
    }
    *out = id;
    return RC_OK;
}

rc_status rci_graph_retype_node(struct rc_graph *g, rci_id node, const struct rci_op *op,
                                const void *attrs, const rci_id *ins, uint32_t n_in)
{
    struct rci_node *n = &g->nodes[node];
    void *own = rci_alloc_zero(g->ctx, op->attr_size);
    rci_id *in = rci_alloc_array(g->ctx, n_in, sizeof(*in));
    if (!own || !in) {
        rci_release(own);
        rci_release(in);
        return RC_ERR_MEMORY;
    }
    if (attrs)
        memcpy(own, attrs, op->attr_size);
    for (uint32_t i = 0; i < n_in; i++)
        in[i] = ins[i];
    rci_release(n->attrs);
    rci_release(n->in);
    n->op = op;
    n->attrs = own;
    n->in = in;
    n->n_in = n_in;
    return RC_OK;
}

rc_status rci_graph_append_input(struct rc_graph *g, rci_id node, rci_id value)
{
    struct rci_node *n = &g->nodes[node];
    return push_id(g, &n->in, &n->n_in, value);
}

void rci_graph_drop_input(struct rc_graph *g, rci_id node, uint32_t index)
{
    struct rci_node *n = &g->nodes[node];
    memmove(&n->in[index], &n->in[index + 1], (n->n_in - index - 1) * sizeof(rci_id));
    n->n_in--;
}

void rci_graph_replace_const(struct rc_graph *g, rci_id value, struct rci_tensor *t)
{
    rci_tensor_free(&g->values[value].tensor);
    g->values[value].tensor = *t;
    t->data = NULL;
}

/* The interface keeps its names: swap the names of the old and the new output value. */
static rc_status take_over_output(struct rc_graph *g, rci_id from, rci_id to)
{
    struct rci_value *f = &g->values[from], *t = &g->values[to];
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (g->outputs[i] == from)
            g->outputs[i] = to;
    f->flags &= ~(uint32_t) RC_VALUE_OUTPUT;
    if (!(t->flags & RC_VALUE_INPUT) && !rci_value_is_const(t))
        t->storage = f->storage;
    /* an input, a constant or another output keeps its own name */
    if (!(t->flags & (RC_VALUE_INPUT | RC_VALUE_OUTPUT)) && !rci_value_is_const(t)) {
        char *keep = f->name;
        f->name = t->name;
        t->name = keep;
        RC_TRY(rci_names_add_value(g, from));
        RC_TRY(rci_names_add_value(g, to));
    }
    g->values[to].flags |= RC_VALUE_OUTPUT;
    return RC_OK;
}

rc_status rci_graph_redirect(struct rc_graph *g, rci_id from, rci_id to)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; g->nodes[i].op && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] == from)
                g->nodes[i].in[k] = to;
    return g->values[from].flags & RC_VALUE_OUTPUT ? take_over_output(g, from, to) : RC_OK;
}

static void kill_value(struct rc_graph *g, rci_id id)
{
    struct rci_value *v = &g->values[id];
    rci_release(v->name);
    rci_tensor_free(&v->tensor);
    *v = (struct rci_value){.producer = RC_NONE, .flags = RC_VALUE_DEAD};
}

void rci_graph_kill_node(struct rc_graph *g, rci_id node)
{
    struct rci_node *n = &g->nodes[node];
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] != RC_NONE && g->values[n->out[i]].producer == node)
            kill_value(g, n->out[i]);
    rci_release(n->name);
    rci_release(n->attrs);
    rci_release(n->in);
    rci_release(n->out);
    *n = (struct rci_node){0};
}

rc_status rci_graph_bypass(struct rc_graph *g, rci_id node)
{
    RC_TRY(rci_graph_redirect(g, g->nodes[node].out[0], g->nodes[node].in[0]));
    rci_graph_kill_node(g, node);
    return RC_OK;
}

/* Mark backwards from the outputs; `stack` holds values still to visit. */
static void mark_live(const struct rc_graph *g, uint8_t *node_live, uint8_t *value_live,
                      rci_id *stack)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (!value_live[g->outputs[i]]) {
            value_live[g->outputs[i]] = 1;
            stack[n++] = g->outputs[i];
        }
    while (n) {
        const rci_id p = g->values[stack[--n]].producer;
        if (p == RC_NONE || node_live[p])
            continue;
        node_live[p] = 1;
        for (uint32_t k = 0; k < g->nodes[p].n_in; k++) {
            const rci_id v = g->nodes[p].in[k];
            if (v != RC_NONE && !value_live[v]) {
                value_live[v] = 1;
                stack[n++] = v;
            }
        }
    }
}

rc_status rci_graph_sweep(struct rc_graph *g, uint32_t *n_removed)
{
    rc_status st = RC_ERR_MEMORY;
    uint8_t *node_live = rci_alloc_zero(g->ctx, g->n_nodes);
    uint8_t *value_live = rci_alloc_zero(g->ctx, g->n_values);
    rci_id *stack = rci_alloc_array(g->ctx, g->n_values, sizeof(rci_id));
    if (!node_live || !value_live || !stack)
        goto out;
    mark_live(g, node_live, value_live, stack);
    uint32_t removed = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && !node_live[i]) {
            rci_graph_kill_node(g, i);
            removed++;
        }
    for (uint32_t i = 0; i < g->n_values; i++)
        if (g->values[i].name && !value_live[i] && g->values[i].producer == RC_NONE &&
            !(g->values[i].flags & RC_VALUE_INPUT))
            kill_value(g, i);
    if (n_removed)
        *n_removed = removed;
    st = RC_OK;
out:
    rci_release(stack);
    rci_release(value_live);
    rci_release(node_live);
    return st;
}

rc_status rci_graph_drop_unread(struct rc_graph *g)
{
    struct rci_readers r;
    RC_TRY(rci_graph_readers(g, &r));
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        struct rci_node *n = &g->nodes[i];
        const bool counted = n->op && n->op->max_out == RC_VARIADIC; /* Split */
        for (; n->op && !counted && n->n_out > n->op->min_out; n->n_out--) {
            const rci_id v = n->out[n->n_out - 1];
            if (v == RC_NONE)
                continue;
            if (g->values[v].flags & RC_VALUE_OUTPUT || r.start[v + 1] > r.start[v])
                break;
            kill_value(g, v);
        }
    }
    rci_readers_free(&r);
    return RC_OK;
}

static rc_status copy_vector(struct rc_graph *g, rci_id v, rci_id *out)
{
    const struct rci_tensor t = g->values[v].tensor;
    char *name = rci_graph_fresh_name(g, g->values[v].name);
    const rc_status st = name ? rci_graph_add_const(g, out, name, &t) : RC_ERR_MEMORY;
    rci_release(name);
    RC_TRY(st);
    g->values[*out].flags |= g->values[v].flags & RC_VALUE_FROZEN;
    g->values[*out].storage = g->values[v].storage;
    return RC_OK;
}

rc_status rci_graph_split_vectors(struct rc_graph *g)
{
    bool *read = rci_alloc_zero(g->ctx, g->n_values);
    const uint32_t n_values = g->n_values;
    rc_status st = read ? RC_OK : RC_ERR_MEMORY;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; g->nodes[i].op && k < g->nodes[i].n_in && st == RC_OK; k++) {
            const rci_id v = g->nodes[i].in[k];
            if (v >= n_values || g->values[v].tensor.dtype != RC_F32 ||
                g->values[v].tensor.shape.rank != 1 || !rci_value_is_const(&g->values[v]))
                continue;
            if (read[v])
                st = copy_vector(g, v, &g->nodes[i].in[k]);
            else
                read[v] = true;
        }
    rci_release(read);
    return st;
}

rc_status rci_graph_rename_value(struct rc_graph *g, rci_id value, const char *name)
{
    const rci_id taken = rci_graph_find_value(g, name);
    if (taken == value)
        return RC_OK;
    if (taken != RC_NONE)
        return rci_fail(RC_ERR_MODEL, "name \"%s\" defined twice", name);
    char *copy = rci_strdup(g->ctx, name);
    if (!copy)
        return RC_ERR_MEMORY;
    rci_release(g->values[value].name);
    g->values[value].name = copy;
    return rci_names_add_value(g, value);
}
