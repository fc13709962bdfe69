/* Which nodes are one box, and where each box lies: its row is one below the lowest of those it
 * reads, its column that of the one it reads there, or the next that is free. */
#include "report/diagram.h"

#include <string.h>

enum { COLUMNS = 64 };

struct maker {
    struct rci_diagram *d;
    const struct rc_graph *g;
    struct rci_readers readers;
    uint32_t *box_of;                    /* by value; UINT32_MAX: none */
    uint64_t *columns;                   /* by row: those that are taken */
    uint32_t *seen;                      /* by box: the last node that reads it, +1 */
    uint32_t from[RC_NODE_MOST], n_from; /* boxes that the node reads */
};

static rc_status add_box(struct maker *m, const char *ops, const char *name, uint32_t *out)
{
    struct rci_diagram *d = m->d;
    RC_TRY(rci_grow(d->ctx, &d->box, d->n_boxes, &d->cap_boxes, sizeof(*d->box)));
    struct rci_box b = {.ops = rci_strdup(d->ctx, ops), .name = rci_strdup(d->ctx, name)};
    if (!b.ops || !b.name) {
        rci_release(b.ops);
        rci_release(b.name);
        return RC_ERR_MEMORY;
    }
    *out = d->n_boxes;
    d->box[d->n_boxes++] = b;
    return RC_OK;
}

/* Boxes behind the node's operands, each once. */
static void find_sources(struct maker *m, rci_id id)
{
    const struct rci_node *n = &m->g->nodes[id];
    m->n_from = 0;
    for (uint32_t k = 0; k < n->n_in && m->n_from < RC_NODE_MOST; k++) {
        const uint32_t b = n->in[k] == RC_NONE ? UINT32_MAX : m->box_of[n->in[k]];
        if (b == UINT32_MAX || m->seen[b] == id + 1)
            continue;
        m->seen[b] = id + 1;
        m->from[m->n_from++] = b;
    }
}

static bool is_conversion(const struct rci_node *n)
{
    const enum rci_quant_role role = rci_node_quant(n);
    return role == RC_QUANT_TO_INTEGER || role == RC_QUANT_TO_REAL;
}

/* It works on one result that nobody else reads, element by element or by channels. */
static bool belongs(const struct maker *m, const struct rci_node *n)
{
    const bool small = rci_node_has(n, RC_OP_POINTWISE | RC_OP_VIEW) || n->op->as_norm;
    if (m->n_from != 1 || !(small || is_conversion(n)) || m->d->box[m->from[0]].input)
        return false;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const rci_id v = n->in[k];
        if (v != RC_NONE && m->box_of[v] != UINT32_MAX &&
            (m->readers.start[v + 1] - m->readers.start[v] != 1 ||
             m->g->values[v].flags & RC_VALUE_OUTPUT))
            return false;
    }
    return true;
}

static rc_status join(struct maker *m, const struct rci_node *n, uint32_t box)
{
    struct rci_box *b = &m->d->box[box];
    if (is_conversion(n)) {
        b->quantized = true;
        return RC_OK;
    }
    char *ops = rci_format(m->d->ctx, "%s + %s", b->ops, n->op->name);
    if (!ops)
        return RC_ERR_MEMORY;
    rci_release(b->ops);
    b->ops = ops;
    return RC_OK;
}

static rc_status place(struct maker *m, uint32_t box)
{
    struct rci_diagram *d = m->d;
    struct rci_box *b = &d->box[box];
    for (uint32_t k = 0; k < m->n_from; k++) {
        const struct rci_box *f = &d->box[m->from[k]];
        if (f->row + 1 > b->row) {
            b->row = f->row + 1;
            b->column = f->column;
        }
        RC_TRY(rci_grow(d->ctx, &d->wire, d->n_wires, &d->cap_wires, sizeof(*d->wire)));
        d->wire[d->n_wires++] = (struct rci_wire){m->from[k], box};
    }
    while (b->column + 1 < COLUMNS && m->columns[b->row] >> b->column & 1)
        b->column++;
    m->columns[b->row] |= UINT64_C(1) << b->column;
    d->rows = b->row + 1 > d->rows ? b->row + 1 : d->rows;
    d->columns = b->column + 1 > d->columns ? b->column + 1 : d->columns;
    return RC_OK;
}

