/* u8 with zero point 128 as s8 with zero point 0: the same numbers, which symmetric kernels take.
 * Other programs write signed values so, and our own files where QLinearAdd and QLinearConv want
 * one type for all operands. */
#include "pass/pass.h"

/* Constant zero points, all of them 128. */
static bool is_centered(const struct rc_graph *g, const struct rci_node *n)
{
    const struct rci_tensor *z = rci_const_in(g, n, 2);
    if (!z || z->dtype != RC_U8)
        return false;
    for (int64_t i = 0, count = rci_shape_count(&z->shape); i < count; i++)
        if (((const uint8_t *) z->data)[i] != 128)
            return false;
    return true;
}

/* All who read the integers of `n` say what they stand for in the same way. */
static bool readers_agree(const struct rc_graph *g, const struct rci_readers *r,
                          const struct rci_node *n)
{
    const rci_id v = n->out[0];
    if (g->values[v].flags & RC_VALUE_OUTPUT)
        return false;
    for (uint32_t i = r->start[v]; i < r->start[v + 1]; i++) {
        const struct rci_node *to = &g->nodes[r->node[i]];
        if (rci_node_quant(to) != RC_QUANT_TO_REAL || r->operand[i] != 0 || !is_centered(g, to))
            return false;
    }
    return true;
}

static rc_status set_zero(struct rc_graph *g, rci_id node)
{
    const struct rci_shape shape = g->values[g->nodes[node].in[2]].tensor.shape;
    struct rci_tensor zero = {0};
    rci_id value;
    RC_TRY(rci_tensor_new(&zero, g->ctx, RC_S8, &shape));
    char *name = rci_graph_fresh_name(g, "zero_point");
    const rc_status st = name ? rci_graph_add_const(g, &value, name, &zero) : RC_ERR_MEMORY;
    rci_release(name);
    rci_tensor_free(&zero);
    if (st == RC_OK)
        g->nodes[node].in[2] = value;
    return st;
}

static rc_status center_run(struct rc_graph *g, uint32_t *n_changed)
{
    struct rci_readers r;
    RC_TRY(rci_graph_readers(g, &r));
    rc_status st = RC_OK;
    for (rci_id i = 0; i < g->n_nodes && st == RC_OK; i++) {
        const struct rci_node *n = &g->nodes[i];
        if (rci_node_quant(n) != RC_QUANT_TO_INTEGER || !is_centered(g, n) ||
            !readers_agree(g, &r, n))
            continue;
        const rci_id v = n->out[0];
        st = set_zero(g, i);
        for (uint32_t k = r.start[v]; k < r.start[v + 1] && st == RC_OK; k++)
            st = set_zero(g, r.node[k]);
        ++*n_changed;
    }
    rci_readers_free(&r);
    return st;
}

const struct rci_pass rci_pass_center_u8 = {
    .name = "center_u8",
    .summary = "u8 with zero point 128 becomes s8 with zero point 0",
    .run = center_run,
};
