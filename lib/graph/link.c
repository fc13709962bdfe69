/* Ids of all axes of all values, and the union-find over them that couple() rules fill. */
#include "graph/link.h"

#include <string.h>

/* Axes of the node being coupled: which are named, and which hang together inside this node. */
struct rci_link_scratch {
    uint32_t capacity; /* slots: operands * RC_MAX_DIMS, inputs first, then outputs */
    bool *named;
    uint32_t *parent;
};

static rci_id operand_value(const struct rci_links *l, int32_t operand)
{
    const struct rci_node *n = l->node;
    if (operand >= 0)
        return (uint32_t) operand < n->n_in ? n->in[operand] : RC_NONE;
    const uint32_t out = (uint32_t) (-1 - operand);
    return out < n->n_out ? n->out[out] : RC_NONE;
}

const struct rci_shape *rci_links_shape(const struct rci_links *l, int32_t operand)
{
    const rci_id v = operand_value(l, operand);
    return v == RC_NONE ? NULL : &l->shape[v];
}

/* false: no such operand or axis */
static bool axis_row(const struct rci_links *l, struct rci_axis a, uint32_t *row)
{
    const rci_id v = operand_value(l, a.operand);
    if (v == RC_NONE || a.axis >= l->shape[v].rank)
        return false;
    *row = v * RC_MAX_DIMS + a.axis;
    return true;
}

static int64_t row_length(const struct rci_links *l, uint32_t row)
{
    return l->shape[row / RC_MAX_DIMS].dim[row % RC_MAX_DIMS];
}

