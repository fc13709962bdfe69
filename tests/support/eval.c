/* A whole graph in plain C: every value gets its own array, every node runs op->forward. */
#include "eval.h"

#include <string.h>

enum { EVAL_OPERANDS = 256 };

static rc_status eval_node(const struct rc_graph *g, const struct rci_node *n,
                           struct rci_tensor *value)
{
    struct rci_tensor in[EVAL_OPERANDS] = {{0}}, out[EVAL_OPERANDS] = {{0}};
    if (n->n_in > EVAL_OPERANDS || n->n_out > EVAL_OPERANDS)
        return rci_fail(RC_ERR_LIMIT, "node \"%s\": too many operands for a test", n->name);
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != RC_NONE)
            in[k] = value[n->in[k]];
    for (uint32_t k = 0; k < n->n_out; k++) {
        if (n->out[k] == RC_NONE)
            continue;
        const struct rci_tensor *t = &g->values[n->out[k]].tensor;
        RC_TRY(rci_tensor_new(&value[n->out[k]], g->ctx, t->dtype, &t->shape));
        out[k] = value[n->out[k]];
    }
    const struct rci_call c = {.node = n, .ctx = g->ctx, .in = in, .out = out};
    if (!n->op->forward)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": %s has no plain forward", n->name,
                        n->op->name);
    return n->op->forward(&c);
}

rc_status eval_graph(const struct rc_graph *g, const struct rci_tensor *in, struct rci_tensor *out)
{
    rci_id *order = NULL;
    uint32_t n = 0;
    struct rci_tensor *value = rci_alloc_array(g->ctx, g->n_values, sizeof(*value));
    memset(out, 0, g->n_outputs * sizeof(*out));
    if (!value)
        return RC_ERR_MEMORY;
    for (rci_id v = 0; v < g->n_values; v++)
        value[v] = g->values[v].tensor;
    for (uint32_t k = 0; k < g->n_inputs; k++)
        value[g->inputs[k]].data = in[k].data;
    rc_status st = rci_graph_order(g, &order, &n);
    for (uint32_t i = 0; i < n && st == RC_OK; i++)
        st = eval_node(g, &g->nodes[order[i]], value);
    for (uint32_t k = 0; k < g->n_outputs && st == RC_OK; k++)
        st = rci_tensor_copy(&out[k], g->ctx, &value[g->outputs[k]]);
    for (rci_id v = 0; v < g->n_values; v++)
        if (g->values[v].producer != RC_NONE)
            rci_tensor_free(&value[v]);
    for (uint32_t k = 0; k < g->n_outputs && st != RC_OK; k++)
        rci_tensor_free(&out[k]);
    rci_release(order);
    rci_release(value);
    return st;
}
