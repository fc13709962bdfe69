/* y = scale * (W x + b) + shift  ->  y = (scale W) x + (scale b + shift): per-channel affine nodes
 * (BatchNormalization, Mul, Add by a vector) go into the weights before them. */
#include "pass/pass.h"

/* The one operand that is not a constant; RC_NONE when there are several. */
static rc_id data_operand(const struct rc_graph *g, const struct rc_node *n)
{
    rc_id found = RC_NONE;
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (n->in[i] == RC_NONE || rc_value_is_const(&g->values[n->in[i]]))
            continue;
        if (found != RC_NONE)
            return RC_NONE;
        found = n->in[i];
    }
    return found;
}

static bool foldable(const struct rc_graph *g, const struct rc_node *n, rc_id *producer)
{
    if (!n->op || !n->op->is_affine || n->n_post || !n->op->is_affine(g, n))
        return false;
    const rc_id x = data_operand(g, n);
    if (x == RC_NONE || rc_graph_single_reader(g, x) == RC_NONE)
        return false;
    *producer = g->values[x].producer;
    if (*producer == RC_NONE)
        return false;
    const struct rc_node *p = &g->nodes[*producer];
    return p->n_post == 0 && p->out[0] == x && p->op->absorbs_affine && p->op->absorbs_affine(g, p);
}

/* Weights that other nodes read too must not change for those. */
static rc_status own_constants(struct rc_graph *g, rc_id node)
{
    for (uint32_t i = 0; i < g->nodes[node].n_in; i++) {
        const rc_id v = g->nodes[node].in[i];
        if (v == RC_NONE || !rc_value_is_const(&g->values[v]))
            continue;
        if (rc_graph_count_readers(g, v) < 2) {
            RC_TRY(rc_graph_own_const(g, v));
            continue;
        }
        char *name = rc_graph_fresh_name(g, g->values[v].name);
        if (!name)
            return RC_ERR_MEMORY;
        rc_id copy;
        const struct rc_tensor t = g->values[v].tensor;
        const rc_status st = rc_graph_add_const(g, &copy, name, &t);
        rc_release(name);
        RC_TRY(st);
        g->values[copy].flags |= g->values[v].flags & RC_VALUE_FROZEN;
        g->nodes[node].in[i] = copy;
    }
    return RC_OK;
}

static rc_status fold(struct rc_graph *g, rc_id id, rc_id producer)
{
    struct rc_affine a = {0};
    RC_TRY(own_constants(g, producer));
    struct rc_node *n = &g->nodes[id];
    rc_status st = n->op->as_affine(g, n, &a);
    if (st == RC_OK)
        st = g->nodes[producer].op->absorb_affine(g, &g->nodes[producer], &a);
    rc_release(a.scale);
    rc_release(a.shift);
    RC_TRY(st);
    RC_TRY(rc_graph_redirect(g, g->nodes[id].out[0], g->nodes[producer].out[0]));
    rc_graph_kill_node(g, id);
    return RC_OK;
}

static rc_status run(struct rc_graph *g, uint32_t *n_changed)
{
    rc_id *order;
    uint32_t n;
    RC_TRY(rc_graph_order(g, &order, &n));
    rc_status st = RC_OK;
    for (uint32_t i = 0; st == RC_OK && i < n; i++) {
        rc_id producer;
        if (!foldable(g, &g->nodes[order[i]], &producer))
            continue;
        st = fold(g, order[i], producer);
        ++*n_changed;
    }
    rc_release(order);
    return st;
}

const struct rc_pass rc_pass_fold_affine = {
    "fold_affine", "fold BatchNormalization into the weights before it", run};
