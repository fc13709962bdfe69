/* Resize: images (any axes) enlarged or made smaller: output i along an axis lies at a place x(i)
 * of the input, and is the nearest element, or the mean of its neighbours weighted by a kernel
 * (linear, cubic). Upsample, its older form, places output i at i / scale and takes the element
 * below. */
#include "op/shape/resize.h"
#include "op/attrs.h"
#include "op/common.h"

#include <math.h>
#include <string.h>

/* Axis of entry k of scales or sizes. */
static uint32_t resize_axis(const struct rci_resize_attrs *t, int32_t k, uint32_t rank)
{
    if (!t->n_axes)
        return (uint32_t) k;
    return (uint32_t) (t->axes[k] < 0 ? t->axes[k] + rank : t->axes[k]);
}

/* The shape of the result: floor(length * scale), or sizes. Scales of all axes, also where sizes
 * were given. keep_aspect (opset 18) takes the least (not_larger) or largest scale for all axes. */
static rc_status resize_shape(const struct rci_node *n, const struct rci_resize_attrs *t,
                              const struct rci_shape *x, struct rci_shape *y, double *scale)
{
    uint32_t bits;
    double fit = 0; /* keeping the aspect: one scale for all */
    RC_TRY(rci_op_axes(n, t->axes, t->n_axes, x->rank, &bits));
    if (t->n != (t->n_axes ? t->n_axes : (int32_t) x->rank))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": %d %s for %d axes", n->name, t->n,
                        t->by_size ? "sizes" : "scales", t->n_axes ? t->n_axes : (int32_t) x->rank);
    *y = *x;
    for (uint32_t a = 0; a < x->rank; a++)
        scale[a] = 1;
    for (int32_t k = 0; k < t->n; k++) {
        const uint32_t a = resize_axis(t, k, x->rank);
        scale[a] = t->by_size ? (double) t->sizes[k] / (double) x->dim[a] : t->scales[k];
        if (t->by_size && t->sizes[k] == RC_RESIZE_AS_INPUT)
            scale[a] = 1;
        if (!(scale[a] > 0 && (double) x->dim[a] * scale[a] < 1e9))
            return rci_fail(RC_ERR_MODEL, "node \"%s\": axis %u of length %lld scaled by %g",
                            n->name, a, (long long) x->dim[a], scale[a]);
        y->dim[a] = (int64_t) floor((double) x->dim[a] * scale[a]);
        if (t->by_size && t->sizes[k] != RC_RESIZE_AS_INPUT)
            y->dim[a] = t->sizes[k];
        fit = k == 0 || (t->keep_aspect == 2 ? scale[a] > fit : scale[a] < fit) ? scale[a] : fit;
    }
    for (int32_t k = 0; t->keep_aspect && k < t->n; k++) {
        const uint32_t a = resize_axis(t, k, x->rank);
        scale[a] = fit;
        y->dim[a] = (int64_t) floor((double) x->dim[a] * fit + 0.5);
    }
    return rci_op_check_count(n, y);
}

static rc_status resize_infer(const struct rci_infer *i)
{
    const struct rci_resize_attrs *t = i->node->attrs;
    double scale[RC_MAX_DIMS];
    RC_TRY(rci_op_check_type(i, 0, "X", t->mode == RC_RESIZE_NEAREST ? RC_DT_NUMBER : RC_DT_F32));
    if (!t->bound)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": scales or sizes are computed at run time, they must be "
                        "constants or follow from shapes",
                        i->node->name);
    i->out[0].dtype = i->in[0].dtype;
    return resize_shape(i->node, t, &i->in[0].shape, &i->out[0].shape, scale);
}

/* --- where outputs lie --- */

/* Place in the input [elements] of output i, by coordinate_transformation_mode; ONNX's formulas.
 * `in`, `out`: lengths; scale * in is the length before rounding, which some use in place of
 * out. */
static double source_of(const struct rci_resize_attrs *t, int64_t i, double scale, int64_t in,
                        int64_t out)
{
    switch (t->from) {
    case RC_RESIZE_ASYMMETRIC:
        return (double) i / scale;
    case RC_RESIZE_ALIGN_CORNERS:
        return out == 1 ? 0 : (double) i * (double) (in - 1) / (scale * (double) in - 1);
    case RC_RESIZE_PYTORCH_HALF_PIXEL:
        return out == 1 ? 0 : ((double) i + 0.5) / scale - 0.5;
    case RC_RESIZE_TF_HALF_PIXEL:
        return ((double) i + 0.5) / scale;
    case RC_RESIZE_HALF_PIXEL_SYMMETRIC: {
        const double adjust = (double) out / (scale * (double) in), middle = (double) in / 2;
        return middle * (1 - adjust) + ((double) i + 0.5) / scale - 0.5;
    }
    default:
        return ((double) i + 0.5) / scale - 0.5;
    }
}

