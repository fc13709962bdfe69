/* Remove nodes whose output is their input: Identity, Dropout at inference, and Reshape, Pad,
 * Slice, Cast and the like when they change nothing at any batch. */
#include "op/attrs.h"
#include "pass/pass.h"

#include <string.h>

static bool slice_forward(const struct rci_node *n)
{
    const struct rci_slice_attrs *a = n->attrs;
    for (int32_t i = 0; i < a->n; i++)
        if (a->steps[i] < 0)
            return false;
    return a->bound;
}

static bool pad_nothing(const struct rci_node *n)
{
    const struct rci_pad_attrs *a = n->attrs;
    for (int32_t i = 0; i < a->n; i++)
        if (a->begin[i] || a->end[i])
            return false;
    return a->bound;
}

/* Given that shape and type stay: does the operator also keep every element in its place? */
static bool keeps_elements(const struct rci_node *n)
{
    const char *op = n->op->name;
    if (n->op->flags & RC_OP_VIEW)
        return true;
    if (!strcmp(op, "Slice"))
        return slice_forward(n);
    if (!strcmp(op, "Pad"))
        return pad_nothing(n);
    return !strcmp(op, "Dropout") || !strcmp(op, "Cast");
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

static rc_status drop_all(struct rc_graph *g, uint32_t *n_changed, bool dropout)
{
    struct rci_tensor *other = NULL;
    rc_status st = RC_OK;
    if (g->dynamic_batch) {
        other = rci_alloc_array(g->ctx, g->n_values + 1u, sizeof(*other));
        if (!other)
            return RC_ERR_MEMORY;
        RC_TRY_OUT(st, rci_graph_infer_at(g, g->batch + 1, other));
    }
    for (rci_id i = 0; i < g->n_nodes; i++) {
        if (!removable(g, &g->nodes[i], other))
            continue;
        if (!dropout && (g->nodes[i].op->flags & RC_OP_RANDOM))
            continue;
        RC_TRY_OUT(st, rci_graph_bypass(g, i));
        ++*n_changed;
    }
out:
    rci_release(other);
    return st;
}

static rc_status run(struct rc_graph *g, uint32_t *n_changed)
{
    return drop_all(g, n_changed, true);
}

static rc_status run_training(struct rc_graph *g, uint32_t *n_changed)
{
    return drop_all(g, n_changed, false);
}

const struct rci_pass rci_pass_drop_identity = {
    "drop_identity", "remove operators without effect at inference", run};
const struct rci_pass rci_pass_drop_identity_training = {
    "drop_identity_training", "remove operators without effect, keep Dropout", run_training};
