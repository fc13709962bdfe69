/* Remove channels: every constant keeps only the kept indices of its rows, whatever operator reads
 * it; operators then fix attributes that repeat a length. */
#include "graph/link.h"

static rc_status list_kept(struct rci_links *l, uint32_t row, const uint8_t *keep)
{
    const uint32_t length = (uint32_t) l->shape[row / RC_MAX_DIMS].dim[row % RC_MAX_DIMS];
    const uint8_t *flag = keep + l->base[row];
    uint32_t n = 0;
    for (uint32_t k = 0; k < length; k++)
        n += flag[k] != 0;
    if (n == length)
        return RC_OK;
    const struct rci_value *v = &l->g->values[row / RC_MAX_DIMS];
    if (l->fixed_by[row] != RC_NONE)
        return rci_fail(RC_ERR_STATE, "value \"%s\": axis %u must keep its %u indices", v->name,
                        row % RC_MAX_DIMS, length);
    if (!n)
        return rci_fail(RC_ERR_ARG, "value \"%s\": a cut would leave nothing of axis %u", v->name,
                        row % RC_MAX_DIMS);
    l->kept[row] = rci_alloc_array(l->ctx, n, sizeof(int32_t));
    if (!l->kept[row])
        return RC_ERR_MEMORY;
    for (uint32_t k = 0; k < length; k++)
        if (flag[k])
            l->kept[row][l->n_kept[row]++] = (int32_t) k;
    return RC_OK;
}

static rc_status gather_constant(struct rc_graph *g, const struct rci_links *l, rci_id value)
{
    for (uint32_t a = 0; a < l->shape[value].rank; a++) {
        const uint32_t row = value * RC_MAX_DIMS + a;
        if (!l->kept[row])
            continue;
        struct rci_tensor smaller;
        RC_TRY(rci_tensor_gather(&smaller, g->ctx, &g->values[value].tensor, a, l->kept[row],
                                 l->n_kept[row]));
        rci_graph_replace_const(g, value, &smaller);
    }
    return RC_OK;
}

static bool node_is_cut(const struct rci_links *l, const struct rci_node *n)
{
    for (uint32_t i = 0; i < n->n_in + n->n_out; i++) {
        const rci_id v = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
        for (uint32_t a = 0; v != RC_NONE && a < l->shape[v].rank; a++)
            if (l->kept[v * RC_MAX_DIMS + a])
                return true;
    }
    return false;
}

rc_status rci_graph_cut(struct rc_graph *g, struct rci_links *l, const uint8_t *keep)
{
    for (uint32_t row = 0; row < l->n_rows; row++)
        if (row % RC_MAX_DIMS < l->shape[row / RC_MAX_DIMS].rank)
            RC_TRY(list_kept(l, row, keep));
    for (uint32_t v = 0; v < g->n_values; v++)
        if (rci_value_is_const(&g->values[v]))
            RC_TRY(gather_constant(g, l, v));
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        struct rci_node *n = &g->nodes[i];
        if (!n->op || !n->op->resized || !node_is_cut(l, n))
            continue;
        l->node = n;
        RC_TRY(n->op->resized(g, n, l));
    }
    RC_TRY(rci_graph_infer(g));
    return rci_graph_verify(g);
}
