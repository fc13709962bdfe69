/* Shapes of all values from the shapes of the inputs. */
#include "graph/graph.h"

#include <string.h>

static rc_status check_result(const struct rci_node *n, uint32_t k, const struct rci_tensor *t)
{
    int64_t count;
    char text[RC_SHAPE_TEXT];
    if (!t->dtype || t->shape.rank > RC_MAX_DIMS || !rci_shape_count_checked(&t->shape, &count))
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": output %u of shape %s is not representable",
                        n->name, k, rci_shape_text(&t->shape, text));
    return RC_OK;
}

enum { OPERANDS_LOOKED_AT = 8 };

static rc_status infer_node(const struct rc_graph *g, const struct rci_node *n,
                            struct rci_tensor *shapes, struct rci_tensor *in,
                            struct rci_tensor *out)
{
    if (n->n_in > RC_NODE_MOST || n->n_out > RC_NODE_MOST)
        return rci_fail(RC_ERR_LIMIT, "node \"%s\": %u operands and %u results, at most %d each",
                        n->name, n->n_in, n->n_out, RC_NODE_MOST);
    rci_node_operands(g, n, shapes, in);
    /* optional operands behind those that the node has are absent */
    if (n->n_in < OPERANDS_LOOKED_AT)
        memset(in + n->n_in, 0, (OPERANDS_LOOKED_AT - n->n_in) * sizeof(*in));
    memset(out, 0, n->n_out * sizeof(*out));
    const struct rci_infer i = {g, n, in, out};
    RC_TRY(n->op->infer(&i));
    for (uint32_t k = 0; k < n->n_out; k++) {
        if (n->out[k] == RC_NONE)
            continue;
        RC_TRY(check_result(n, k, &out[k]));
        out[k].data = NULL;
        shapes[n->out[k]] = out[k];
    }
    return RC_OK;
}

static rc_status set_inputs(const struct rc_graph *g, int64_t batch, struct rci_tensor *shapes)
{
    if (batch < 1 || (!g->dynamic_batch && batch != g->batch))
        return rci_fail(RC_ERR_SHAPE, "batch is %lld, the model allows %s%lld", (long long) batch,
                        g->dynamic_batch ? "any from " : "only ",
                        g->dynamic_batch ? 1LL : (long long) g->batch);
    for (uint32_t v = 0; v < g->n_values; v++)
        shapes[v] = g->values[v].tensor;
    for (uint32_t k = 0; k < g->n_inputs && g->dynamic_batch; k++)
        if (shapes[g->inputs[k]].shape.rank)
            shapes[g->inputs[k]].shape.dim[0] = batch;
    return RC_OK;
}

rc_status rci_graph_infer_at(const struct rc_graph *g, int64_t batch, struct rci_tensor *shapes)
{
    rci_id *order;
    uint32_t n;
    RC_TRY(set_inputs(g, batch, shapes));
    RC_TRY(rci_graph_order(g, &order, &n));
    rc_status st = RC_OK;
    struct rci_tensor *in = rci_alloc_array(g->ctx, RC_NODE_MOST, sizeof(*in));
    struct rci_tensor *out = rci_alloc_array(g->ctx, RC_NODE_MOST, sizeof(*out));
    if (!in || !out)
        st = RC_ERR_MEMORY;
    for (uint32_t i = 0; i < n && st == RC_OK; i++)
        st = infer_node(g, &g->nodes[order[i]], shapes, in, out);
    rci_release(out);
    rci_release(in);
    rci_release(order);
    return st;
}

rc_status rci_graph_infer(struct rc_graph *g)
{
    struct rci_tensor *shapes = rci_alloc_array(g->ctx, g->n_values, sizeof(*shapes));
    if (!shapes)
        return RC_ERR_MEMORY;
    const rc_status st = rci_graph_infer_at(g, g->batch, shapes);
    for (uint32_t v = 0; v < g->n_values && st == RC_OK; v++)
        if (g->values[v].producer != RC_NONE)
            g->values[v].tensor = shapes[v];
    rci_release(shapes);
    return st;
}