/* x rounded to an element. prefer_floor and prefer_ceil differ at ties (x = k + 1/2) only. */
static int64_t nearest(const struct rci_resize_attrs *t, double x, int64_t in)
{
    double r;
    switch (t->nearest) {
    case RC_RESIZE_FLOOR:
        r = floor(x);
        break;
    case RC_RESIZE_CEIL:
        r = ceil(x);
        break;
    case RC_RESIZE_PREFER_CEIL:
        r = floor(x + 0.5);
        break;
    default:
        r = ceil(x - 0.5);
        break;
    }
    return r < 0 ? 0 : r > (double) (in - 1) ? in - 1 : (int64_t) r;
}

enum { TAPS = 4 };

/* Elements and weights of one output along an axis. */
struct taps {
    int n;
    int64_t at[TAPS];
    double weight[TAPS];
};

/* Keys' kernel with coefficient a: interpolates (1 at 0, 0 at 1 and 2), smooth at its ends. */
static double cubic_weight(double d, double a)
{
    d = fabs(d);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* Two or four neighbours of x. Those beyond the border are the border's element again, or, with
 * exclude_outside, have no weight and the others share theirs. */
static void weighted(const struct rci_resize_attrs *t, double x, int64_t in, struct taps *out)
{
    const bool cubic = t->mode == RC_RESIZE_CUBIC;
    const int64_t first = (int64_t) floor(x) - (cubic ? 1 : 0);
    double sum = 0;
    out->n = cubic ? 4 : 2;
    for (int k = 0; k < out->n; k++) {
        const int64_t at = first + k;
        const double d = x - (double) at;
        double w = cubic ? cubic_weight(d, (double) t->cubic) : 1 - fabs(d);
        if (t->exclude_outside && (at < 0 || at >= in))
            w = 0;
        out->at[k] = at < 0 ? 0 : at >= in ? in - 1 : at;
        out->weight[k] = w;
        sum += w;
    }
    for (int k = 0; t->exclude_outside && k < out->n; k++)
        out->weight[k] /= sum;
}

/* An axis that keeps its length is copied, whatever the mode says about places. */
static void taps_of(const struct rci_resize_attrs *t, int64_t i, double scale, int64_t in,
                    int64_t out, struct taps *to)
{
    const double x = source_of(t, i, scale, in, out);
    if (t->mode == RC_RESIZE_NEAREST || (scale == 1 && in == out)) {
        to->n = 1;
        to->at[0] = scale == 1 && in == out ? i : nearest(t, x, in);
        to->weight[0] = 1;
        return;
    }
    weighted(t, x, in, to);
}

/* What all outputs of one run share. Taps are found anew for every output: as many operations as
 * the sum itself, and no memory that would have to be allocated. */
struct walk {
    const struct rci_resize_attrs *t;
    struct rci_shape x, y;
    double scale[RC_MAX_DIMS];
    int64_t step[RC_MAX_DIMS]; /* strides of x */
};

static rc_status walk_of(const struct rci_call *c, struct walk *w)
{
    w->t = c->node->attrs;
    w->x = c->in[0].shape;
    RC_TRY(resize_shape(c->node, w->t, &w->x, &w->y, w->scale));
    int64_t step = 1;
    for (uint32_t a = w->x.rank; a-- > 0; step *= w->x.dim[a])
        w->step[a] = step;
    return RC_OK;
}

/* The taps of output i in all axes. Combinations of them: products of weights. */
static void walk_to(const struct walk *w, int64_t i, struct taps taps[RC_MAX_DIMS], int64_t *count)
{
    *count = 1;
    for (uint32_t a = w->x.rank; a-- > 0; i /= w->y.dim[a]) {
        taps_of(w->t, i % w->y.dim[a], w->scale[a], w->x.dim[a], w->y.dim[a], &taps[a]);
        *count *= taps[a].n;
    }
}

/* Combination k of taps, one of each axis: the element of x, and the product of weights. */
static int64_t combination(const struct walk *w, const struct taps *taps, int64_t k, double *weight)
{
    int64_t at = 0;
    *weight = 1;
    for (uint32_t a = w->x.rank; a-- > 0; k /= taps[a].n) {
        const int64_t j = k % taps[a].n;
        at += taps[a].at[j] * w->step[a];
        *weight *= taps[a].weight[j];
    }
    return at;
}

static rc_status resize_forward(const struct rci_call *c)
{
    struct walk w;
    RC_TRY(walk_of(c, &w));
    const int64_t n = rci_shape_count(&w.y);
    /* nearest elements are moved as they are, in any type; means are of f32 */
    const size_t size = rci_dtype_size(c->in[0].dtype);
#pragma omp parallel for schedule(static) if (n >= RC_PARALLEL_MIN / 8)
    for (int64_t i = 0; i < n; i++) {
        struct taps taps[RC_MAX_DIMS];
        int64_t count;
        double sum = 0, weight;
        walk_to(&w, i, taps, &count);
        if (w.t->mode == RC_RESIZE_NEAREST) {
            const int64_t at = combination(&w, taps, 0, &weight);
            memcpy((char *) c->out[0].data + (size_t) i * size,
                   (const char *) c->in[0].data + (size_t) at * size, size);
            continue;
        }
        for (int64_t k = 0; k < count; k++) {
            const int64_t at = combination(&w, taps, k, &weight);
            sum += weight * (double) ((const float *) c->in[0].data)[at];
        }
        ((float *) c->out[0].data)[i] = (float) sum;
    }
    return RC_OK;
}

/* In the order of the outputs: sums do not depend on the number of threads. */
static rc_status resize_backward(const struct rci_call *c)
{
    struct walk w;
    float *d = c->d_in[0].data;
    const float *g = c->d_out[0].data;
    if (!d)
        return RC_OK;
    RC_TRY(walk_of(c, &w));
    memset(d, 0, (size_t) rci_shape_count(&w.x) * sizeof(float));
    for (int64_t i = 0, n = rci_shape_count(&w.y); i < n && c->in[0].dtype == RC_F32; i++) {
        struct taps taps[RC_MAX_DIMS];
        int64_t count;
        double weight;
        walk_to(&w, i, taps, &count);
        for (int64_t k = 0; k < count; k++) {
            const int64_t at = combination(&w, taps, k, &weight);
            d[at] += (float) (weight * (double) g[i]);
        }
    }
    return RC_OK;
}

/* Axes that keep their length go through. */
static void resize_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    const struct rci_shape *y = rci_links_shape(l, RC_OUT(0, 0).operand);
    (void) n;
    for (uint32_t a = 0; x && y && a < x->rank; a++)
        if (x->dim[a] == y->dim[a])
            rci_link_same(l, RC_IN(0, a), RC_OUT(0, a));
}

