/* Transpose: out axis k is in axis perm[k]; reversed without perm. */
#include "op/attrs.h"
#include "op/common.h"
#include "op/shape/strided.h"

static rc_status transpose_perm(const struct rci_node *n, uint32_t rank, uint32_t *perm)
{
    const struct rci_transpose_attrs *a = n->attrs;
    uint32_t bits;
    for (uint32_t k = 0; k < rank && a->n == 0; k++)
        perm[k] = rank - 1 - k;
    if (a->n == 0)
        return RC_OK;
    /* a permutation: as many entries as axes, none twice */
    if ((uint32_t) a->n != rank)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": perm has %d entries, must be %u", n->name, a->n,
                        rank);
    RC_TRY(rci_op_axes(n, a->perm, a->n, rank, &bits));
    for (uint32_t k = 0; k < rank; k++)
        RC_TRY(rci_op_axis(n, a->perm[k], rank, &perm[k]));
    return RC_OK;
}

static rc_status transpose_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_infer_same(i, RC_DT_ANY));
    uint32_t perm[RC_MAX_DIMS];
    RC_TRY(transpose_perm(i->node, i->in[0].shape.rank, perm));
    for (uint32_t k = 0; k < i->in[0].shape.rank; k++)
        i->out[0].shape.dim[k] = i->in[0].shape.dim[perm[k]];
    return RC_OK;
}

/* from: strides of the permuted side, to: row-major strides of the output side */
static rc_status transpose_plan(const struct rci_call *c, struct rci_strided *s)
{
    uint32_t perm[RC_MAX_DIMS];
    int64_t stride[RC_MAX_DIMS];
    const struct rci_shape *x = &c->in[0].shape;
    RC_TRY(transpose_perm(c->node, x->rank, perm));
    rci_row_major(x, stride);
    rci_row_major(&c->out[0].shape, s->to);
    s->rank = x->rank;
    for (uint32_t k = 0; k < x->rank; k++) {
        s->dim[k] = x->dim[perm[k]];
        s->from[k] = stride[perm[k]];
    }
    return RC_OK;
}

static rc_status transpose_forward(const struct rci_call *c)
{
    struct rci_strided s;
    RC_TRY(transpose_plan(c, &s));
    rci_strided_copy(&s, rci_dtype_size(c->in[0].dtype), c->in[0].data, c->out[0].data);
    return RC_OK;
}

static rc_status transpose_backward(const struct rci_call *c)
{
    struct rci_strided s, r;
    if (!c->d_in[0].data)
        return RC_OK;
    RC_TRY(transpose_plan(c, &s));
    r = s;
    for (uint32_t k = 0; k < s.rank; k++) {
        r.from[k] = s.to[k];
        r.to[k] = s.from[k];
    }
    rci_strided_copy(&r, sizeof(float), c->d_out[0].data, c->d_in[0].data);
    return RC_OK;
}

static void transpose_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *s = rci_links_shape(l, RC_IN(0, 0).operand);
    uint32_t perm[RC_MAX_DIMS];
    if (!s || transpose_perm(n, s->rank, perm) != RC_OK)
        return;
    for (uint32_t k = 0; k < s->rank; k++)
        rci_link_same(l, RC_IN(0, perm[k]), RC_OUT(0, k));
}

static bool transpose_keeps_elements(const struct rci_node *n)
{
    const struct rci_transpose_attrs *t = n->attrs;
    for (int32_t k = 0; k < t->n; k++)
        if (t->perm[k] != k && t->perm[k] != k - t->n)
            return false;
    return t->n > 0;
}

static bool transpose_as_transpose(const struct rci_node *n, uint32_t rank, uint32_t *perm)
{
    return transpose_perm(n, rank, perm) == RC_OK;
}

/* Its result is the same when it reads axis perm[k] where it read axis k. */
static bool transpose_permute(struct rci_node *n, uint32_t *rank, const uint32_t *perm,
                              uint32_t *out)
{
    uint32_t own[RC_MAX_DIMS];
    struct rci_transpose_attrs *t = n->attrs;
    if (transpose_perm(n, *rank, own) != RC_OK)
        return false;
    t->n = (int32_t) *rank;
    for (uint32_t k = 0; k < *rank; k++) {
        t->perm[k] = perm[own[k]];
        out[k] = k;
    }
    return true;
}

static rc_status transpose_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_transpose_attrs *t = n->attrs;
    RC_TRY(rci_attr_ints(a, "perm", t->perm, RC_MAX_DIMS, &t->n));
    if (t->n < 0)
        t->n = 0;
    return RC_OK;
}

static rc_status transpose_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_transpose_attrs *t = n->attrs;
    return t->n ? rci_put_ints(w, "perm", t->perm, (uint32_t) t->n) : RC_OK;
}

const struct rci_op rci_op_transpose = {
    .name = "Transpose",
    RC_OP_ARITY(1, 1, 1, 1),
    .attr_size = sizeof(struct rci_transpose_attrs),
    .flags = RC_OP_SEPARATE,
    .quant = RC_QUANT_PASS,
    .infer = transpose_infer,
    .forward = transpose_forward,
    .backward = transpose_backward,
    .keeps_elements = transpose_keeps_elements,
    .as_transpose = transpose_as_transpose,
    .permute = transpose_permute,
    .couple = transpose_couple,
    .read_attrs = transpose_read,
    .write_attrs = transpose_write,
    .cost = rci_op_cost_elementwise,
};
