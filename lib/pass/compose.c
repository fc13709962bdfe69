/* Two nodes of one operator in a row become one: Slices of different axes, Concat of Concat. */
#include "pass/pass.h"

#include <string.h>

/* The node alone behind operand k, when it is of the same operator. */
static rci_id before(const struct rc_graph *g, const struct rci_node *n, uint32_t k)
{
    const rci_id v = n->in[k], p = v == RC_NONE ? RC_NONE : g->values[v].producer;
    if (p == RC_NONE || g->nodes[p].op != n->op || g->nodes[p].n_post || n->n_post ||
        g->nodes[p].out[0] != v || rci_graph_single_reader(g, v) == RC_NONE)
        return RC_NONE;
    return p;
}

static bool same_axis(const struct rc_graph *g, const struct rci_node *a, const struct rci_node *b)
{
    const uint32_t rank = g->values[a->out[0]].tensor.shape.rank;
    uint32_t x, y;
    return a->op->as_concat(a, rank, &x) && b->op->as_concat(b, rank, &y) && x == y;
}

/* Operand k gives way to the operands of the node behind it. */
static rc_status splice(struct rc_graph *g, rci_id id, uint32_t k, rci_id p)
{
    struct rci_node *n = &g->nodes[id];
    const struct rci_node *q = &g->nodes[p];
    const uint32_t total = n->n_in - 1 + q->n_in;
    rci_id *in = rci_alloc_array(g->ctx, total, sizeof(*in));
    if (!in)
        return RC_ERR_MEMORY;
    memcpy(in, n->in, k * sizeof(*in));
    memcpy(in + k, q->in, q->n_in * sizeof(*in));
    memcpy(in + k + q->n_in, n->in + k + 1, (n->n_in - k - 1) * sizeof(*in));
    rci_release(n->in);
    n->in = in;
    n->n_in = total;
    rci_graph_kill_node(g, p);
    return RC_OK;
}

static rc_status compose_concat(struct rc_graph *g, rci_id id, uint32_t *n_changed)
{
    for (uint32_t k = g->nodes[id].n_in; k-- > 0;) {
        const rci_id p = before(g, &g->nodes[id], k);
        if (p == RC_NONE || !same_axis(g, &g->nodes[id], &g->nodes[p]) ||
            g->nodes[id].n_in + g->nodes[p].n_in > RC_AROUND_MOST)
            continue;
        RC_TRY(splice(g, id, k, p));
        ++*n_changed;
    }
    return RC_OK;
}

static rc_status compose_run(struct rc_graph *g, uint32_t *n_changed)
{
    rci_id *order = NULL;
    uint32_t n = 0;
    RC_TRY(rci_graph_order(g, &order, &n));
    rc_status st = RC_OK;
    for (uint32_t i = 0; i < n && st == RC_OK; i++) {
        struct rci_node *node = &g->nodes[order[i]];
        if (!node->op || node->n_in == 0)
            continue;
        if (node->op->as_concat)
            st = compose_concat(g, order[i], n_changed);
        const rci_id p = node->op->compose ? before(g, node, 0) : RC_NONE;
        if (p == RC_NONE || !node->op->compose(g, node, &g->nodes[p]))
            continue;
        node->in[0] = g->nodes[p].in[0];
        rci_graph_kill_node(g, p);
        ++*n_changed;
    }
    rci_release(order);
    return st;
}

const struct rci_pass rci_pass_compose = {
    .name = "compose",
    .summary = "Slice of Slice and Concat of Concat become one",
    .run = compose_run,
};
