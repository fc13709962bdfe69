/* Squeeze: drop axes of length 1: those listed, or every one. */
#include "op/attrs.h"
#include "op/shape/axes.h"

static rc_status squeeze_bits(const struct rci_node *n, const struct rci_tensor *in,
                              const struct rci_shape *s, uint32_t *bits)
{
    struct rci_axes_attrs t = *(const struct rci_axes_attrs *) n->attrs;
    if (in)
        RC_TRY(rci_axes_get(n, in, t.axes, &t.n));
    RC_TRY(rci_op_axes(n, t.axes, t.n, s->rank, bits));
    for (uint32_t a = 0; a < s->rank; a++) {
        if (t.n == 0 && s->dim[a] == 1)
            *bits |= 1u << a;
        if ((*bits >> a & 1) && s->dim[a] != 1)
            return rci_fail(RC_ERR_SHAPE, "node \"%s\": axis %u has length %lld, must be 1",
                            n->name, a, (long long) s->dim[a]);
    }
    return RC_OK;
}

static rc_status squeeze_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT_ANY));
    const struct rci_shape *s = &i->in[0].shape;
    uint32_t bits;
    RC_TRY(squeeze_bits(i->node, i->in, s, &bits));
    struct rci_shape y = {0, {0}};
    for (uint32_t a = 0; a < s->rank; a++)
        if (!(bits >> a & 1))
            y.dim[y.rank++] = s->dim[a];
    i->out[0].dtype = i->in[0].dtype;
    i->out[0].shape = y;
    return RC_OK;
}

/* A dropped axis has one index, which cannot be cut; the others keep their order. */
static void squeeze_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *s = rci_links_shape(l, RC_IN(0, 0).operand);
    uint32_t bits, at = 0;
    if (!s || squeeze_bits(n, NULL, s, &bits) != RC_OK)
        return;
    for (uint32_t a = 0; a < s->rank; a++) {
        if (bits >> a & 1)
            rci_link_fixed(l, RC_IN(0, a));
        else
            rci_link_same(l, RC_IN(0, a), RC_OUT(0, at++));
    }
}

/* Without a list, the axes of length 1 are noted while the batch is 2, so that a free batch is
 * never among them. */
static rc_status squeeze_bind(struct rc_graph *g, struct rci_node *n,
                              const struct rci_tensor *known, const struct rci_tensor *alt,
                              const int64_t batch[2])
{
    (void) alt;
    struct rci_axes_attrs *t = n->attrs;
    RC_TRY(rci_axes_bind(g, n, known, t->axes, &t->n));
    if (t->n || rci_op_has(n, 1) || !g->dynamic_batch || batch[0] < 2)
        return RC_OK;
    for (uint32_t a = 0; a < known[0].shape.rank; a++)
        if (known[0].shape.dim[a] == 1)
            t->axes[t->n++] = a;
    return RC_OK;
}

const struct rci_op rci_op_squeeze = {
    .name = "Squeeze",
    RC_AXES_OP,
    .infer = squeeze_infer,
    .couple = squeeze_couple,
    .bind = squeeze_bind,
};