static uint32_t link_root(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

/* The smaller root stays, so that the result does not depend on the order of links. */
static void unite(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = link_root(parent, a);
    b = link_root(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

uint32_t rci_links_find(struct rci_links *l, uint32_t id)
{
    return link_root(l->parent, id);
}

static uint32_t slot_of(const struct rci_links *l, struct rci_axis a)
{
    const uint32_t operand =
        a.operand >= 0 ? (uint32_t) a.operand : l->node->n_in + (uint32_t) (-1 - a.operand);
    return operand * RC_MAX_DIMS + a.axis;
}

static void fix_row(struct rci_links *l, uint32_t row, rci_id by)
{
    if (l->fixed_by[row] == RC_NONE)
        l->fixed_by[row] = by;
}

static rci_id current_node(const struct rci_links *l)
{
    return (rci_id) (l->node - l->g->nodes);
}

/* Both rows of a link, noted as named by this node; false when one of them does not exist. */
static bool link_rows(struct rci_links *l, struct rci_axis a, struct rci_axis b, uint32_t row[2])
{
    if (!axis_row(l, a, &row[0]) || !axis_row(l, b, &row[1]))
        return false;
    const uint32_t sa = slot_of(l, a), sb = slot_of(l, b);
    l->scratch->named[sa] = l->scratch->named[sb] = true;
    unite(l->scratch->parent, sa, sb);
    return true;
}

static void fix_both(struct rci_links *l, const uint32_t row[2])
{
    fix_row(l, row[0], current_node(l));
    fix_row(l, row[1], current_node(l));
}

void rci_link_same(struct rci_links *l, struct rci_axis a, struct rci_axis b)
{
    uint32_t row[2];
    if (!link_rows(l, a, b, row))
        return;
    const int64_t n = row_length(l, row[0]);
    if (n != row_length(l, row[1])) {
        fix_both(l, row);
        return;
    }
    for (uint32_t k = 0; k < n; k++)
        unite(l->parent, l->base[row[0]] + k, l->base[row[1]] + k);
}

void rci_link_offset(struct rci_links *l, struct rci_axis part, struct rci_axis whole,
                     int64_t offset, int64_t step)
{
    uint32_t row[2];
    if (!link_rows(l, part, whole, row))
        return;
    const int64_t n = row_length(l, row[0]), limit = row_length(l, row[1]);
    const int64_t last = n > 0 ? offset + (n - 1) * step : offset;
    if (n > 0 && (offset < 0 || offset >= limit || last < 0 || last >= limit)) {
        fix_both(l, row);
        return;
    }
    for (int64_t k = 0; k < n; k++)
        unite(l->parent, l->base[row[0]] + (uint32_t) k,
              l->base[row[1]] + (uint32_t) (offset + k * step));
}

void rci_link_repeat(struct rci_links *l, struct rci_axis a, struct rci_axis b, int64_t count)
{
    uint32_t row[2];
    if (!link_rows(l, a, b, row))
        return;
    const int64_t n = row_length(l, row[0]);
    if (count < 1 || n * count != row_length(l, row[1])) {
        fix_both(l, row);
        return;
    }
    for (int64_t i = 0; i < n * count; i++)
        unite(l->parent, l->base[row[0]] + (uint32_t) (i / count), l->base[row[1]] + (uint32_t) i);
}

void rci_link_runs(struct rci_links *l, struct rci_axis a, int64_t count)
{
    uint32_t row;
    if (!axis_row(l, a, &row))
        return;
    const int64_t n = row_length(l, row);
    if (count < 1 || n % count) {
        fix_row(l, row, current_node(l));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        unite(l->parent, l->base[row] + (uint32_t) (i / count * count),
              l->base[row] + (uint32_t) i);
}

void rci_link_blocks(struct rci_links *l, struct rci_axis a, int64_t groups)
{
    uint32_t row;
    if (!axis_row(l, a, &row))
        return;
    const int64_t n = row_length(l, row);
    if (groups < 1 || n % groups) {
        fix_row(l, row, current_node(l));
        return;
    }
    const int64_t per = n / groups;
    for (int64_t i = per; i < n; i++)
        unite(l->parent, l->base[row] + (uint32_t) i, l->base[row] + (uint32_t) (i % per));
}

void rci_link_zero(struct rci_links *l, struct rci_axis a, int64_t from, int64_t count)
{
    uint32_t row;
    if (!axis_row(l, a, &row))
        return;
    for (int64_t k = from < 0 ? 0 : from; k < from + count && k < row_length(l, row); k++)
        l->zero[l->base[row] + (uint32_t) k] = 1;
}

void rci_link_fixed(struct rci_links *l, struct rci_axis a)
{
    uint32_t row;
    if (axis_row(l, a, &row))
        fix_row(l, row, current_node(l));
}

const int32_t *rci_links_kept(const struct rci_links *l, struct rci_axis a, uint32_t *n)
{
    uint32_t row;
    *n = 0;
    if (!axis_row(l, a, &row) || !l->kept[row])
        return NULL;
    *n = l->n_kept[row];
    return l->kept[row];
}

int64_t rci_links_old_length(const struct rci_links *l, struct rci_axis a)
{
    uint32_t row;
    return axis_row(l, a, &row) ? row_length(l, row) : 0;
}

/* --- collecting --- */

static rc_status scratch_fit(struct rci_links *l, uint32_t slots)
{
    struct rci_link_scratch *s = l->scratch;
    if (slots > s->capacity) {
        rci_release(s->named);
        rci_release(s->parent);
        s->capacity = 0;
        s->named = rci_alloc_array(l->ctx, slots, sizeof(bool));
        s->parent = rci_alloc_array(l->ctx, slots, sizeof(uint32_t));
        if (!s->named || !s->parent)
            return RC_ERR_MEMORY;
        s->capacity = slots;
    }
    if (slots)
        memset(s->named, 0, slots * sizeof(bool));
    for (uint32_t i = 0; i < slots; i++)
        s->parent[i] = i;
    return RC_OK;
}

static struct rci_axis slot_axis(const struct rci_node *n, uint32_t slot)
{
    const uint32_t operand = slot / RC_MAX_DIMS, axis = slot % RC_MAX_DIMS;
    return operand < n->n_in ? RC_IN(operand, axis) : RC_OUT(operand - n->n_in, axis);
}

static uint8_t slot_side(const struct rci_links *l, uint32_t slot)
{
    const struct rci_axis a = slot_axis(l->node, slot);
    if (a.operand < 0)
        return RC_SIDE_OUT;
    const rci_id v = operand_value(l, a.operand);
    return v != RC_NONE && !rci_value_is_const(&l->g->values[v]) ? RC_SIDE_IN : 0;
}

/* Fix what the rule left out, and note which side of the node each constant's axis belongs to. */
static void finish_node(struct rci_links *l, uint32_t slots)
{
    const struct rci_link_scratch *s = l->scratch;
    for (uint32_t i = 0; i < slots; i++) {
        uint32_t row;
        if (!axis_row(l, slot_axis(l->node, i), &row))
            continue;
        if (!s->named[i]) {
            fix_row(l, row, current_node(l));
            continue;
        }
        for (uint32_t j = 0; j < slots; j++)
            if (s->named[j] && link_root(s->parent, i) == link_root(s->parent, j))
                l->side[row] |= slot_side(l, j);
    }
}

static rc_status couple_node(struct rci_links *l, const struct rci_node *n)
{
    const uint32_t slots = (n->n_in + n->n_out) * RC_MAX_DIMS;
    l->node = n;
    RC_TRY(scratch_fit(l, slots));
    if (n->op->couple)
        n->op->couple(n, l);
    finish_node(l, slots);
    return RC_OK;
}

static rc_status number_rows(struct rci_links *l)
{
    const struct rc_graph *g = l->g;
    uint64_t total = 0;
    for (uint32_t v = 0; v < g->n_values; v++) {
        if (g->values[v].flags & RC_VALUE_DEAD)
            continue;
        l->shape[v] = g->values[v].tensor.shape;
        for (uint32_t a = 0; a < l->shape[v].rank; a++) {
            if (total + (uint64_t) l->shape[v].dim[a] > INT32_MAX)
                return rci_fail(RC_ERR_LIMIT, "value \"%s\": too many indices in all axes together",
                                g->values[v].name);
            l->base[v * RC_MAX_DIMS + a] = (uint32_t) total;
            total += (uint64_t) l->shape[v].dim[a];
        }
    }
    l->n_ids = (uint32_t) total;
    return RC_OK;
}

static rc_status allocate_rows(struct rci_links *l)
{
    const uint32_t n_values = l->g->n_values;
    l->n_rows = n_values * RC_MAX_DIMS;
    l->base = rci_alloc_array(l->ctx, l->n_rows, sizeof(*l->base));
    l->side = rci_alloc_array(l->ctx, l->n_rows, sizeof(*l->side));
    l->fixed_by = rci_alloc_array(l->ctx, l->n_rows, sizeof(*l->fixed_by));
    l->shape = rci_alloc_array(l->ctx, n_values, sizeof(*l->shape));
    l->kept = rci_alloc_array(l->ctx, l->n_rows, sizeof(*l->kept));
    l->n_kept = rci_alloc_array(l->ctx, l->n_rows, sizeof(*l->n_kept));
    l->scratch = RC_NEW(l->ctx, struct rci_link_scratch);
    if (!l->base || !l->side || !l->fixed_by || !l->shape || !l->kept || !l->n_kept || !l->scratch)
        return RC_ERR_MEMORY;
    for (uint32_t r = 0; r < l->n_rows; r++)
        l->fixed_by[r] = RC_NONE;
    return RC_OK;
}

static rc_status allocate_ids(struct rci_links *l)
{
    l->parent = rci_alloc_array(l->ctx, l->n_ids, sizeof(*l->parent));
    l->row_of = rci_alloc_array(l->ctx, l->n_ids, sizeof(*l->row_of));
    l->zero = rci_alloc_array(l->ctx, l->n_ids, sizeof(*l->zero));
    if (!l->parent || !l->row_of || !l->zero)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < l->n_ids; i++)
        l->parent[i] = i;
    for (uint32_t r = 0; r < l->n_rows; r++)
        if (r % RC_MAX_DIMS < l->shape[r / RC_MAX_DIMS].rank)
            for (int64_t k = 0; k < row_length(l, r); k++)
                l->row_of[l->base[r] + (uint32_t) k] = r;
    return RC_OK;
}

static void fix_interface(struct rci_links *l, const rci_id *values, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t a = 0; a < l->shape[values[i]].rank; a++)
            fix_row(l, values[i] * RC_MAX_DIMS + a, RC_LINK_INTERFACE);
}

static rc_status link_collect(struct rci_links *l)
{
    const struct rc_graph *g = l->g;
    RC_TRY(allocate_rows(l));
    RC_TRY(number_rows(l));
    RC_TRY(allocate_ids(l));
    fix_interface(l, g->inputs, g->n_inputs);
    fix_interface(l, g->outputs, g->n_outputs);
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op)
            RC_TRY(couple_node(l, &g->nodes[i]));
    return RC_OK;
}

rc_status rci_links_new(struct rci_links **out, const struct rc_graph *g)
{
    *out = NULL;
    struct rci_links *l = RC_NEW(g->ctx, struct rci_links);
    if (!l)
        return RC_ERR_MEMORY;
    l->g = g;
    l->ctx = g->ctx;
    const rc_status st = link_collect(l);
    if (st != RC_OK) {
        rci_links_free(l);
        return st;
    }
    *out = l;
    return RC_OK;
}

void rci_links_free(struct rci_links *l)
{
    if (!l)
        return;
    if (l->scratch) {
        rci_release(l->scratch->named);
        rci_release(l->scratch->parent);
    }
    for (uint32_t r = 0; l->kept && r < l->n_rows; r++)
        rci_release(l->kept[r]);
    rci_release(l->scratch);
    rci_release(l->base);
    rci_release(l->row_of);
    rci_release(l->parent);
    rci_release(l->zero);
    rci_release(l->side);
    rci_release(l->fixed_by);
    rci_release(l->shape);
    rci_release(l->kept);
    rci_release(l->n_kept);
    rci_release(l);
}
