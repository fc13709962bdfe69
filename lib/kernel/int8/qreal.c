/* Bytes to floats before a convolution in f32, and its sums to bytes. */
#include "kernel/int8/qreal.h"
#include "base/context.h"
#include "kernel/int8/qround.h"

enum { ROOM = 16 }; /* floats of the widest vector */

struct rci_qreal {
    struct rci_qkernel_job job;
    const struct rci_qkernel_set *set; /* NULL: plain loops */
    float *scales;
};

rc_status rci_qreal_new(struct rci_qreal **out, struct rc_context *c, const struct rci_conv_spec *s)
{
    struct rci_qreal *r = RC_NEW(c, struct rci_qreal);
    *out = NULL;
    if (!r)
        return RC_ERR_MEMORY;
    r->set = rci_qkernel_set_here(s->cpu);
    rci_qkernel_fill_job(&r->job, s);
    r->scales = rci_qkernel_scales(&r->job, c, s, r->set ? r->set->lanes : 1, 1);
    if (!r->scales) {
        rci_release(r);
        return RC_ERR_MEMORY;
    }
    *out = r;
    return RC_OK;
}

void rci_qreal_free(struct rci_qreal *r)
{
    if (!r)
        return;
    rci_release(r->scales);
    rci_release(r);
}

int64_t rci_qreal_in_count(const struct rci_qreal *r)
{
    return r->job.batch * r->job.in_h * r->job.in_w * r->job.in_c;
}

static int64_t pixel_count(const struct rci_qreal *r)
{
    return r->job.batch * r->job.out_h * r->job.out_w;
}

int64_t rci_qreal_sums_count(const struct rci_qreal *r)
{
    return pixel_count(r) * r->job.out_c + ROOM;
}

/* --- plain loops --- */

static float real_of(enum rci_dtype t, const uint8_t *x, int64_t i)
{
    return t == RC_U8 ? (float) x[i] : (float) (int8_t) x[i];
}

/* In the order of the vector code, whose multiply-add for the residual rounds once. */
static float finished(const struct rci_qkernel_job *j, float sum, int64_t o, const uint8_t *res,
                      int64_t at)
{
    float v = (sum + j->bias[o]) * j->scale[o];
    if (j->mid > 0)
        v = rci_q_round(rci_q_clamp(v, -128.0f, 127.0f)) * j->mid;
    if (res)
        v = (float) ((double) v + (double) j->res_scale * (double) real_of(j->res_type, res, at));
    return v;
}

static void plain_pixel(const struct rci_qkernel_job *j, const float *sums, const uint8_t *res,
                        int64_t pixel)
{
    float *real = (float *) (void *) j->dst;
    for (int64_t o = 0; o < j->out_c; o++) {
        const int64_t at = pixel * j->out_c + o;
        const float v = finished(j, sums[at], o, res, at);
        if (j->dst_type == RC_F32)
            real[at] = j->relu && v < 0 ? 0 : v;
        else /* the low byte is right for s8 too */
            j->dst[at] = (uint8_t) (int32_t) rci_q_round(rci_q_clamp(v, j->low, j->high));
    }
}

/* --- sharing --- */

void rci_qreal_share_in(const struct rci_qreal *r, const void *src, float *to)
{
    enum { STEP = 4096 };
    struct rci_qkernel_job j = r->job;
    const int64_t n = rci_qreal_in_count(r), steps = (n + STEP - 1) / STEP;
    j.src = src;
#pragma omp for schedule(static) nowait
    for (int64_t k = 0; k < steps; k++) {
        const int64_t first = k * STEP, end = first + STEP < n ? first + STEP : n;
        if (r->set)
            r->set->real_in(&j, first, end, to);
        else
            for (int64_t i = first; i < end; i++)
                to[i] = real_of(j.src_type, j.src, i);
    }
}

void rci_qreal_share_out(const struct rci_qreal *r, const float *sums, const void *res, void *dst)
{
    enum { STEP = 32 };
    struct rci_qkernel_job j = r->job;
    const int64_t n = pixel_count(r), steps = (n + STEP - 1) / STEP;
    j.dst = dst;
#pragma omp for schedule(static) nowait
    for (int64_t k = 0; k < steps; k++) {
        const int64_t pixels[2] = {k * STEP, (k + 1) * STEP < n ? (k + 1) * STEP : n};
        if (r->set && (!j.res_type || res == dst))
            r->set->real_out(&j, pixels, sums);
        else
            for (int64_t p = pixels[0]; p < pixels[1]; p++)
                plain_pixel(&j, sums, j.res_type ? res : NULL, p);
    }
}
