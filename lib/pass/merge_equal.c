/* Nodes that compute the same of the same operands become one (common subexpressions). In order of
 * execution, so that what becomes equal by a merge is merged too. */
#include "pass/pass.h"

#include <string.h>

struct merge {
    struct rc_graph *g;
    rci_id *slot; /* nodes by hash, open addressing; RC_NONE: empty */
    uint32_t mask;
};

static uint32_t merge_hash(const struct rci_node *n)
{
    uint32_t h = 2166136261u;
    for (const char *c = n->op->name; *c; c++)
        h = (h ^ (unsigned char) *c) * 16777619u;
    for (uint32_t k = 0; k < n->n_in; k++)
        h = (h ^ n->in[k]) * 16777619u;
    return h;
}

static bool merge_same(const struct rci_node *a, const struct rci_node *b)
{
    return a->op == b->op && a->n_in == b->n_in && a->n_out == b->n_out &&
           !memcmp(a->in, b->in, a->n_in * sizeof(*a->in)) &&
           (!a->op->attr_size || !memcmp(a->attrs, b->attrs, a->op->attr_size));
}

/* Random numbers differ from node to node, and outputs of the graph keep their names and nodes. */
static bool merge_can(const struct rc_graph *g, const struct rci_node *n)
{
    if (n->n_post || n->op->flags & (RC_OP_RANDOM | RC_OP_UPDATES | RC_OP_INTERNAL))
        return false;
    for (uint32_t k = 0; k < n->n_out; k++)
        if (n->out[k] == RC_NONE || g->values[n->out[k]].flags & RC_VALUE_OUTPUT)
            return false;
    return n->n_in > 0;
}

static rc_status merge_node(struct merge *m, rci_id id, uint32_t *n_changed)
{
    const struct rci_node *n = &m->g->nodes[id];
    if (!merge_can(m->g, n))
        return RC_OK;
    uint32_t i = merge_hash(n) & m->mask;
    for (; m->slot[i] != RC_NONE; i = (i + 1) & m->mask) {
        const struct rci_node *first = &m->g->nodes[m->slot[i]];
        if (!merge_same(first, n))
            continue;
        for (uint32_t k = 0; k < n->n_out; k++)
            RC_TRY(rci_graph_redirect(m->g, n->out[k], first->out[k]));
        rci_graph_kill_node(m->g, id);
        ++*n_changed;
        return RC_OK;
    }
    m->slot[i] = id;
    return RC_OK;
}

static rc_status merge_run(struct rc_graph *g, uint32_t *n_changed)
{
    struct merge m = {.g = g};
    rci_id *order = NULL;
    uint32_t n = 0, capacity = 64;
    RC_TRY(rci_graph_order(g, &order, &n));
    while (capacity < 2 * n)
        capacity *= 2;
    m.mask = capacity - 1;
    m.slot = rci_alloc_array(g->ctx, capacity, sizeof(*m.slot));
    rc_status st = m.slot ? RC_OK : RC_ERR_MEMORY;
    for (uint32_t i = 0; i < capacity && st == RC_OK; i++)
        m.slot[i] = RC_NONE;
    for (uint32_t i = 0; i < n && st == RC_OK; i++)
        st = merge_node(&m, order[i], n_changed);
    rci_release(m.slot);
    rci_release(order);
    return st;
}

const struct rci_pass rci_pass_merge_equal = {"merge_equal",
                                              "nodes that compute the same become one", merge_run};
