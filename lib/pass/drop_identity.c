/* Remove nodes whose output is their input: Identity, Dropout at inference, and Reshape, Pad,
 * Slice, Cast and the like when they change nothing at any batch. */
#include "pass/pass.h"

/* Given that shape and type stay: does the operator also keep every element in its place? */
static bool keeps_elements(const struct rci_node *n)
{
    if (n->op->keeps_elements)
        return n->op->keeps_elements(n);
    return rci_node_has(n, RC_OP_VIEW | RC_OP_KEEPS);
}

static bool same_tensor(const struct rci_tensor *a, const struct rci_tensor *b)
{
    return a->dtype == b->dtype && rci_shape_equal(&a->shape, &b->shape);
}

/* The name of a graph output would be lost if its new producer has a name to keep too. */
static bool names_allow(const struct rc_graph *g, rci_id in, rci_id out)
{
    const struct rci_value *v = &g->values[in];
    if (!(g->values[out].flags & RC_VALUE_OUTPUT))
        return true;
    return !(v->flags & (RC_VALUE_INPUT | RC_VALUE_OUTPUT)) && !rci_value_is_const(v);
}

static bool removable(const struct rc_graph *g, const struct rci_node *n,
                      const struct rci_tensor *other)
{
    if (!n->op || n->n_in == 0 || n->in[0] == RC_NONE || n->n_post || !keeps_elements(n))
        return false;
    for (uint32_t o = 1; o < n->n_out; o++)
        if (n->out[o] != RC_NONE && rci_graph_count_readers(g, n->out[o]))
            return false;
    const rci_id a = n->in[0], b = n->out[0];
    if (!same_tensor(&g->values[a].tensor, &g->values[b].tensor) || !names_allow(g, a, b))
        return false;
    return !other || same_tensor(&other[a], &other[b]);
}

enum which { ALL, NOT_RANDOM, CONVERSIONS };

static bool wanted(const struct rci_node *n, enum which which)
{
    if (!n->op || which == ALL)
        return true;
    if (n->op->flags & RC_OP_RANDOM)
        return false;
    return which == NOT_RANDOM || n->op->flags & RC_OP_KEEPS;
}

static rc_status drop(struct rc_graph *g, uint32_t *n_changed, enum which which)
{
    struct rci_tensor *other = NULL;
    rc_status st = RC_OK;
    RC_TRY(rci_pass_other_batch(g, &other));
    for (rci_id i = 0; i < g->n_nodes; i++) {
        if (!wanted(&g->nodes[i], which) || !removable(g, &g->nodes[i], other))
            continue;
        RC_TRY_OUT(st, rci_graph_bypass(g, i));
        ++*n_changed;
    }
out:
    rci_release(other);
    return st;
}

static rc_status drop_identity_run(struct rc_graph *g, uint32_t *n_changed)
{
    return drop(g, n_changed, ALL);
}

static rc_status drop_identity_run_training(struct rc_graph *g, uint32_t *n_changed)
{
    return drop(g, n_changed, NOT_RANDOM);
}

static rc_status drop_conversions_run(struct rc_graph *g, uint32_t *n_changed)
{
    return drop(g, n_changed, CONVERSIONS);
}

const struct rci_pass rci_pass_drop_identity = {
    "drop_identity", "remove operators without effect at inference", drop_identity_run};
const struct rci_pass rci_pass_drop_identity_training = {
    "drop_identity_training", "remove operators without effect, keep Dropout",
    drop_identity_run_training};

const struct rci_pass rci_pass_drop_conversions = {
    "drop_conversions", "remove conversions between types that are the same here",
    drop_conversions_run};
