/* Clip: y = min(max(x, lo), hi); dx = dy where lo < x < hi, as ReLU6 is differentiated, and of
 * integers, whose gradients are floats, where lo <= x <= hi: the bounds are values like others.
 * Bounds are attributes up to opset 10 and operands from 11 on; here they are always attributes.
 * Free of the layout unless the bounds exclude 0, which the session finds out by trying. */
#include "op/attrs.h"
#include "op/math/activation.h"
#include "op/math/map.h"

#include <float.h>
#include <math.h>

static void clip_bounds(const struct rci_node *n, double *lo, double *hi)
{
    const struct rci_clip_attrs *a = n->attrs;
    *lo = a->n_bounds ? a->lo : -INFINITY;
    *hi = a->n_bounds ? a->hi : INFINITY;
}

static rc_status clip_infer(const struct rci_infer *i)
{
    if (rci_op_has(i->node, 1) || rci_op_has(i->node, 2))
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": bounds computed at run time, must be "
                        "constants",
                        i->node->name);
    return rci_op_infer_same(i, RC_DT_NUMBER);
}

static void clip_f32(const struct rci_call *c, int64_t from, int64_t to)
{
    double lo, hi;
    clip_bounds(c->node, &lo, &hi);
    const float l = (float) lo, h = (float) hi, *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    for (int64_t i = from; i < to; i++)
        y[i] = rci_clip(x[i], l, h);
}

#define CLIP_INT(type)                                    \
    do {                                                  \
        const type *x = c->in[0].data;                    \
        type *y = c->out[0].data;                         \
        for (int64_t i = from; i < to; i++)               \
            y[i] = (double) x[i] < lo ? (type) lo : x[i]; \
        for (int64_t i = from; i < to; i++)               \
            y[i] = (double) y[i] > hi ? (type) hi : y[i]; \
    } while (0)

/* Bytes are activations of few bits, once per layer: compared as bytes, so that loops vectorise. */
#define CLIP_BYTES(name, type, least, most)                                                        \
    static void name(const type *restrict x, type *restrict y, int64_t from, int64_t to,           \
                     double lo, double hi)                                                         \
    {                                                                                              \
        const type l = (type) fmax(least, fmin(most, lo)), h = (type) fmax(least, fmin(most, hi)); \
        for (int64_t i = from; i < to; i++) {                                                      \
            const type v = x[i] < l ? l : x[i];                                                    \
            y[i] = v > h ? h : v;                                                                  \
        }                                                                                          \
    }
CLIP_BYTES(clip_u8, uint8_t, 0, 255)
CLIP_BYTES(clip_s8, int8_t, -128, 127)

static void clip_other(const struct rci_call *c, int64_t from, int64_t to)
{
    double lo, hi;
    clip_bounds(c->node, &lo, &hi);
    switch (c->in[0].dtype) {
    case RC_U8:
        clip_u8(c->in[0].data, c->out[0].data, from, to, lo, hi);
        break;
    case RC_S8:
        clip_s8(c->in[0].data, c->out[0].data, from, to, lo, hi);
        break;
    case RC_F64:
        CLIP_INT(double);
        break;
    case RC_I64:
        CLIP_INT(int64_t);
        break;
    default:
        CLIP_INT(int32_t);
        break;
    }
}

static rc_status clip_forward(const struct rci_call *c)
{
    return rci_map_run(c, c->in[0].dtype == RC_F32 ? clip_f32 : clip_other);
}

static void clip_grad_bytes(const struct rci_call *c, int64_t from, int64_t to)
{
    double lo, hi;
    clip_bounds(c->node, &lo, &hi);
    const bool is_signed = c->in[0].dtype == RC_S8;
    const uint8_t *restrict x = c->in[0].data;
    const float *restrict g = c->d_out[0].data;
    float *restrict d = c->d_in[0].data;
    for (int64_t i = from; i < to; i++) {
        const int v = is_signed ? (int8_t) x[i] : x[i];
        d[i] = v >= lo && v <= hi ? g[i] : 0;
    }
}

static void clip_grad(const struct rci_call *c, int64_t from, int64_t to)
{
    double lo, hi;
    clip_bounds(c->node, &lo, &hi);
    const float l = (float) lo, h = (float) hi;
    const float *restrict x = c->in[0].data, *restrict g = c->d_out[0].data;
    float *restrict d = c->d_in[0].data;
    for (int64_t i = from; i < to; i++)
        d[i] = x[i] > l && x[i] < h ? g[i] : 0;
}