static rc_status add_input(struct maker *m, rci_id v)
{
    uint32_t box;
    RC_TRY(add_box(m, "input", m->g->values[v].name, &box));
    m->d->box[box].input = true;
    m->d->box[box].shape = m->g->values[v].tensor.shape;
    m->box_of[v] = box;
    m->n_from = 0;
    return place(m, box);
}

/* A node that only reads constants is no box. */
static rc_status add_node(struct maker *m, rci_id id)
{
    const struct rci_node *n = &m->g->nodes[id];
    struct rci_cost cost;
    uint64_t parameters;
    uint32_t box;
    find_sources(m, id);
    if (m->n_from == 0)
        return RC_OK;
    if (belongs(m, n)) {
        box = m->from[0];
        RC_TRY(join(m, n, box));
    } else {
        RC_TRY(add_box(m, n->op->name, n->name, &box));
        RC_TRY(place(m, box));
    }
    struct rci_box *b = &m->d->box[box];
    RC_TRY(rci_node_cost(m->g, id, &cost, &parameters));
    b->macs += cost.macs;
    b->parameters += parameters;
    for (uint32_t k = 0; k < n->n_out; k++)
        if (n->out[k] != RC_NONE) {
            m->box_of[n->out[k]] = box;
            b->output |= (m->g->values[n->out[k]].flags & RC_VALUE_OUTPUT) != 0;
        }
    if (n->n_out && n->out[0] != RC_NONE)
        b->shape = m->g->values[n->out[0]].tensor.shape;
    return RC_OK;
}

static rc_status make_all(struct maker *m)
{
    const struct rc_graph *g = m->g;
    rci_id *order = NULL;
    uint32_t n = 0;
    for (rci_id v = 0; v < g->n_values; v++)
        m->box_of[v] = UINT32_MAX;
    RC_TRY(rci_graph_readers(g, &m->readers));
    rc_status st = rci_graph_order(g, &order, &n);
    for (uint32_t i = 0; i < g->n_inputs && st == RC_OK; i++)
        st = add_input(m, g->inputs[i]);
    for (uint32_t i = 0; i < n && st == RC_OK; i++)
        st = add_node(m, order[i]);
    rci_release(order);
    rci_readers_free(&m->readers);
    return st;
}

rc_status rci_diagram_make(struct rci_diagram *d, const struct rc_graph *g)
{
    const size_t boxes = (size_t) g->n_nodes + g->n_inputs + 1;
    *d = (struct rci_diagram){.ctx = g->ctx};
    struct maker *m = RC_NEW(g->ctx, struct maker);
    if (!m)
        return RC_ERR_MEMORY;
    m->d = d;
    m->g = g;
    m->box_of = rci_alloc_array(g->ctx, g->n_values + 1u, sizeof(*m->box_of));
    m->columns = rci_alloc_array(g->ctx, boxes, sizeof(*m->columns));
    m->seen = rci_alloc_array(g->ctx, boxes, sizeof(*m->seen));
    const rc_status st = m->box_of && m->columns && m->seen ? make_all(m) : RC_ERR_MEMORY;
    rci_release(m->seen);
    rci_release(m->columns);
    rci_release(m->box_of);
    rci_release(m);
    if (st != RC_OK)
        rci_diagram_free(d);
    return st;
}

void rci_diagram_free(struct rci_diagram *d)
{
    for (uint32_t i = 0; i < d->n_boxes; i++) {
        rci_release(d->box[i].ops);
        rci_release(d->box[i].name);
    }
    rci_release(d->box);
    rci_release(d->wire);
    *d = (struct rci_diagram){0};
}
