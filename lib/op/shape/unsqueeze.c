/* Unsqueeze: insert axes of length 1 at the listed places of the output. */
#include "op/attrs.h"
#include "op/shape/axes.h"

static rc_status unsqueeze_bits(const struct rci_node *n, const struct rci_tensor *in,
                                uint32_t rank, uint32_t *bits, uint32_t *out_rank)
{
    struct rci_axes_attrs t = *(const struct rci_axes_attrs *) n->attrs;
    if (in)
        RC_TRY(rci_axes_get(n, in, t.axes, &t.n));
    if (t.n == 0)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": axes are missing", n->name);
    /* axes name places in the result, and so do negative ones */
    *out_rank = rank + (uint32_t) t.n;
    if (*out_rank > RC_MAX_DIMS)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": rank of the result is %u, at most %d", n->name,
                        *out_rank, RC_MAX_DIMS);
    return rci_op_axes(n, t.axes, t.n, *out_rank, bits);
}

static rc_status unsqueeze_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT_ANY));
    const struct rci_shape *s = &i->in[0].shape;
    struct rci_shape y = {0, {0}};
    uint32_t bits, from = 0;
    RC_TRY(unsqueeze_bits(i->node, i->in, s->rank, &bits, &y.rank));
    for (uint32_t a = 0; a < y.rank; a++)
        y.dim[a] = bits >> a & 1 ? 1 : s->dim[from++];
    i->out[0].dtype = i->in[0].dtype;
    i->out[0].shape = y;
    return RC_OK;
}

static void unsqueeze_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *s = rci_links_shape(l, RC_IN(0, 0).operand);
    uint32_t bits, rank = 0, from = 0;
    if (!s || unsqueeze_bits(n, NULL, s->rank, &bits, &rank) != RC_OK)
        return;
    for (uint32_t a = 0; a < rank; a++) {
        if (bits >> a & 1)
            rci_link_fixed(l, RC_OUT(0, a));
        else
            rci_link_same(l, RC_IN(0, from++), RC_OUT(0, a));
    }
}

static rc_status unsqueeze_bind(struct rc_graph *g, struct rci_node *n,
                                const struct rci_tensor *known, const struct rci_tensor *alt,
                                const int64_t batch[2])
{
    (void) alt;
    (void) batch;
    struct rci_axes_attrs *t = n->attrs;
    return rci_axes_bind(g, n, known, t->axes, &t->n);
}

const struct rci_op rci_op_unsqueeze = {
    .name = "Unsqueeze",
    RC_AXES_OP,
    .infer = unsqueeze_infer,
    .couple = unsqueeze_couple,
    .bind = unsqueeze_bind,
};
