/* Building and editing. Ids never move; what dies leaves a dead slot. */
#include "graph/graph.h"
#include "graph/names.h"

#include <stdio.h>
#include <string.h>

static rc_status push_named(struct rc_graph *g, rc_id *out, const char *name)
{
    *out = RC_NONE;
    if (rc_graph_find_value(g, name) != RC_NONE)
        return rc_fail(RC_ERR_MODEL, "name \"%s\" defined twice", name);
    RC_TRY(rc_grow(g->ctx, &g->values, g->n_values, &g->cap_values, sizeof(g->values[0])));
    char *copy = rc_strdup(g->ctx, name);
    if (!copy)
        return RC_ERR_MEMORY;
    g->values[g->n_values] = (struct rc_value){.name = copy, .producer = RC_NONE};
    const rc_id id = g->n_values++;
    RC_TRY(rc_names_add_value(g, id)); /* the slot stays, owned by the graph */
    *out = id;
    return RC_OK;
}

/* name NULL: one is made up. */
static rc_status push_value(struct rc_graph *g, rc_id *out, const char *name)
{
    if (name)
        return push_named(g, out, name);
    char *fresh = rc_graph_fresh_name(g, "value");
    const rc_status st = fresh ? push_named(g, out, fresh) : RC_ERR_MEMORY;
    rc_release(fresh);
    return st;
}

rc_status rc_graph_add_value(struct rc_graph *g, rc_id *out, const char *name)
{
    return push_value(g, out, name);
}

rc_status rc_graph_add_const(struct rc_graph *g, rc_id *out, const char *name,
                             const struct rc_tensor *t)
{
    RC_TRY(push_value(g, out, name));
    return rc_tensor_copy(&g->values[*out].tensor, g->ctx, t);
}

static rc_status push_id(struct rc_graph *g, rc_id **list, uint32_t *n, rc_id id)
{
    rc_id *grown = rc_realloc_array(g->ctx, *list, *n + 1, sizeof(rc_id));
    if (!grown)
        return RC_ERR_MEMORY;
    grown[(*n)++] = id;
    *list = grown;
    return RC_OK;
}

rc_status rc_graph_add_input(struct rc_graph *g, rc_id *out, const char *name, enum rc_dtype d,
                             const struct rc_shape *s)
{
    RC_TRY(push_value(g, out, name));
    g->values[*out].tensor = (struct rc_tensor){d, *s, NULL};
    g->values[*out].flags = RC_VALUE_INPUT;
    return push_id(g, &g->inputs, &g->n_inputs, *out);
}

rc_status rc_graph_set_outputs(struct rc_graph *g, const rc_id *values, uint32_t n)
{
    rc_id *copy = rc_alloc_array(g->ctx, n, sizeof(rc_id));
    if (!copy)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < g->n_outputs; i++)
        g->values[g->outputs[i]].flags &= ~(uint32_t) RC_VALUE_OUTPUT;
    for (uint32_t i = 0; i < n; i++) {
        copy[i] = values[i];
        g->values[values[i]].flags |= RC_VALUE_OUTPUT;
    }
    rc_release(g->outputs);
    g->outputs = copy;
    g->n_outputs = n;
    return RC_OK;
}

static rc_status check_new_node(const struct rc_graph *g, const char *name, const rc_id *outs,
                                uint32_t n_out)
{
    if (rc_graph_find_node(g, name) != RC_NONE)
        return rc_fail(RC_ERR_MODEL, "node name \"%s\" defined twice", name);
    for (uint32_t i = 0; outs && i < n_out; i++)
        if (outs[i] != RC_NONE &&
            (g->values[outs[i]].producer != RC_NONE || g->values[outs[i]].flags & RC_VALUE_INPUT ||
             rc_value_is_const(&g->values[outs[i]])))
            return rc_fail(RC_ERR_MODEL, "name \"%s\" defined twice", g->values[outs[i]].name);
    return RC_OK;
}

