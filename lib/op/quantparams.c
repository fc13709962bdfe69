/* Scale and zero point of QuantizeLinear and DequantizeLinear. */
#include "op/quantparams.h"

#include <math.h>

enum { QUANT_PIECE = 1 << 13 };

static int64_t quant_axis(const struct rc_node *n)
{
    return ((const struct rc_quantize_attrs *) n->attrs)->axis;
}

/* One number for the whole tensor, whatever the rank it was written with. */
static bool per_tensor(const struct rc_tensor *scale)
{
    return rc_shape_count(&scale->shape) == 1 && scale->shape.rank <= 1;
}

static rc_status check_scale(const struct rc_node *n, const struct rc_tensor *scale)
{
    const float *s = scale->data;
    for (int64_t k = 0, count = s ? rc_shape_count(&scale->shape) : 0; k < count; k++)
        if (!(s[k] > 0 && isfinite(s[k])))
            return rc_fail(RC_ERR_MODEL,
                           "node \"%s\": scale %lld is %g, must be positive and finite", n->name,
                           (long long) k, (double) s[k]);
    return RC_OK;
}

rc_status rc_quant_check(const struct rc_infer *i, uint32_t zero_types)
{
    const struct rc_node *n = i->node;
    const struct rc_tensor *scale = &i->in[1];
    char text[RC_SHAPE_TEXT];
    RC_TRY(rc_op_check_type(i, 1, "scale", RC_DT_F32));
    if (rc_op_has(n, 2)) {
        RC_TRY(rc_op_check_type(i, 2, "zero point", zero_types));
        if (rc_shape_count(&i->in[2].shape) != rc_shape_count(&scale->shape))
            return rc_fail(RC_ERR_SHAPE, "node \"%s\": %lld zero points for %lld scales", n->name,
                           (long long) rc_shape_count(&i->in[2].shape),
                           (long long) rc_shape_count(&scale->shape));
    }
    RC_TRY(check_scale(n, scale));
    if (per_tensor(scale))
        return RC_OK;
    uint32_t axis;
    if (scale->shape.rank != 1)
        return rc_fail(RC_ERR_SHAPE, "node \"%s\": scale of shape %s, must have rank 0 or 1",
                       n->name, rc_shape_text(&scale->shape, text));
    RC_TRY(rc_op_axis(n, quant_axis(n), i->in[0].shape.rank, &axis));
    if (scale->shape.dim[0] != i->in[0].shape.dim[axis])
        return rc_fail(RC_ERR_SHAPE, "node \"%s\": %lld scales for axis %u of length %lld", n->name,
                       (long long) scale->shape.dim[0], axis, (long long) i->in[0].shape.dim[axis]);
    return RC_OK;
}

struct rc_quant_rows rc_quant_rows(const struct rc_node *n, const struct rc_tensor *in)
{
    const struct rc_shape *s = &in[0].shape;
    struct rc_quant_rows r = {.total = rc_shape_count(s), .inner = 1, .channels = 1};
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

int32_t rc_quant_zero(const struct rc_tensor *zero, int64_t k)
{
    if (!zero->data)
        return 0;
    if (zero->dtype == RC_S8)
        return ((const int8_t *) zero->data)[k];
    return zero->dtype == RC_U8 ? ((const uint8_t *) zero->data)[k]
                                : ((const int32_t *) zero->data)[k];
}

void rc_quant_couple(const struct rc_node *n, struct rc_links *l)
{
    const struct rc_shape *x = rc_links_shape(l, RC_IN(0, 0).operand);
    const struct rc_shape *s = rc_links_shape(l, RC_IN(1, 0).operand);
    uint32_t axis;
    rc_op_couple_same(n, l);
    if (!x || !s || s->rank != 1 || rc_op_axis(n, quant_axis(n), x->rank, &axis) != RC_OK ||
        s->dim[0] != x->dim[axis])
        return;
    rc_link_same(l, RC_IN(0, axis), RC_IN(1, 0));
    if (rc_op_has(n, 2))
        rc_link_same(l, RC_IN(0, axis), RC_IN(2, 0));
}

rc_status rc_quant_read(struct rc_node *n, const struct rc_attrs *a)
{
    struct rc_quantize_attrs *t = n->attrs;
    int64_t block = 0, ignored;
    RC_TRY(rc_attr_int(a, "axis", 1, &t->axis));
    RC_TRY(rc_attr_int(a, "saturate", 1, &ignored)); /* float 8 only */
    RC_TRY(rc_attr_int(a, "block_size", 0, &block));
    if (block)
        return rc_fail(RC_ERR_UNSUPPORTED, "node \"%s\": block_size is %lld, must be 0", n->name,
                       (long long) block);
    return RC_OK;
}

rc_status rc_quant_write(const struct rc_node *n, struct rc_attr_write *w)
{
    const struct rc_quantize_attrs *t = n->attrs;
    return rc_attr_write_opset(w) >= 13 ? rc_put_int(w, "axis", t->axis) : RC_OK;
}
