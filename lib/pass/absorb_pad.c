/* Zeros around the planes become padding of the window behind them: Pad into Conv, AveragePool
 * and, where x >= 0, MaxPool. */
#include "pass/pass.h"

/* By structure; false when that is too deep to see. */
static bool non_negative(const struct rc_graph *g, rci_id v, uint32_t depth)
{
    const rci_id p = v == RC_NONE ? RC_NONE : g->values[v].producer;
    if (p == RC_NONE || depth == 0)
        return false;
    const struct rci_node *n = &g->nodes[p];
    const enum rci_sign sign = rci_node_sign(n);
    if (sign == RC_SIGN_NON_NEGATIVE)
        return true;
    if (sign != RC_SIGN_KEEPS && !(n->op->flags & RC_OP_VIEW))
        return false;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (!non_negative(g, n->in[k], depth - 1))
            return false;
    return true;
}

static bool absorb(struct rc_graph *g, struct rci_node *n)
{
    enum { DEEP = 8 };
    struct rci_padding padding;
    if (!n->op || !n->op->absorb_padding || n->n_post || n->n_in == 0 || n->in[0] == RC_NONE)
        return false;
    const rci_id p = g->values[n->in[0]].producer;
    if (p == RC_NONE || !g->nodes[p].op->as_padding ||
        rci_graph_single_reader(g, n->in[0]) == RC_NONE ||
        !g->nodes[p].op->as_padding(g, &g->nodes[p], &padding))
        return false;
    const rci_id x = g->nodes[p].in[0];
    if (!n->op->absorb_padding(g, n, &padding, non_negative(g, x, DEEP)))
        return false;
    n->in[0] = x;
    rci_graph_kill_node(g, p);
    return true;
}

static rc_status absorb_run(struct rc_graph *g, uint32_t *n_changed)
{
    for (rci_id i = 0; i < g->n_nodes; i++)
        *n_changed += absorb(g, &g->nodes[i]);
    return RC_OK;
}

const struct rci_pass rci_pass_absorb_pad = {
    .name = "absorb_pad",
    .summary = "Pad becomes padding of Conv and pools",
    .run = absorb_run,
};
