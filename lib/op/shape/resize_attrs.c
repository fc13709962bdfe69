/* Attributes of Resize and Upsample: scales are an attribute (Upsample 7), operand 1 (Upsample 9,
 * Resize 10) or operand 2 with sizes as operand 3 (from 11 on). */
#include "op/shape/resize.h"

#include <math.h>
#include <string.h>

static const char *const modes[] = {"nearest", "linear", "cubic"};
static const char *const froms[] = {"half_pixel",           "asymmetric",
                                    "align_corners",        "pytorch_half_pixel",
                                    "tf_half_pixel_for_nn", "half_pixel_symmetric"};
static const char *const nearests[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
static const char *const aspects[] = {"stretch", "not_larger", "not_smaller"};
#define LENGTH(list) ((int) (sizeof(list) / sizeof((list)[0])))

/* Which of the words; the first when missing. */
static rc_status word(const struct rci_attrs *a, const char *name, const char *const *list,
                      int count, int *out)
{
    const char *text;
    RC_TRY(rci_attr_string(a, name, &text));
    *out = 0;
    if (!*text)
        return RC_OK;
    for (int k = 0; k < count; k++)
        if (!strcmp(text, list[k])) {
            *out = k;
            return RC_OK;
        }
    return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": %s is \"%.40s\", which is not supported",
                    rci_attrs_node(a), name, text);
}

/* Upsample of opsets 7 and 8. */
static rc_status read_scales(struct rci_resize_attrs *t, const struct rci_attrs *a)
{
    float v[RC_MAX_DIMS];
    int32_t n;
    RC_TRY(rci_attr_floats(a, "scales", v, RC_MAX_DIMS, &n));
    for (int32_t k = 0; k < n; k++)
        t->scales[k] = (double) v[k];
    t->n = n < 0 ? 0 : n;
    t->bound = n >= 0;
    return RC_OK;
}

static rc_status read_places(struct rci_resize_attrs *t, const struct rci_attrs *a)
{
    int k;
    RC_TRY(word(a, "coordinate_transformation_mode", froms, LENGTH(froms), &k));
    t->from = (enum rci_resize_from) k;
    RC_TRY(word(a, "nearest_mode", nearests, LENGTH(nearests), &k));
    t->nearest = (enum rci_resize_nearest) k;
    RC_TRY(word(a, "keep_aspect_ratio_policy", aspects, LENGTH(aspects), &k));
    t->keep_aspect = k;
    return RC_OK;
}

rc_status rci_resize_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_resize_attrs *t = n->attrs;
    const int64_t opset = rci_attrs_opset(a);
    int k;
    const char *mode;
    RC_TRY(rci_attr_string(a, "mode", &mode));
    if (!strcmp(mode, "bilinear") || !strcmp(mode, "trilinear"))
        t->mode = RC_RESIZE_LINEAR; /* a word of Caffe2's exporter */
    else {
        RC_TRY(word(a, "mode", modes, LENGTH(modes), &k));
        t->mode = (enum rci_resize_mode) k;
    }
    t->cubic = -0.75f;
    /* Upsample, and Resize of opset 10, have no such attributes and mean this */
    t->from = RC_RESIZE_ASYMMETRIC;
    t->nearest = RC_RESIZE_FLOOR;
    if (n->op->variant == RC_RESIZE_IS_UPSAMPLE)
        return opset < 9 ? read_scales(t, a) : RC_OK;
    if (opset < 11)
        return RC_OK;
    int64_t outside, anti;
    float value;
    RC_TRY(read_places(t, a));
    RC_TRY(rci_attr_float(a, "cubic_coeff_a", -0.75f, &t->cubic));
    RC_TRY(rci_attr_int(a, "exclude_outside", 0, &outside));
    RC_TRY(rci_attr_float(a, "extrapolation_value", 0, &value)); /* of tf_crop_and_resize */
    RC_TRY(rci_attr_int(a, "antialias", 0, &anti));
    if (anti)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": antialias is not supported", n->name);
    t->exclude_outside = outside != 0;
    RC_TRY(rci_attr_ints(a, "axes", t->axes, RC_MAX_DIMS, &t->n_axes));
    if (t->n_axes < 0)
        t->n_axes = 0;
    return RC_OK;
}

static rc_status bind_scales(const struct rci_node *n, struct rci_resize_attrs *t,
                             const struct rci_tensor *v)
{
    const int64_t count = rci_shape_count(&v->shape);
    if (v->dtype != RC_F32 || count > RC_MAX_DIMS)
        return rci_fail(RC_ERR_MODEL,
                        "node \"%s\": %lld scales of type %s, must be f32, at most %d", n->name,
                        (long long) count, rci_dtype_name(v->dtype), RC_MAX_DIMS);
    for (int64_t k = 0; k < count; k++)
        t->scales[k] = (double) ((const float *) v->data)[k];
    t->n = (int32_t) count;
    t->bound = 1;
    return RC_OK;
}

/* The least f32 with floor(in * scale) == out: what is written in place of sizes where one of them
 * follows the batch, whose number is not known. out / in itself may round to just below. */
static double scale_for(int64_t in, int64_t out)
{
    float s = (float) out / (float) in;
    while (floor((double) s * (double) in) < (double) out)
        s = nextafterf(s, INFINITY);
    return (double) s;
}

