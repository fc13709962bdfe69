/* The structural rules every pass must leave true. */
#include "graph/graph.h"

#include <string.h>

static rc_status verify_range(const struct rci_node *n, const char *what, uint32_t have,
                              uint32_t min, uint32_t max)
{
    if (have >= min && (max == RC_VARIADIC || have <= max))
        return RC_OK;
    if (max == RC_VARIADIC)
        return rci_fail(RC_ERR_MODEL, "node \"%s\" (%s): %u %s, at least %u needed", n->name,
                        n->op->name, have, what, min);
    return rci_fail(RC_ERR_MODEL, "node \"%s\" (%s): %u %s, allowed are %u to %u", n->name,
                    n->op->name, have, what, min, max);
}

static bool value_alive(const struct rc_graph *g, rci_id v)
{
    return v < g->n_values && !(g->values[v].flags & RC_VALUE_DEAD);
}

static rc_status check_in(const struct rc_graph *g, const struct rci_node *n, uint32_t k)
{
    const rci_id v = n->in[k];
    if (v == RC_NONE) {
        if (k < n->op->min_in)
            return rci_fail(RC_ERR_MODEL, "node \"%s\" (%s): operand %u is required", n->name,
                            n->op->name, k);
        return RC_OK;
    }
    if (!value_alive(g, v))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": operand %u does not exist", n->name, k);
    const struct rci_value *x = &g->values[v];
    if (x->producer == RC_NONE && !rci_value_is_const(x) && !(x->flags & RC_VALUE_INPUT))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": operand %u \"%s\" is not defined", n->name, k,
                        x->name);
    return RC_OK;
}

static rc_status check_node(const struct rc_graph *g, rci_id id)
{
    const struct rci_node *n = &g->nodes[id];
    uint32_t base = n->n_in; /* operands of posts come behind the operator's own */
    for (uint32_t p = 0; p < n->n_post; p++)
        base -= n->post[p].kind == RC_POST_ADD;
    if (!n->op->infer)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": %s has no shape rule", n->name,
                        n->op->name);
    RC_TRY(verify_range(n, "operands", base, n->op->min_in, n->op->max_in));
    RC_TRY(verify_range(n, "results", n->n_out, n->op->min_out, n->op->max_out));
    for (uint32_t k = 0; k < n->n_in; k++)
        RC_TRY(check_in(g, n, k));
    for (uint32_t k = 0; k < n->n_out; k++) {
        const rci_id v = n->out[k];
        if (v == RC_NONE)
            continue;
        if (!value_alive(g, v) || g->values[v].producer != id || g->values[v].producer_out != k)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": result %u is not its own", n->name, k);
    }
    return RC_OK;
}

static rc_status check_names(const struct rc_graph *g)
{
    for (rci_id v = 0; v < g->n_values; v++) {
        const struct rci_value *x = &g->values[v];
        if (x->flags & RC_VALUE_DEAD)
            continue;
        if (!x->name || rci_graph_find_value(g, x->name) != v)
            return rci_fail(RC_ERR_MODEL, "name \"%s\" defined twice", x->name ? x->name : "");
    }
    return RC_OK;
}

rc_status rci_graph_verify(const struct rc_graph *g)
{
    rci_id *order;
    uint32_t n;
    RC_TRY(check_names(g));
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op)
            RC_TRY(check_node(g, i));
    if (!g->n_outputs)
        return rci_fail(RC_ERR_MODEL, "the graph has no outputs");
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        const rci_id v = g->outputs[i];
        if (!value_alive(g, v))
            return rci_fail(RC_ERR_MODEL, "graph output %u does not exist", i);
        const struct rci_value *x = &g->values[v];
        if (x->producer == RC_NONE && !rci_value_is_const(x) && !(x->flags & RC_VALUE_INPUT))
            return rci_fail(RC_ERR_MODEL, "graph output \"%s\" is not defined", x->name);
    }
    RC_TRY(rci_graph_order(g, &order, &n));
    rci_release(order);
    return RC_OK;
}