static rc_status fill_node(struct rc_graph *g, struct rc_node *n, const void *attrs,
                           const rc_id *ins, const rc_id *outs)
{
    n->attrs = rc_alloc_zero(g->ctx, n->op->attr_size);
    n->in = rc_alloc_array(g->ctx, n->n_in, sizeof(rc_id));
    n->out = rc_alloc_array(g->ctx, n->n_out, sizeof(rc_id));
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

static rc_status name_outputs(struct rc_graph *g, rc_id id)
{
    for (uint32_t i = 0; i < g->nodes[id].n_out; i++) {
        char *hint = rc_format(g->ctx, "%s_output_%u", g->nodes[id].name, i);
        char *name = hint ? rc_graph_fresh_name(g, hint) : NULL;
        rc_id v = RC_NONE;
        const rc_status st = name ? push_value(g, &v, name) : RC_ERR_MEMORY;
        rc_release(hint);
        rc_release(name);
        RC_TRY(st);
        g->nodes[id].out[i] = v;
    }
    return RC_OK;
}

rc_status rc_graph_add_node(struct rc_graph *g, rc_id *out, const struct rc_op *op,
                            const char *name, const void *attrs, const rc_id *ins, uint32_t n_in,
                            const rc_id *outs, uint32_t n_out)
{
    *out = RC_NONE;
    char *fresh = name ? rc_strdup(g->ctx, name) : rc_graph_fresh_name(g, op->name);
    rc_status st = fresh ? check_new_node(g, fresh, outs, n_out) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = rc_grow(g->ctx, &g->nodes, g->n_nodes, &g->cap_nodes, sizeof(g->nodes[0]));
    if (st != RC_OK) {
        rc_release(fresh);
        return st;
    }
    const rc_id id = g->n_nodes;
    struct rc_node *n = &g->nodes[id];
    *n = (struct rc_node){.op = op, .name = fresh, .n_in = n_in, .n_out = n_out};
    g->n_nodes++; /* from here the graph owns the slot, half-built or not */
    st = fill_node(g, n, attrs, ins, outs);
    if (st != RC_OK) {
        n->op = NULL;
        return st;
    }
    RC_TRY(rc_names_add_node(g, id));
    if (!outs)
        RC_TRY(name_outputs(g, id));
    for (uint32_t i = 0; i < n_out; i++) {
        const rc_id v = g->nodes[id].out[i];
        if (v == RC_NONE)
            continue;
        g->values[v].producer = id;
        g->values[v].producer_out = i;
    }
    *out = id;
    return RC_OK;
}

rc_status rc_graph_append_input(struct rc_graph *g, rc_id node, rc_id value)
{
    struct rc_node *n = &g->nodes[node];
    return push_id(g, &n->in, &n->n_in, value);
}

void rc_graph_drop_input(struct rc_graph *g, rc_id node, uint32_t index)
{
    struct rc_node *n = &g->nodes[node];
    memmove(&n->in[index], &n->in[index + 1], (n->n_in - index - 1) * sizeof(rc_id));
    n->n_in--;
}

void rc_graph_replace_const(struct rc_graph *g, rc_id value, struct rc_tensor *t)
{
    rc_tensor_free(&g->values[value].tensor);
    g->values[value].tensor = *t;
    t->data = NULL;
}

/* The interface keeps its names: swap the names of the old and the new output value. */
static rc_status take_over_output(struct rc_graph *g, rc_id from, rc_id to)
{
    struct rc_value *f = &g->values[from], *t = &g->values[to];
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (g->outputs[i] == from)
            g->outputs[i] = to;
    f->flags &= ~(uint32_t) RC_VALUE_OUTPUT;
    /* an input, a constant or another output keeps its own name */
    if (!(t->flags & (RC_VALUE_INPUT | RC_VALUE_OUTPUT)) && !rc_value_is_const(t)) {
        char *keep = f->name;
        f->name = t->name;
        t->name = keep;
        RC_TRY(rc_names_add_value(g, from));
        RC_TRY(rc_names_add_value(g, to));
    }
    g->values[to].flags |= RC_VALUE_OUTPUT;
    return RC_OK;
}

rc_status rc_graph_redirect(struct rc_graph *g, rc_id from, rc_id to)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; g->nodes[i].op && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] == from)
                g->nodes[i].in[k] = to;
    return g->values[from].flags & RC_VALUE_OUTPUT ? take_over_output(g, from, to) : RC_OK;
}

static void kill_value(struct rc_graph *g, rc_id id)
{
    struct rc_value *v = &g->values[id];
    rc_release(v->name);
    rc_tensor_free(&v->tensor);
    *v = (struct rc_value){.producer = RC_NONE, .flags = RC_VALUE_DEAD};
}

void rc_graph_kill_node(struct rc_graph *g, rc_id node)
{
    struct rc_node *n = &g->nodes[node];
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] != RC_NONE && g->values[n->out[i]].producer == node)
            kill_value(g, n->out[i]);
    rc_release(n->name);
    rc_release(n->attrs);
    rc_release(n->in);
    rc_release(n->out);
    *n = (struct rc_node){0};
}

rc_status rc_graph_bypass(struct rc_graph *g, rc_id node)
{
    RC_TRY(rc_graph_redirect(g, g->nodes[node].out[0], g->nodes[node].in[0]));
    rc_graph_kill_node(g, node);
    return RC_OK;
}

/* Mark backwards from the outputs; `stack` holds values still to visit. */
static void mark_live(const struct rc_graph *g, uint8_t *node_live, uint8_t *value_live,
                      rc_id *stack)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (!value_live[g->outputs[i]]) {
            value_live[g->outputs[i]] = 1;
            stack[n++] = g->outputs[i];
        }
    while (n) {
        const rc_id p = g->values[stack[--n]].producer;
        if (p == RC_NONE || node_live[p])
            continue;
        node_live[p] = 1;
        for (uint32_t k = 0; k < g->nodes[p].n_in; k++) {
            const rc_id v = g->nodes[p].in[k];
            if (v != RC_NONE && !value_live[v]) {
                value_live[v] = 1;
                stack[n++] = v;
            }
        }
    }
}

rc_status rc_graph_sweep(struct rc_graph *g, uint32_t *n_removed)
{
    rc_status st = RC_ERR_MEMORY;
    uint8_t *node_live = rc_alloc_zero(g->ctx, g->n_nodes);
    uint8_t *value_live = rc_alloc_zero(g->ctx, g->n_values);
    rc_id *stack = rc_alloc_array(g->ctx, g->n_values, sizeof(rc_id));
    if (!node_live || !value_live || !stack)
        goto out;
    mark_live(g, node_live, value_live, stack);
    uint32_t removed = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && !node_live[i]) {
            rc_graph_kill_node(g, i);
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
    rc_release(stack);
    rc_release(value_live);
    rc_release(node_live);
    return st;
}

rc_status rc_graph_rename_value(struct rc_graph *g, rc_id value, const char *name)
{
    const rc_id taken = rc_graph_find_value(g, name);
    if (taken == value)
        return RC_OK;
    if (taken != RC_NONE)
        return rc_fail(RC_ERR_MODEL, "name \"%s\" defined twice", name);
    char *copy = rc_strdup(g->ctx, name);
    if (!copy)
        return RC_ERR_MEMORY;
    rc_release(g->values[value].name);
    g->values[value].name = copy;
    return rc_names_add_value(g, value);
}
