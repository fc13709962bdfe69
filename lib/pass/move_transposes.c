/* Transposes move behind the nodes that read them, where those do the same on permuted axes:
 * element by element, along an axis, or around. Pairs that meet cancel. Networks with channels last
 * have a pair around each layer that knows channels first alone; between layers none is left. */
#include "op/attrs.h"
#include "op/shape/strided.h"
#include "pass/pass.h"

#include <string.h>

struct move {
    struct rc_graph *g;
    struct rci_tensor *other; /* shapes at another batch, NULL: there is one only */
    uint32_t n_other;
    uint32_t changed;
};

static bool permutes(const uint32_t *perm, uint32_t rank)
{
    for (uint32_t k = 0; k < rank; k++)
        if (perm[k] != k)
            return true;
    return false;
}

/* The operand of the Transpose that makes v, RC_NONE: none does. */
static rci_id transpose_behind(const struct rc_graph *g, rci_id v, uint32_t *perm)
{
    const rci_id p = v == RC_NONE ? RC_NONE : g->values[v].producer;
    if (p == RC_NONE || !g->nodes[p].op->as_transpose || g->nodes[p].n_post)
        return RC_NONE;
    return g->nodes[p].op->as_transpose(&g->nodes[p], g->values[v].tensor.shape.rank, perm)
               ? g->nodes[p].in[0]
               : RC_NONE;
}

/* Do axes longer than 1 keep their order? Then nothing moves in memory. */
static bool keeps_order(const struct rci_shape *s, const uint32_t *perm)
{
    uint32_t last = 0;
    for (uint32_t k = 0; k < s->rank; k++) {
        if (s->dim[perm[k]] == 1)
            continue;
        if (perm[k] < last)
            return false;
        last = perm[k];
    }
    return true;
}

/* The same for a value in both batch sizes. */
static bool moves_nothing(const struct move *m, rci_id v, const uint32_t *perm)
{
    if (!keeps_order(&m->g->values[v].tensor.shape, perm))
        return false;
    return !m->other || (v < m->n_other && keeps_order(&m->other[v].shape, perm));
}

static void invert(const uint32_t *perm, uint32_t rank, uint32_t *out)
{
    for (uint32_t k = 0; k < rank; k++)
        out[perm[k]] = k;
}

/* Is there a value that gives v when its axes are permuted, at no cost? */
static bool can_supply(const struct move *m, rci_id v, uint32_t rank, const uint32_t *perm)
{
    uint32_t own[RC_MAX_DIMS], back[RC_MAX_DIMS];
    if (v == RC_NONE)
        return true;
    const struct rci_value *x = &m->g->values[v];
    if (rci_value_is_const(x))
        return x->tensor.shape.rank <= rank;
    if (x->tensor.shape.rank != rank)
        return false;
    if (transpose_behind(m->g, v, own) != RC_NONE && !memcmp(own, perm, rank * sizeof(*own)))
        return true;
    invert(perm, rank, back);
    return moves_nothing(m, v, back);
}

static rc_status add_transpose(struct rc_graph *g, rci_id x, const uint32_t *perm, uint32_t rank,
                               const rci_id *out, rci_id *node)
{
    struct rci_transpose_attrs t = {.n = (int32_t) rank};
    for (uint32_t k = 0; k < rank; k++)
        t.perm[k] = perm[k];
    return rci_graph_add_node(g, node, rci_op_find(NULL, "Transpose"), NULL, &t, &x, 1, out, 1);
}

