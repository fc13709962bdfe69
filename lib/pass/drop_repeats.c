/* x * Expand(g) = x * g: operands that would be broadcast anyway need not be repeated before. */
#include "pass/pass.h"

struct repeats {
    struct rc_graph *g;
    struct rci_tensor *other; /* shapes at another batch, NULL: there is one only */
};

/* Has the node the same result when it reads x in place of y? */
static bool same_result(const struct repeats *w, const struct rci_node *n, int batch, rci_id x,
                        rci_id y)
{
    const struct rci_tensor *t = batch ? w->other : NULL;
    struct rci_around around = {0};
    const struct rci_infer i = {w->g, n, around.in, around.out};
    if (!rci_node_around(w->g, n, t, &around))
        return false;
    const struct rci_shape want = around.out[0].shape;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] == y)
            around.in[k] = t ? t[x] : w->g->values[x].tensor;
    return n->op->infer(&i) == RC_OK && rci_shape_equal(&around.out[0].shape, &want);
}

static bool needless(const struct repeats *w, const struct rci_readers *r, rci_id id)
{
    const struct rci_node *n = &w->g->nodes[id];
    const rci_id x = n->in[0], y = n->out[0];
    if (w->g->values[y].flags & RC_VALUE_OUTPUT || r->start[y] == r->start[y + 1])
        return false;
    for (uint32_t k = r->start[y]; k < r->start[y + 1]; k++) {
        const struct rci_node *reader = &w->g->nodes[r->node[k]];
        if (!rci_node_has(reader, RC_OP_POINTWISE) || reader->n_post ||
            !same_result(w, reader, 0, x, y) || (w->other && !same_result(w, reader, 1, x, y)))
            return false;
    }
    return true;
}

static rc_status drop_run(struct rc_graph *g, uint32_t *n_changed)
{
    struct repeats w = {.g = g};
    struct rci_readers r = {0};
    rc_status st = rci_pass_other_batch(g, &w.other);
    if (st == RC_OK)
        st = rci_graph_readers(g, &r);
    for (rci_id i = 0; i < g->n_nodes && st == RC_OK; i++) {
        if (!rci_node_has(&g->nodes[i], RC_OP_REPEATS) || !needless(&w, &r, i))
            continue;
        /* two operands of one reader may need each other: the next round sees what is left */
        ++*n_changed;
        st = rci_graph_bypass(g, i);
        if (st == RC_OK)
            break;
    }
    rci_readers_free(&r);
    rci_release(w.other);
    return st;
}

static rc_status drop_all(struct rc_graph *g, uint32_t *n_changed)
{
    uint32_t before;
    do {
        before = *n_changed;
        RC_TRY(drop_run(g, n_changed));
    } while (*n_changed != before);
    return RC_OK;
}

const struct rci_pass rci_pass_drop_repeats = {
    .name = "drop_repeats",
    .summary = "Expand before what broadcasts goes",
    .run = drop_all,
};
