/* Scale and zero point of QuantizeLinear and DequantizeLinear. */
#include "op/quant/quantparams.h"

#include <string.h>

#include <math.h>

/* Elements of a piece where one scale holds for all. */
enum { QUANT_PIECE = 1 << 13 };

static int64_t quant_axis(const struct rci_node *n)
{
    return ((const struct rci_quantize_attrs *) n->attrs)->axis;
}

/* One number for the whole tensor, whatever the rank it was written with. */
static bool per_tensor(const struct rci_tensor *scale)
{
    return rci_shape_count(&scale->shape) == 1 && scale->shape.rank <= 1;
}

static rc_status check_scale(const struct rci_node *n, const struct rci_tensor *scale)
{
    const float *s = scale->data;
    for (int64_t k = 0, count = s ? rci_shape_count(&scale->shape) : 0; k < count; k++)
        if (!(s[k] > 0 && isfinite(s[k])))
            return rci_fail(RC_ERR_MODEL,
                            "node \"%s\": scale %lld is %g, must be positive and finite", n->name,
                            (long long) k, (double) s[k]);
    return RC_OK;
}

rc_status rci_quant_check(const struct rci_infer *i, uint32_t zero_types)
{
    const struct rci_node *n = i->node;
    const struct rci_tensor *scale = &i->in[1];
    char text[RC_SHAPE_TEXT];
    RC_TRY(rci_op_check_type(i, 1, "scale", RC_DT_F32));
    if (rci_op_has(n, 2)) {
        RC_TRY(rci_op_check_type(i, 2, "zero point", zero_types));
        if (rci_shape_count(&i->in[2].shape) != rci_shape_count(&scale->shape))
            return rci_fail(RC_ERR_SHAPE, "node \"%s\": %lld zero points for %lld scales", n->name,
                            (long long) rci_shape_count(&i->in[2].shape),
                            (long long) rci_shape_count(&scale->shape));
    }
    RC_TRY(check_scale(n, scale));
    if (per_tensor(scale))
        return RC_OK;
    uint32_t axis;
    if (scale->shape.rank != 1)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": scale of shape %s, must have rank 0 or 1",
                        n->name, rci_shape_text(&scale->shape, text));
    RC_TRY(rci_op_axis(n, quant_axis(n), i->in[0].shape.rank, &axis));
    if (scale->shape.dim[0] != i->in[0].shape.dim[axis])
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": %lld scales for axis %u of length %lld",
                        n->name, (long long) scale->shape.dim[0], axis,
                        (long long) i->in[0].shape.dim[axis]);
    return RC_OK;
}

/* Row r holds neighbours with the scale of channel r % channels. */
struct rci_quant_rows rci_quant_rows(const struct rci_node *n, const struct rci_tensor *in)
{
    const struct rci_shape *s = &in[0].shape;
    struct rci_quant_rows r = {.total = rci_shape_count(s), .inner = 1, .channels = 1};
    if (per_tensor(&in[1])) {
        r.inner = QUANT_PIECE;
        r.rows = (r.total + r.inner - 1) / r.inner;
        return r;
    }
    const int64_t a = quant_axis(n);
    const uint32_t axis = (uint32_t) (a < 0 ? a + s->rank : a); /* infer checked it */
    for (uint32_t k = axis + 1; k < s->rank; k++)
        r.inner *= s->dim[k];
    r.channels = s->dim[axis];
    r.rows = r.inner ? r.total / r.inner : 0;
    return r;
}

int32_t rci_quant_zero(const struct rci_tensor *zero, int64_t k)
{
    if (!zero->data)
        return 0;
    if (zero->dtype == RC_S8)
        return ((const int8_t *) zero->data)[k];
    return zero->dtype == RC_U8 ? ((const uint8_t *) zero->data)[k]
                                : ((const int32_t *) zero->data)[k];
}

bool rci_quant_permute(struct rci_node *n, uint32_t *rank, const uint32_t *perm, uint32_t *out)
{
    struct rci_quantize_attrs *t = n->attrs;
    const int64_t axis = quant_axis(n) < 0 ? quant_axis(n) + *rank : quant_axis(n);
    if (axis >= 0 && axis < (int64_t) *rank) /* with one scale for all it may be anything */
        t->axis = perm[axis];
    memcpy(out, perm, *rank * sizeof(*out));
    return true;
}

void rci_quant_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    const struct rci_shape *s = rci_links_shape(l, RC_IN(1, 0).operand);
    uint32_t axis;
    rci_op_couple_same(n, l);
    if (!x || !s || s->rank != 1 || rci_op_axis(n, quant_axis(n), x->rank, &axis) != RC_OK ||
        s->dim[0] != x->dim[axis])
        return;
    rci_link_same(l, RC_IN(0, axis), RC_IN(1, 0));
    if (rci_op_has(n, 2))
        rci_link_same(l, RC_IN(0, axis), RC_IN(2, 0));
}

rc_status rci_quant_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_quantize_attrs *t = n->attrs;
    int64_t block = 0, ignored;
    t->axis = 1;
    /* before opset 13 all of a tensor has one scale, but for what was read as these nodes */
    if (rci_attrs_opset(a) >= 13 || rci_attrs_has(a, "axis"))
        RC_TRY(rci_attr_int(a, "axis", 1, &t->axis));
    RC_TRY(rci_attr_int(a, "saturate", 1, &ignored)); /* float 8 only */
    RC_TRY(rci_attr_int(a, "block_size", 0, &block));
    if (block)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": block_size is %lld, must be 0", n->name,
                        (long long) block);
    return RC_OK;
}

rc_status rci_quant_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_quantize_attrs *t = n->attrs;
    return rci_attr_write_opset(w) >= 13 ? rci_put_int(w, "axis", t->axis) : RC_OK;
}