/* A size that follows the batch is the input's own. */
static rc_status bind_sizes(const struct rci_node *n, struct rci_resize_attrs *t,
                            const struct rci_tensor *known, const struct rci_tensor *alt)
{
    const struct rci_shape *x = &known[0].shape;
    const struct rci_tensor *v = &known[3];

    int64_t second[RC_MAX_DIMS];
    int32_t count;
    RC_TRY(rci_op_ints(n, "sizes", v, t->sizes, RC_MAX_DIMS, &t->n));
    RC_TRY(rci_op_ints(n, "sizes", alt && alt[3].data ? &alt[3] : v, second, RC_MAX_DIMS, &count));
    for (int32_t k = 0; k < t->n && k < count; k++) {
        const int64_t a = t->n_axes ? t->axes[k] : k;
        const int64_t at = a < 0 ? a + x->rank : a;
        /* overwritten below, unless the size is the batch */
        t->scales[k] = 1;
        if (t->sizes[k] != second[k])
            t->sizes[k] = RC_RESIZE_AS_INPUT;
        else if (at >= 0 && at < x->rank && x->dim[at] > 0 && t->sizes[k] < INT32_MAX)
            t->scales[k] = scale_for(x->dim[at], t->sizes[k]);
    }
    t->by_size = 1;
    t->bound = 1;
    return RC_OK;
}

rc_status rci_resize_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                          const struct rci_tensor *alt, const int64_t batch[2])
{
    struct rci_resize_attrs *t = n->attrs;
    /* one operand (and Upsample) is scales; else region, scales, sizes */
    const uint32_t at = n->n_in == 2 ? 1 : 2;
    (void) batch;
    if (t->bound)
        return RC_OK;
    if (rci_op_has(n, 3) && known[3].data)
        RC_TRY(bind_sizes(n, t, known, alt));
    else if (rci_op_has(n, at) && known[at].data && rci_shape_count(&known[at].shape) > 0)
        RC_TRY(bind_scales(n, t, &known[at]));
    if (t->bound)
        rci_op_drop_from(g, n, 1);
    return RC_OK;
}

static rc_status write_words(const struct rci_resize_attrs *t, struct rci_attr_write *w)
{
    if (t->from == RC_RESIZE_HALF_PIXEL_SYMMETRIC)
        RC_TRY(rci_attr_write_since(w, 19, "half_pixel_symmetric"));
    if (t->keep_aspect || t->n_axes)
        RC_TRY(rci_attr_write_since(w, 18, t->n_axes ? "axes" : "keep_aspect_ratio_policy"));
    RC_TRY(rci_put_string(w, "coordinate_transformation_mode", froms[t->from]));
    if (t->mode == RC_RESIZE_NEAREST)
        RC_TRY(rci_put_string(w, "nearest_mode", nearests[t->nearest]));
    if (t->mode == RC_RESIZE_CUBIC)
        RC_TRY(rci_put_float(w, "cubic_coeff_a", t->cubic));
    if (t->exclude_outside)
        RC_TRY(rci_put_int(w, "exclude_outside", 1));
    if (t->keep_aspect)
        RC_TRY(rci_put_string(w, "keep_aspect_ratio_policy", aspects[t->keep_aspect]));
    return t->n_axes ? rci_put_ints(w, "axes", t->axes, (uint32_t) t->n_axes) : RC_OK;
}

static rc_status put_scales(const struct rci_resize_attrs *t, struct rci_attr_write *w,
                            uint32_t index)
{
    float v[RC_MAX_DIMS] = {0};
    for (int32_t k = 0; k < t->n; k++)
        v[k] = (float) t->scales[k];
    const struct rci_tensor s = {RC_F32, {1, {t->n}}, v};
    return rci_put_operand_f32(w, index, "scales", &s);
}

/* A size that follows the batch has no number; then scales say the same. */
static bool has_sizes(const struct rci_resize_attrs *t)
{
    for (int32_t k = 0; k < t->n; k++)
        if (t->sizes[k] == RC_RESIZE_AS_INPUT)
            return false;
    return t->by_size != 0;
}

/* Operands that opsets 11 and 12 want although they say nothing. */
static rc_status put_needed(const struct rci_resize_attrs *t, struct rci_attr_write *w)
{
    float none = 0;
    const struct rci_tensor empty = {RC_F32, {1, {0}}, &none};
    if (rci_attr_write_opset(w) >= 13)
        return RC_OK;
    RC_TRY(rci_put_operand(w, 1, "roi", &empty));
    return has_sizes(t) ? rci_put_operand_f32(w, 2, "scales", &empty) : RC_OK;
}

rc_status rci_resize_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_resize_attrs *t = n->attrs;
    const int64_t opset = rci_attr_write_opset(w);
    RC_TRY(rci_put_string(w, "mode", modes[t->mode]));
    if (!t->bound)
        return RC_OK;
    if (opset >= 11) {
        RC_TRY(write_words(t, w));
        RC_TRY(put_needed(t, w));
        return has_sizes(t) ? rci_op_put_i64(w, 3, "sizes", t->sizes, t->n) : put_scales(t, w, 2);
    }
    /* Upsample and Resize of opset 10: scales alone, places i / scale, the element below */
    if (has_sizes(t) || t->from != RC_RESIZE_ASYMMETRIC || t->nearest != RC_RESIZE_FLOOR ||
        t->mode == RC_RESIZE_CUBIC)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": this %s cannot be written in opset %lld",
                        n->name, n->op->name, (long long) opset);
    if (opset >= 9)
        return put_scales(t, w, 1);
    float v[RC_MAX_DIMS];
    for (int32_t k = 0; k < t->n; k++)
        v[k] = (float) t->scales[k];
    return rci_put_floats(w, "scales", v, (uint32_t) t->n);
}