/* c[i] with ones in front up to `rank`; the new constant's axis perm[k] is its axis k. */
static rc_status supply_const(struct rc_graph *g, rci_id v, uint32_t rank, const uint32_t *perm,
                              rci_id *out)
{
    const struct rci_tensor *c = &g->values[v].tensor;
    struct rci_shape from = {.rank = rank}, to = from;
    struct rci_strided s = {.rank = rank};
    struct rci_tensor t;
    int64_t stride[RC_MAX_DIMS];
    for (uint32_t k = 0; k < rank; k++) {
        const uint32_t front = rank - c->shape.rank;
        from.dim[k] = k < front ? 1 : c->shape.dim[k - front];
        to.dim[perm[k]] = from.dim[k];
    }
    RC_TRY(rci_tensor_new(&t, g->ctx, c->dtype, &to));
    rci_row_major(&from, s.from);
    rci_row_major(&to, stride);
    for (uint32_t k = 0; k < rank; k++) {
        s.dim[k] = from.dim[k];
        s.to[k] = stride[perm[k]];
    }
    rci_strided_copy(&s, rci_dtype_size(c->dtype), c->data, t.data);
    char *name = rci_graph_fresh_name(g, g->values[v].name);
    const rc_status st = name ? rci_graph_add_const(g, out, name, &t) : RC_ERR_MEMORY;
    rci_release(name);
    rci_tensor_free(&t);
    RC_TRY(st);
    g->values[*out].flags |= g->values[v].flags & RC_VALUE_FROZEN;
    g->values[*out].storage = g->values[v].storage;
    return RC_OK;
}

/* The value of can_supply(). */
static rc_status supply(struct move *m, rci_id v, uint32_t rank, const uint32_t *perm, rci_id *out)
{
    struct rc_graph *g = m->g;
    uint32_t own[RC_MAX_DIMS], back[RC_MAX_DIMS];
    rci_id node;
    *out = v;
    if (v == RC_NONE)
        return RC_OK;
    if (rci_value_is_const(&g->values[v]))
        return rci_shape_count(&g->values[v].tensor.shape) == 1
                   ? RC_OK
                   : supply_const(g, v, rank, perm, out);
    const rci_id from = transpose_behind(g, v, own);
    if (from != RC_NONE && !memcmp(own, perm, rank * sizeof(*own))) {
        *out = from;
        return RC_OK;
    }
    invert(perm, rank, back);
    RC_TRY(add_transpose(g, v, back, rank, NULL, &node));
    *out = g->nodes[node].out[0];
    const struct rci_tensor *x = &g->values[v].tensor;
    struct rci_tensor *y = &g->values[*out].tensor;
    y->dtype = x->dtype;
    y->shape.rank = rank;
    for (uint32_t k = 0; k < rank; k++)
        y->shape.dim[k] = x->shape.dim[back[k]];
    return RC_OK;
}

/* Result k gets a value of its own, and a Transpose makes of it what the result was. */
static rc_status put_behind(struct move *m, rci_id id, uint32_t k, const uint32_t *perm,
                            uint32_t rank)
{
    struct rc_graph *g = m->g;
    const rci_id was = g->nodes[id].out[k];
    rci_id v, node;
    if (was == RC_NONE || !permutes(perm, rank))
        return RC_OK;
    char *name = rci_graph_fresh_name(g, g->values[was].name);
    const rc_status st = name ? rci_graph_add_value(g, &v, name) : RC_ERR_MEMORY;
    rci_release(name);
    RC_TRY(st);
    const struct rci_tensor *y = &g->values[was].tensor;
    g->values[v].tensor = (struct rci_tensor){.dtype = y->dtype, .shape.rank = rank};
    for (uint32_t a = 0; a < rank; a++)
        g->values[v].tensor.shape.dim[perm[a]] = y->shape.dim[a];
    g->values[v].storage = g->values[was].storage;
    g->values[v].producer = id;
    g->values[v].producer_out = k;
    g->nodes[id].out[k] = v;
    g->values[was].producer = RC_NONE;
    return add_transpose(g, v, perm, rank, &was, &node);
}

/* Operands that are permuted with operand 0. */
static uint32_t operands_alike(const struct rci_node *n)
{
    return rci_node_has(n, RC_OP_POINTWISE) || n->op->max_in == RC_VARIADIC ? n->n_in : 1;
}

/* The permutation behind an operand, when all of them can do without it. */
static bool movable(const struct move *m, const struct rci_node *n, uint32_t *rank, uint32_t *perm)
{
    const struct rc_graph *g = m->g;
    const bool point = rci_node_has(n, RC_OP_POINTWISE);
    const uint32_t alike = operands_alike(n);
    rci_id from = RC_NONE;
    if (n->n_post || n->n_in == 0 || (!point && !n->op->permute) || (point && n->n_out != 1))
        return false;
    for (uint32_t k = 0; k < alike && from == RC_NONE; k++) {
        from = transpose_behind(g, n->in[k], perm);
        if (from != RC_NONE)
            *rank = g->values[n->in[k]].tensor.shape.rank;
    }
    if (from == RC_NONE || (point && g->values[n->out[0]].tensor.shape.rank != *rank))
        return false;
    for (uint32_t k = 0; k < alike; k++)
        if (!can_supply(m, n->in[k], *rank, perm))
            return false;
    return true;
}

