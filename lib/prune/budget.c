#include "prune/budget.h"

enum { MAX_OPERANDS = 64 };

static struct rci_tensor reduced(const struct rci_budget *b, rci_id value)
{
    if (value == RC_NONE)
        return (struct rci_tensor){0};
    struct rci_tensor t = b->c->links->g->values[value].tensor;
    for (uint32_t a = 0; a < t.shape.rank; a++)
        t.shape.dim[a] = b->length[value * RC_MAX_DIMS + a];
    return t;
}

static uint64_t macs_of(const struct rci_budget *b, rci_id node)
{
    struct rci_tensor in[MAX_OPERANDS], out[MAX_OPERANDS];
    const struct rc_graph *g = b->c->links->g;
    const struct rci_node *n = &g->nodes[node];
    if (b->gone[node] || !n->op || !n->op->cost || n->n_in > MAX_OPERANDS ||
        n->n_out > MAX_OPERANDS)
        return 0;
    for (uint32_t i = 0; i < n->n_in; i++)
        in[i] = reduced(b, n->in[i]);
    for (uint32_t i = 0; i < n->n_out; i++)
        out[i] = reduced(b, n->out[i]);
    return n->op->cost(n, in, out).macs / (uint64_t) g->batch;
}

static bool readers_gone(const struct rci_budget *b, rci_id value)
{
    const uint32_t from = b->readers.start[value], to = b->readers.start[value + 1];
    for (uint32_t i = from; i < to; i++)
        if (!b->gone[b->readers.node[i]])
            return false;
    return to > from;
}

/* The same constants that rci_graph_cost() counts. */
static uint64_t parameters_of(const struct rci_budget *b, rci_id value)
{
    const struct rci_value *v = &b->c->links->g->values[value];
    if (!rci_value_is_const(v) || !v->tensor.shape.rank || v->tensor.dtype == RC_I64 ||
        v->tensor.dtype == RC_BOOL || readers_gone(b, value))
        return 0;
    const struct rci_tensor t = reduced(b, value);
    return (uint64_t) rci_shape_count(&t.shape);
}

static void touch_readers(struct rci_budget *b, rci_id value, uint32_t *n)
{
    const rci_id producer = b->c->links->g->values[value].producer;
    if (producer != RC_NONE && b->stamp[producer] != b->now) {
        b->stamp[producer] = b->now;
        b->touched[(*n)++] = producer;
    }
    for (uint32_t i = b->readers.start[value]; i < b->readers.start[value + 1]; i++) {
        const rci_id node = b->readers.node[i];
        if (b->stamp[node] == b->now)
            continue;
        b->stamp[node] = b->now;
        b->touched[(*n)++] = node;
    }
}

void rci_budget_change(struct rci_budget *b, const uint32_t *unit, uint32_t n, int sign)
{
    uint32_t n_touched = 0;
    b->now++;
    for (uint32_t u = 0; u < n; u++) {
        uint32_t n_ids;
        const uint32_t *id = rci_unit_ids(b->c, unit[u], &n_ids);
        for (uint32_t i = 0; i < n_ids; i++) {
            const uint32_t row = b->c->links->row_of[id[i]], value = row / RC_MAX_DIMS;
            const uint64_t before = parameters_of(b, value);
            b->length[row] += (uint32_t) sign;
            const uint64_t change = parameters_of(b, value) - before;
            b->parameters += change;
            b->bytes += change * rci_dtype_size(b->c->links->g->values[value].tensor.dtype);
            touch_readers(b, value, &n_touched);
        }
    }
    for (uint32_t i = 0; i < n_touched; i++) {
        const rci_id node = b->touched[i];
        const uint64_t macs = macs_of(b, node);
        b->macs += macs - b->node_macs[node];
        b->node_macs[node] = macs;
    }
}

static void count_all(struct rci_budget *b)
{
    const struct rc_graph *g = b->c->links->g;
    b->macs = b->parameters = b->bytes = 0;
    for (rci_id i = 0; i < g->n_nodes; i++)
        b->macs += b->node_macs[i] = macs_of(b, i);
    for (rci_id v = 0; v < g->n_values; v++) {
        const uint64_t n = parameters_of(b, v);
        b->parameters += n;
        if (n)
            b->bytes += n * rci_dtype_size(g->values[v].tensor.dtype);
    }
}

void rci_budget_drop(struct rci_budget *b, const rci_id *node, uint32_t n, bool gone)
{
    for (uint32_t i = 0; i < n; i++)
        b->gone[node[i]] = gone;
    count_all(b);
}

static rc_status budget_fill(struct rci_budget *b)
{
    const struct rci_links *l = b->c->links;
    const struct rc_graph *g = l->g;
    b->length = rci_alloc_array(g->ctx, l->n_rows, sizeof(*b->length));
    b->node_macs = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*b->node_macs));
    b->touched = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*b->touched));
    b->stamp = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*b->stamp));
    b->gone = rci_alloc_array(g->ctx, g->n_nodes, sizeof(*b->gone));
    if (!b->gone || !b->length || !b->node_macs || !b->touched || !b->stamp)
        return RC_ERR_MEMORY;
    RC_TRY(rci_graph_readers(g, &b->readers));
    for (uint32_t row = 0; row < l->n_rows; row++)
        b->length[row] = (uint32_t) l->shape[row / RC_MAX_DIMS].dim[row % RC_MAX_DIMS];
    count_all(b);
    return RC_OK;
}

rc_status rci_budget_new(struct rci_budget **out, const struct rci_coupling *c)
{
    *out = NULL;
    struct rci_budget *b = RC_NEW(c->links->ctx, struct rci_budget);
    if (!b)
        return RC_ERR_MEMORY;
    b->c = c;
    const rc_status st = budget_fill(b);
    if (st != RC_OK) {
        rci_budget_free(b);
        return st;
    }
    *out = b;
    return RC_OK;
}

void rci_budget_free(struct rci_budget *b)
{
    if (!b)
        return;
    rci_release(b->length);
    rci_release(b->node_macs);
    rci_release(b->touched);
    rci_release(b->stamp);
    rci_release(b->gone);
    rci_readers_free(&b->readers);
    rci_release(b);
}
