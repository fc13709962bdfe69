/* scale[o] = max |w[o]| / top, q = round(w / scale); with few bits the part of that scale, in steps
 * of 2 percent, which makes sum |scale q - w|^2.4 least (Nahshan et al., Loss Aware Post-training
 * Quantization, 2019, for the exponent). */
#include "quant/weights.h"
#include "kernel/int8/pairs.h"
#include "quant/plan.h"
#include "quant/round.h"

#include <float.h>
#include <math.h>

/* Weight element i belongs to channel (i / inner) % channels. */
struct channels {
    int64_t count, inner, total;
};

static struct channels channels_of(const struct rci_tensor *w, uint32_t axis)
{
    struct channels c = {w->shape.dim[axis], 1, rci_shape_count(&w->shape)};
    for (uint32_t k = axis + 1; k < w->shape.rank; k++)
        c.inner *= w->shape.dim[k];
    return c;
}

static void scales_find(float *scale, const struct rci_tensor *w, struct channels c, bool one)
{
    const float *x = w->data;
    for (int64_t i = 0; i < c.total; i++) {
        float *s = &scale[one ? 0 : (i / c.inner) % c.count];
        const float a = fabsf(x[i]);
        if (!(a <= *s)) /* also takes NaN over */
            *s = a;
    }
}

static rc_status scales_settle(float *scale, int64_t n, const struct rci_quant_weight_options *o)
{
    for (int64_t k = 0; k < n; k++) {
        if (!(scale[k] <= FLT_MAX))
            return rci_fail(RC_ERR_MODEL, "a weight of channel %lld is NaN or infinite",
                            (long long) k);
        if (o->keep && (o->clip || scale[k] <= o->keep[k] * ((float) o->top + 0.5f))) {
            scale[k] = o->keep[k];
            continue;
        }
        scale[k] /= (float) o->top;
        if (o->least && !o->per_tensor)
            scale[k] = fmaxf(scale[k], o->least[k]);
        if (!(scale[k] >= FLT_MIN))
            scale[k] = 1;
    }
    return RC_OK;
}

static double rounding_error(const float *x, double scale, struct channels c, int64_t channel,
                             const struct rci_quant_weight_options *o)
{
    const int64_t first = o->per_tensor ? 0 : channel * c.inner;
    const int64_t run = o->per_tensor ? c.total : c.inner, every = c.count * c.inner;
    double error = 0;
    for (int64_t at = first; at < c.total; at += o->per_tensor ? c.total : every)
        for (int64_t i = at; i < at + run; i++) {
            const double q = fmax(o->low, fmin(o->top, rint((double) x[i] / scale)));
            error += pow(fabs(q * scale - (double) x[i]), 2.4);
        }
    return error;
}

static void scales_search(float *scale, int64_t n, const float *x, struct channels c,
                          const struct rci_quant_weight_options *o)
{
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < n; k++) {
        const double full = (double) scale[k];
        double best = INFINITY;
        for (int part = 100; part >= 30; part -= 2) {
            const double s = full * part / 100, error = rounding_error(x, s, c, k, o);
            if (error < best) {
                best = error;
                scale[k] = (float) s;
            }
        }
    }
}

static void round_nearest(struct rci_quant_weight *out, const float *x, struct channels c,
                          const struct rci_quant_weight_options *o)
{
    int8_t *q = out->q.data;
    for (int64_t i = 0; i < c.total; i++) {
        const double s = (double) out->scale[o->per_tensor ? 0 : (i / c.inner) % c.count];
        q[i] = (int8_t) fmax(o->low, fmin(o->top, rint((double) x[i] / s)));
    }
}

rc_status rci_quant_weight_make(struct rci_quant_weight *out, struct rc_context *ctx,
                                const struct rci_tensor *w,
                                const struct rci_quant_weight_options *o)
{
    const struct channels c = channels_of(w, o->axis);
    *out = (struct rci_quant_weight){.n_scale = o->per_tensor ? 1 : c.count, .axis = o->axis};
    rc_status st = RC_ERR_MEMORY;
    out->scale = rci_alloc_array(ctx, (size_t) out->n_scale, sizeof(float));
    if (!out->scale)
        goto out;
    RC_TRY_OUT(st, rci_tensor_new(&out->q, ctx, RC_S8, &w->shape));
    scales_find(out->scale, w, c, o->per_tensor);
    RC_TRY_OUT(st, scales_settle(out->scale, out->n_scale, o));
    if (o->search && !o->keep)
        scales_search(out->scale, out->n_scale, w->data, c, o);
    for (int64_t k = 0; o->power_of_two && k < out->n_scale; k++)
        out->scale[k] = rci_quant_power_of_two(out->scale[k]);
    if (!o->pairs || 2 * o->top <= RC_PAIR_MOST) {
        round_nearest(out, w->data, c, o);
        goto out;
    }
    const struct rci_round r = {.blocks = o->pairs,
                                .moments = o->moments,
                                .w = w->data,
                                .top = o->top,
                                .per_tensor = o->per_tensor,
                                .keep = o->keep || o->power_of_two};
    st = rci_round_pairs(&r, ctx, out->scale, out->q.data);
out:
    if (st != RC_OK)
        rci_quant_weight_free(out);
    return st;
}

void rci_quant_weight_free(struct rci_quant_weight *w)
{
    rci_tensor_free(&w->q);
    rci_release(w->scale);
    w->scale = NULL;
}
