/* y = scale * (W x + b) + shift  ->  y = (scale W) x + (scale b + shift): per-channel affine nodes
 * (BatchNormalization, Mul, Add by a vector) go into the weights before them. */
#include "pass/pass.h"

rci_id rci_pass_data_operand(const struct rc_graph *g, const struct rci_node *n)
{
    rci_id found = RC_NONE;
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (n->in[i] == RC_NONE || rci_value_is_const(&g->values[n->in[i]]))
            continue;
        if (found != RC_NONE)
            return RC_NONE;
        found = n->in[i];
    }
    return found;
}

static bool foldable(const struct rc_graph *g, const struct rci_node *n, rci_id *producer)
{
    if (!n->op || !n->op->is_affine || n->n_post || !n->op->is_affine(g, n))
        return false;
    const rci_id x = rci_pass_data_operand(g, n);
    if (x == RC_NONE || rci_graph_single_reader(g, x) == RC_NONE)
        return false;
    *producer = g->values[x].producer;
    if (*producer == RC_NONE)
        return false;
    const struct rci_node *p = &g->nodes[*producer];
    return p->n_post == 0 && p->out[0] == x && p->op->absorbs_affine && p->op->absorbs_affine(g, p);
}

/* Weights that other nodes read too must not change for those. */
static rc_status own_constants(struct rc_graph *g, rci_id node)
{
    for (uint32_t i = 0; i < g->nodes[node].n_in; i++) {
        const rci_id v = g->nodes[node].in[i];
        if (v == RC_NONE || !rci_value_is_const(&g->values[v]))
            continue;
        if (rci_graph_count_readers(g, v) < 2) {
            RC_TRY(rci_graph_own_const(g, v));
            continue;
        }
        char *name = rci_graph_fresh_name(g, g->values[v].name);
        if (!name)
            return RC_ERR_MEMORY;
        rci_id copy;
        const struct rci_tensor t = g->values[v].tensor;
        const rc_status st = rci_graph_add_const(g, &copy, name, &t);
        rci_release(name);
        RC_TRY(st);
        g->values[copy].flags |= g->values[v].flags & RC_VALUE_FROZEN;
        g->nodes[node].in[i] = copy;
    }
    return RC_OK;
}

static rc_status fold_affine_pair(struct rc_graph *g, rci_id id, rci_id producer)
{
    struct rci_affine a = {0};
    RC_TRY(own_constants(g, producer));
    struct rci_node *n = &g->nodes[id];
    rc_status st = n->op->as_affine(g, n, &a);
    if (st == RC_OK)
        st = g->nodes[producer].op->absorb_affine(g, &g->nodes[producer], &a);
    rci_release(a.scale);
    rci_release(a.shift);
    RC_TRY(st);
    RC_TRY(rci_graph_redirect(g, g->nodes[id].out[0], g->nodes[producer].out[0]));
    rci_graph_kill_node(g, id);
    return RC_OK;
}

static rc_status fold_affine_run(struct rc_graph *g, uint32_t *n_changed)
{
    rci_id *order;
    uint32_t n;
    RC_TRY(rci_graph_order(g, &order, &n));
    rc_status st = RC_OK;
    for (uint32_t i = 0; st == RC_OK && i < n; i++) {
        rci_id producer;
        if (!foldable(g, &g->nodes[order[i]], &producer))
            continue;
        st = fold_affine_pair(g, order[i], producer);
        ++*n_changed;
    }
    rci_release(order);
    return st;
}

const struct rci_pass rci_pass_fold_affine = {
    "fold_affine", "fold BatchNormalization into the weights before it", fold_affine_run};
