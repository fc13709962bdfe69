/* Tensors around a node; multiply-adds, parameters and bytes at the graph's inferred shapes,
 * divided to batch 1. */
#include "graph/graph.h"

static void cost_gather(const struct rc_graph *g, const rci_id *id, uint32_t n,
                        const struct rci_tensor *tensors, struct rci_tensor *out)
{
    for (uint32_t k = 0; k < n; k++) {
        if (id[k] == RC_NONE)
            out[k] = (struct rci_tensor){0};
        else
            out[k] = tensors ? tensors[id[k]] : g->values[id[k]].tensor;
    }
}

void rci_node_operands(const struct rc_graph *g, const struct rci_node *n,
                       const struct rci_tensor *tensors, struct rci_tensor *in)
{
    cost_gather(g, n->in, n->n_in, tensors, in);
}

bool rci_node_around(const struct rc_graph *g, const struct rci_node *n,
                     const struct rci_tensor *tensors, struct rci_around *out)
{
    if (n->n_in > RC_AROUND_MOST || n->n_out > RC_AROUND_MOST)
        return false;
    cost_gather(g, n->in, n->n_in, tensors, out->in);
    cost_gather(g, n->out, n->n_out, tensors, out->out);
    return true;
}

struct rci_cost rci_node_work(const struct rc_graph *g, const struct rci_node *n,
                              const struct rci_tensor *tensors)
{
    struct rci_around a;
    if (!n->op->cost || !rci_node_around(g, n, tensors, &a))
        return (struct rci_cost){0, 0};
    return n->op->cost(n, a.in, a.out);
}

static struct rci_cost node_cost(const struct rc_graph *g, const struct rci_node *n)
{
    struct rci_cost c = rci_node_work(g, n, NULL);
    c.macs /= (uint64_t) g->batch;
    c.elementwise /= (uint64_t) g->batch;
    return c;
}

/* Weights only: float (or, after quantization, integer) constants of at least one dimension;
 * shapes, axes and scales of a few integers are structure, not parameters. */
static bool is_weight(const struct rci_value *v)
{
    const enum rci_dtype d = v->tensor.dtype;
    return rci_value_is_const(v) && v->tensor.shape.rank > 0 && d != RC_I64 && d != RC_BOOL;
}

rc_status rci_node_cost(const struct rc_graph *g, rci_id node, struct rci_cost *cost,
                        uint64_t *parameters)
{
    const struct rci_node *n = &g->nodes[node];
    if (cost)
        *cost = node_cost(g, n);
    uint64_t p = 0;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != RC_NONE && is_weight(&g->values[n->in[k]]))
            p += (uint64_t) rci_shape_count(&g->values[n->in[k]].tensor.shape);
    if (parameters)
        *parameters = p;
    return RC_OK;
}

rc_status rci_graph_cost(const struct rc_graph *g, struct rci_graph_cost *out)
{
    struct rci_graph_cost t = {0, 0, 0};
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op)
            t.macs += node_cost(g, &g->nodes[i]).macs;
    for (rci_id v = 0; v < g->n_values; v++) /* shared weights count once */
        if (is_weight(&g->values[v])) {
            t.parameters += (uint64_t) rci_shape_count(&g->values[v].tensor.shape);
            t.weight_bytes += rci_value_stored_bytes(&g->values[v]);
        }
    *out = t;
    return RC_OK;
}