static rc_status move_node(struct move *m, rci_id id)
{
    struct rc_graph *g = m->g;
    uint32_t rank, perm[RC_MAX_DIMS], out[RC_MAX_DIMS];
    if (!movable(m, &g->nodes[id], &rank, perm))
        return RC_OK;
    uint32_t out_rank = rank;
    memcpy(out, perm, sizeof(out));
    if (!rci_node_has(&g->nodes[id], RC_OP_POINTWISE) &&
        !g->nodes[id].op->permute(&g->nodes[id], &out_rank, perm, out))
        return RC_OK;
    const uint32_t alike = operands_alike(&g->nodes[id]);
    for (uint32_t k = 0; k < alike; k++) {
        rci_id v;
        RC_TRY(supply(m, g->nodes[id].in[k], rank, perm, &v));
        g->nodes[id].in[k] = v;
    }
    for (uint32_t k = 0; k < g->nodes[id].n_out; k++)
        RC_TRY(put_behind(m, id, k, out, out_rank));
    m->changed++;
    /* two that cancel are none; an output keeps its name */
    const rci_id y = g->nodes[id].out[0], x = g->nodes[id].in[0];
    if (g->nodes[id].op->as_transpose && g->nodes[id].op->keeps_elements(&g->nodes[id]) &&
        !(g->values[y].flags & RC_VALUE_OUTPUT &&
          (g->values[x].flags & (RC_VALUE_INPUT | RC_VALUE_OUTPUT) ||
           rci_value_is_const(&g->values[x]))))
        return rci_graph_bypass(g, id);
    return RC_OK;
}

/* What Transposes cost: those that move something weigh more than any number of others. */
static uint64_t transposes(const struct move *m)
{
    uint64_t cost = 0;
    uint32_t perm[RC_MAX_DIMS];
    for (rci_id i = 0; i < m->g->n_nodes; i++) {
        const struct rci_node *n = &m->g->nodes[i];
        if (!n->op || !n->op->as_transpose)
            continue;
        const rci_id from = transpose_behind(m->g, n->out[0], perm);
        cost += from != RC_NONE && moves_nothing(m, from, perm) ? 1 : UINT64_C(1) << 32;
    }
    return cost;
}

static rc_status move_all(struct move *m)
{
    rci_id *order = NULL;
    uint32_t n = 0;
    RC_TRY(rci_graph_order(m->g, &order, &n));
    rc_status st = RC_OK;
    for (uint32_t i = 0; i < n && st == RC_OK; i++)
        st = move_node(m, order[i]);
    rci_release(order);
    RC_TRY(st);
    RC_TRY(rci_graph_sweep(m->g, NULL));
    return rci_graph_infer(m->g);
}

static bool has_transposes(const struct rc_graph *g)
{
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && g->nodes[i].op->as_transpose)
            return true;
    return false;
}

/* On a copy, which takes the graph's place where fewer are left. */
static rc_status move_run(struct rc_graph *g, uint32_t *n_changed)
{
    struct move m = {.g = g, .n_other = g->n_values};
    struct rc_graph *copy = NULL;
    if (!has_transposes(g))
        return RC_OK;
    rc_status st = rci_pass_other_batch(g, &m.other);
    if (st == RC_OK)
        st = rci_graph_clone_shared(&copy, g);
    if (copy) {
        struct move trial = m;
        trial.g = copy;
        st = move_all(&trial);
        if (st == RC_OK && transposes(&trial) < transposes(&m)) {
            const struct rc_graph was = *g;
            *g = *copy;
            *copy = was;
            *n_changed = trial.changed;
        }
        rci_graph_free(copy);
    }
    rci_release(m.other);
    return st;
}

const struct rci_pass rci_pass_move_transposes = {
    .name = "move_transposes",
    .summary = "Transposes move behind what reads them, and pairs of them cancel",
    .run = move_run,
};
