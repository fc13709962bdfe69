/* Reshape, Flatten, Squeeze, Unsqueeze and Transposes of axes of length 1 in a row become one
 * Reshape, or nothing; what removes the axes that a reduction has kept becomes part of it. */
#include "op/attrs.h"
#include "pass/pass.h"

#include <string.h>

struct views {
    struct rc_graph *g;
    struct rci_tensor *other; /* shapes at another batch, NULL: there is one only */
};

static const struct rci_shape *shape_at(const struct views *w, int batch, rci_id v)
{
    return batch && w->other ? &w->other[v].shape : &w->g->values[v].tensor.shape;
}

static bool same_shape(const struct views *w, rci_id a, rci_id b)
{
    return rci_shape_equal(shape_at(w, 0, a), shape_at(w, 0, b)) &&
           rci_shape_equal(shape_at(w, 1, a), shape_at(w, 1, b));
}

static bool keeps_order(const struct rci_shape *s, const uint32_t *perm)
{
    uint32_t last = 0;
    for (uint32_t k = 0; k < s->rank; k++) {
        if (s->dim[perm[k]] != 1 && perm[k] < last)
            return false;
        last = s->dim[perm[k]] != 1 ? perm[k] : last;
    }
    return true;
}

/* The same elements in the same order. */
static bool is_view(const struct views *w, rci_id id)
{
    uint32_t perm[RC_MAX_DIMS];
    const struct rci_node *n = id == RC_NONE ? NULL : &w->g->nodes[id];
    if (!n || !n->op || n->n_post || n->n_in == 0 || n->in[0] == RC_NONE || n->n_out != 1)
        return false;
    if (n->op->flags & RC_OP_VIEW)
        return true;
    return n->op->as_transpose && n->op->as_transpose(n, shape_at(w, 0, n->in[0])->rank, perm) &&
           keeps_order(shape_at(w, 0, n->in[0]), perm) &&
           keeps_order(shape_at(w, 1, n->in[0]), perm);
}

/* Entries that follow the batch are copied from the operand, or are what remains; false: several
 * would remain. */
static bool reshape_to(const struct views *w, rci_id from, rci_id to, struct rci_reshape_attrs *t)
{
    const struct rci_shape *a[2] = {shape_at(w, 0, from), shape_at(w, 1, from)};
    const struct rci_shape *b[2] = {shape_at(w, 0, to), shape_at(w, 1, to)};
    bool rest = false;
    *t = (struct rci_reshape_attrs){.rank = (int32_t) b[0]->rank, .bound = 1};
    for (uint32_t k = 0; k < b[0]->rank; k++) {
        const int64_t d = b[0]->dim[k];
        if (d == 0)
            return false;
        if (d == b[1]->dim[k]) {
            t->dims[k] = d;
            continue;
        }
        if (k < a[0]->rank && a[0]->dim[k] == d && a[1]->dim[k] == b[1]->dim[k])
            continue;
        if (rest)
            return false;
        t->dims[k] = -1;
        rest = true;
    }
    return true;
}

/* An output keeps its name, an input and a constant too. */
static bool names_allow(const struct rc_graph *g, rci_id from, rci_id out)
{
    const struct rci_value *v = &g->values[from];
    return !(g->values[out].flags & RC_VALUE_OUTPUT) ||
           (!(v->flags & (RC_VALUE_INPUT | RC_VALUE_OUTPUT)) && !rci_value_is_const(v));
}

/* Two views in a row. */
static rc_status merge_pair(struct views *w, rci_id id, uint32_t *n_changed)
{
    struct rc_graph *g = w->g;
    struct rci_reshape_attrs t;
    const rci_id x = g->nodes[id].in[0], y = g->nodes[id].out[0], p = g->values[x].producer;
    if (!is_view(w, p))
        return RC_OK;
    const rci_id from = g->nodes[p].in[0];
    if (same_shape(w, from, y) && names_allow(g, from, y)) {
        RC_TRY(rci_graph_redirect(g, y, from));
        rci_graph_kill_node(g, id);
        ++*n_changed;
        return RC_OK;
    }
    if (rci_graph_single_reader(g, x) == RC_NONE || !reshape_to(w, from, y, &t))
        return RC_OK;
    ++*n_changed;
    return rci_graph_retype_node(g, id, rci_op_find(NULL, "Reshape"), &t, &from, 1);
}

/* The shape of a node's result; false: it cannot be. */
static bool result_is(const struct views *w, const struct rci_node *n, int batch,
                      const struct rci_shape *want)
{
    struct rci_around around = {0};
    const struct rci_infer i = {w->g, n, around.in, around.out};
    if (!rci_node_around(w->g, n, batch ? w->other : NULL, &around))
        return false;
    return n->op->infer(&i) == RC_OK && rci_shape_equal(&around.out[0].shape, want);
}

/* A view behind a reduction that has kept its axes. */
static rc_status merge_reduction(struct views *w, rci_id id, uint32_t *n_changed)
{
    struct rc_graph *g = w->g;
    const rci_id x = g->nodes[id].in[0], y = g->nodes[id].out[0], p = g->values[x].producer;
    if (p == RC_NONE || !g->nodes[p].op->drop_kept || g->nodes[p].n_post ||
        rci_graph_single_reader(g, x) == RC_NONE)
        return RC_OK;
    struct rci_node *n = &g->nodes[p];
    void *was = rci_alloc(g->ctx, n->op->attr_size);
    if (!was)
        return RC_ERR_MEMORY;
    memcpy(was, n->attrs, n->op->attr_size);
    const bool fits = n->op->drop_kept(n) && result_is(w, n, 0, shape_at(w, 0, y)) &&
                      (!w->other || result_is(w, n, 1, shape_at(w, 1, y)));
    if (!fits)
        memcpy(n->attrs, was, n->op->attr_size);
    rci_release(was);
    if (!fits)
        return RC_OK;
    g->values[x].tensor.shape = *shape_at(w, 0, y);
    if (w->other)
        w->other[x].shape = w->other[y].shape;
    ++*n_changed;
    return rci_graph_bypass(g, id);
}

static rc_status merge_run(struct rc_graph *g, uint32_t *n_changed)
{
    struct views w = {.g = g};
    rci_id *order = NULL;
    uint32_t n = 0;
    rc_status st = rci_pass_other_batch(g, &w.other);
    if (st == RC_OK)
        st = rci_graph_order(g, &order, &n);
    for (uint32_t i = 0; i < n && st == RC_OK; i++) {
        if (is_view(&w, order[i]))
            st = merge_reduction(&w, order[i], n_changed);
        if (st == RC_OK && is_view(&w, order[i]))
            st = merge_pair(&w, order[i], n_changed);
    }
    rci_release(order);
    rci_release(w.other);
    RC_TRY(st);
    return rci_graph_sweep(g, NULL);
}

const struct rci_pass rci_pass_merge_views = {
    .name = "merge_views",
    .summary = "reshapes in a row become one",
    .run = merge_run,
};
