/* Unsqueeze: insert axes of length 1 at the listed places of the output. */
#include "op/attrs.h"
#include "op/axes.h"

static rc_status unsqueeze_bits(const struct rc_node *n, const struct rc_tensor *in, uint32_t rank,
                                uint32_t *bits, uint32_t *out_rank)
{
    struct rc_axes_attrs t = *(const struct rc_axes_attrs *) n->attrs;
    if (in)
        RC_TRY(rc_axes_get(n, in, t.axes, &t.n));
    if (t.n == 0)
        return rc_fail(RC_ERR_MODEL, "node \"%s\": axes are missing", n->name);
    *out_rank = rank + (uint32_t) t.n;
    if (*out_rank > RC_MAX_DIMS)
        return rc_fail(RC_ERR_SHAPE, "node \"%s\": rank of the result is %u, at most %d", n->name,
                       *out_rank, RC_MAX_DIMS);
    return rc_op_axes(n, t.axes, t.n, *out_rank, bits);
}

static rc_status unsqueeze_infer(const struct rc_infer *i)
{
    RC_TRY(rc_op_check_type(i, 0, "input", RC_DT_ANY));
    const struct rc_shape *s = &i->in[0].shape;
    struct rc_shape y = {0, {0}};
    uint32_t bits, from = 0;
    RC_TRY(unsqueeze_bits(i->node, i->in, s->rank, &bits, &y.rank));
    for (uint32_t a = 0; a < y.rank; a++)
        y.dim[a] = bits >> a & 1 ? 1 : s->dim[from++];
    i->out[0].dtype = i->in[0].dtype;
    i->out[0].shape = y;
    return RC_OK;
}

static void unsqueeze_couple(const struct rc_node *n, struct rc_links *l)
{
    const struct rc_shape *s = rc_links_shape(l, RC_IN(0, 0).operand);
    uint32_t bits, rank = 0, from = 0;
    if (!s || unsqueeze_bits(n, NULL, s->rank, &bits, &rank) != RC_OK)
        return;
    for (uint32_t a = 0; a < rank; a++) {
        if (bits >> a & 1)
            rc_link_fixed(l, RC_OUT(0, a));
        else
            rc_link_same(l, RC_IN(0, from++), RC_OUT(0, a));
    }
}

static rc_status unsqueeze_read(struct rc_node *n, const struct rc_attrs *a)
{
    struct rc_axes_attrs *t = n->attrs;
    return rc_axes_read(a, 13, t->axes, &t->n);
}

static rc_status unsqueeze_bind(struct rc_graph *g, struct rc_node *n,
                                const struct rc_tensor *known, const struct rc_tensor *alt,
                                const int64_t batch[2])
{
    (void) alt;
    (void) batch;
    struct rc_axes_attrs *t = n->attrs;
    return rc_axes_bind(g, n, known, t->axes, &t->n);
}

static rc_status unsqueeze_write(const struct rc_node *n, struct rc_attr_write *w)
{
    const struct rc_axes_attrs *t = n->attrs;
    return rc_axes_write(w, 13, t->axes, t->n);
}

const struct rc_op rc_op_unsqueeze = {
    .name = "Unsqueeze",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .attr_size = sizeof(struct rc_axes_attrs),
    .flags = RC_OP_VIEW | RC_OP_SEPARATE,
    .quant = RC_QUANT_PASS,
    .infer = unsqueeze_infer,
    .forward = rc_op_forward_copy,
    .backward = rc_op_backward_copy,
    .couple = unsqueeze_couple,
    .read_attrs = unsqueeze_read,
    .bind = unsqueeze_bind,
    .write_attrs = unsqueeze_write,
};
