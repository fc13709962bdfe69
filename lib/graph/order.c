/* Topological order and reader tables. */
#include "graph/graph.h"

#include <string.h>

uint32_t rci_graph_count_readers(const struct rc_graph *g, rci_id value)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; g->nodes[i].op && k < g->nodes[i].n_in; k++)
            n += g->nodes[i].in[k] == value;
    for (uint32_t i = 0; i < g->n_outputs; i++)
        n += g->outputs[i] == value;
    return n;
}

rci_id rci_graph_single_reader(const struct rc_graph *g, rci_id value)
{
    rci_id reader = RC_NONE;
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; g->nodes[i].op && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] == value) {
                reader = i;
                n++;
            }
    return n == 1 && !(g->values[value].flags & RC_VALUE_OUTPUT) ? reader : RC_NONE;
}

void rci_readers_free(struct rci_readers *r)
{
    rci_release(r->start);
    rci_release(r->node);
    rci_release(r->operand);
    *r = (struct rci_readers){0};
}

/* Counting sort of all (value, node, operand) triples by value. */
rc_status rci_graph_readers(const struct rc_graph *g, struct rci_readers *out)
{
    size_t total = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        total += g->nodes[i].op ? g->nodes[i].n_in : 0;
    struct rci_readers r = {rci_alloc_array(g->ctx, (size_t) g->n_values + 2, sizeof(uint32_t)),
                            rci_alloc_array(g->ctx, total, sizeof(rci_id)),
                            rci_alloc_array(g->ctx, total, sizeof(uint32_t))};
    if (!r.start || !r.node || !r.operand) {
        rci_readers_free(&r);
        return RC_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; g->nodes[i].op && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] != RC_NONE)
                r.start[g->nodes[i].in[k] + 2]++;
    for (uint32_t v = 2; v < g->n_values + 2; v++)
        r.start[v] += r.start[v - 1];
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; g->nodes[i].op && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] != RC_NONE) {
                const uint32_t at = r.start[g->nodes[i].in[k] + 1]++;
                r.node[at] = i;
                r.operand[at] = k;
            }
    *out = r;
    return RC_OK;
}

/* Binary heap of ready node ids: smallest id first makes the order unique. */
static void heap_push(rci_id *heap, uint32_t *n, rci_id x)
{
    uint32_t i = (*n)++;
    for (; i && heap[(i - 1) / 2] > x; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = x;
}

static rci_id heap_pop(rci_id *heap, uint32_t *n)
{
    const rci_id top = heap[0], x = heap[--(*n)];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < *n && heap[child + 1] < heap[child])
            child++;
        if (child >= *n || heap[child] >= x)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = x;
    return top;
}

/* Operands that some node still has to produce. */
static uint32_t count_waiting(const struct rc_graph *g, const struct rci_node *n)
{
    uint32_t w = 0;
    for (uint32_t k = 0; k < n->n_in; k++)
        w += n->in[k] != RC_NONE && g->values[n->in[k]].producer != RC_NONE;
    return w;
}

static void release_readers(const struct rc_graph *g, const struct rci_readers *r, rci_id node,
                            uint32_t *waiting, rci_id *heap, uint32_t *n_heap)
{
    for (uint32_t o = 0; o < g->nodes[node].n_out; o++) {
        const rci_id v = g->nodes[node].out[o];
        for (uint32_t k = v == RC_NONE ? 1 : r->start[v]; v != RC_NONE && k < r->start[v + 1]; k++)
            if (--waiting[r->node[k]] == 0)
                heap_push(heap, n_heap, r->node[k]);
    }
}

static rc_status report_cycle(const struct rc_graph *g, const uint32_t *waiting)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && waiting[i])
            return rci_fail(RC_ERR_MODEL, "node \"%s\" is on a cycle or behind one",
                            g->nodes[i].name);
    return RC_OK;
}

rc_status rci_graph_order(const struct rc_graph *g, rci_id **out, uint32_t *n_out)
{
    struct rci_readers r = {0};
    rc_status st = RC_ERR_MEMORY;
    uint32_t n_heap = 0, n = 0;
    rci_id *order = rci_alloc_array(g->ctx, g->n_nodes, sizeof(rci_id));
    rci_id *heap = rci_alloc_array(g->ctx, g->n_nodes, sizeof(rci_id));
    uint32_t *waiting = rci_alloc_array(g->ctx, g->n_nodes, sizeof(uint32_t));
    if (!order || !heap || !waiting)
        goto out;
    RC_TRY_OUT(st, rci_graph_readers(g, &r));
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && (waiting[i] = count_waiting(g, &g->nodes[i])) == 0)
            heap_push(heap, &n_heap, i);
    while (n_heap) {
        order[n] = heap_pop(heap, &n_heap);
        release_readers(g, &r, order[n++], waiting, heap, &n_heap);
    }
    RC_TRY_OUT(st, report_cycle(g, waiting));
    *out = order;
    *n_out = n;
    order = NULL;
out:
    rci_readers_free(&r);
    rci_release(waiting);
    rci_release(heap);
    rci_release(order);
    return st;
}