/* A size that was a channel count follows it. */
static rc_status resize_resized(struct rc_graph *g, struct rci_node *n, const struct rci_links *l)
{
    struct rci_resize_attrs *t = n->attrs;
    (void) g;
    for (int32_t k = 0; t->by_size && k < t->n; k++) {
        const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
        const uint32_t a = resize_axis(t, k, x->rank);
        uint32_t kept;
        if (rci_links_kept(l, RC_IN(0, a), &kept) && t->sizes[k] != RC_RESIZE_AS_INPUT)
            t->sizes[k] = kept;
    }
    return RC_OK;
}

/* Images stay apart when the batch is not resized. */
static bool resize_separate(const struct rc_graph *g, const struct rci_node *n, uint32_t rank)
{
    const struct rci_shape *x = &g->values[n->in[0]].tensor.shape;
    const struct rci_shape *y = &g->values[n->out[0]].tensor.shape;
    return rank > 0 && x->rank && y->rank && x->dim[0] == y->dim[0];
}

#define RESIZE_OP                                                                        \
    .attr_size = sizeof(struct rci_resize_attrs), .infer = resize_infer,                 \
    .forward = resize_forward, .backward = resize_backward, .separate = resize_separate, \
    .couple = resize_couple, .resized = resize_resized, .read_attrs = rci_resize_read,   \
    .bind = rci_resize_bind, .write_attrs = rci_resize_write, .cost = rci_op_cost_elementwise

const struct rci_op rci_op_resize = {
    .name = "Resize",
    RC_OP_ARITY(1, 4, 1, 1),
    .since = 10,
    RESIZE_OP,
};

const struct rci_op rci_op_upsample = {
    .name = "Upsample",
    RC_OP_ARITY(1, 2, 1, 1),
    .until = 9,
    .variant = RC_RESIZE_IS_UPSAMPLE,
    RESIZE_OP,
};