static rc_status clip_backward(const struct rci_call *c)
{
    const bool bytes = c->in[0].dtype == RC_U8 || c->in[0].dtype == RC_S8;
    return c->d_in[0].data ? rci_map_run(c, bytes ? clip_grad_bytes : clip_grad) : RC_OK;
}

static rc_status clip_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_clip_attrs *t = n->attrs;
    float lo = -FLT_MAX, hi = FLT_MAX;
    if (rci_attrs_opset(a) < 11) {
        RC_TRY(rci_attr_float(a, "min", lo, &lo));
        RC_TRY(rci_attr_float(a, "max", hi, &hi));
    }
    /* ONNX's defaults below opset 11 are the largest floats, meant as none */
    t->lo = lo <= -FLT_MAX ? -INFINITY : (double) lo;
    t->hi = hi >= FLT_MAX ? INFINITY : (double) hi;
    t->n_bounds = 2;
    return RC_OK;
}

/* A bound that is absent keeps its infinity; both are gone from the operands afterwards. */
static rc_status clip_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                           const struct rci_tensor *alt, const int64_t batch[2])
{
    (void) alt;
    (void) batch;
    struct rci_clip_attrs *t = n->attrs;
    for (uint32_t k = 1; k < n->n_in; k++) {
        if (!rci_op_has(n, k))
            continue;
        if (!known[k].data)
            return RC_OK; /* infer refuses it */
        if (rci_shape_count(&known[k].shape) != 1)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": bound has %lld elements, must be a scalar",
                            n->name, (long long) rci_shape_count(&known[k].shape));
        const double v = rci_op_scalar(&known[k]);
        /* every comparison with it is false, so min(max(x, lo), hi) would depend on how it is
         * written */
        if (isnan(v))
            return rci_fail(RC_ERR_MODEL, "node \"%s\": bound is not a number", n->name);
        *(k == 1 ? &t->lo : &t->hi) = v;
        t->type = known[k].dtype;
    }
    rci_op_drop_from(g, n, 1);
    return RC_OK;
}

static rc_status clip_write(const struct rci_node *n, struct rci_attr_write *w)
{
    double lo, hi;
    clip_bounds(n, &lo, &hi);
    const enum rci_dtype d = ((const struct rci_clip_attrs *) n->attrs)->type;
    /* bounds became operands in opset 11 */
    const bool operands = rci_attr_write_opset(w) >= 11;
    if (lo > -INFINITY)
        RC_TRY(operands ? rci_op_put_scalar(w, 1, "min", lo, d)
                        : rci_put_float(w, "min", (float) lo));
    if (hi < INFINITY)
        RC_TRY(operands ? rci_op_put_scalar(w, 2, "max", hi, d)
                        : rci_put_float(w, "max", (float) hi));
    return RC_OK;
}

/* Without a lower bound above it, a negative upper bound takes the sign of everything. */
static enum rci_sign clip_sign_of(const struct rci_node *n)
{
    double lo, hi;
    clip_bounds(n, &lo, &hi);
    if (hi < 0)
        return RC_SIGN_ANY;
    return lo >= 0 ? RC_SIGN_NON_NEGATIVE : RC_SIGN_KEEPS;
}

static bool clip_as_post(const struct rci_node *n, struct rci_post *out)
{
    double lo, hi;
    clip_bounds(n, &lo, &hi);
    /* lo > hi would need the order of min and max kept in every kernel */
    if (n->n_in > 1 || !(lo <= hi))
        return false;
    *out = (struct rci_post){.kind = RC_POST_CLIP, .alpha = (float) lo, .beta = (float) hi};
    if (lo == 0 && isinf(hi))
        out->kind = RC_POST_RELU;
    return true;
}

const struct rci_op rci_op_clip = {
    .name = "Clip",
    RC_OP_ARITY(1, 3, 1, 1),
    .attr_size = sizeof(struct rci_clip_attrs),
    .flags = RC_OP_LAYOUT_FREE | RC_OP_SEPARATE | RC_OP_POINTWISE,
    .quant = RC_QUANT_BOUND,
    .infer = clip_infer,
    .forward = clip_forward,
    .backward = clip_backward,
    .sign_of = clip_sign_of,
    .as_post = clip_as_post,
    .couple = rci_op_couple_same,
    .read_attrs = clip_read,
    .bind = clip_bind,
    .write_attrs = clip_write,
    .cost = rci_op_cost_elementwise,
};
