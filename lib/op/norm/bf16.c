/* BatchNormalization of bfloat16 images: only what is as large as the image is bf16; the kernels
 * take the coefficients in f32 (kernel/bf16.h). A run is one image and up to 16 channels. */
#include "kernel/bf16.h"
#include "kernel/onednn/onednn.h"
#include "op/norm/driver.h"

enum { LANES = RC_BF16_LANES };

/* Coefficients of one run's channels. */
struct bf16_lanes {
    float mean[LANES], slope[LANES], offset[LANES], first[LANES], second[LANES];
};

/* Elements before the run. */
static size_t bf16_offset(const struct rci_norm_driver *d, int64_t run)
{
    return (size_t) (run / d->blocks) * d->image + (size_t) (run % d->blocks) * d->block;
}

static const uint16_t *bf16_at(const struct rci_norm_driver *d, const void *x, int64_t run)
{
    return (const uint16_t *) x + bf16_offset(d, run);
}

/* Channels-last images have no padding: the last block reads as many channels as there are. */
static struct rci_bf16_run bf16_run(const struct rci_norm_driver *d, int64_t run)
{
    const int64_t left = d->channels - run % d->blocks * LANES;
    const bool part = left < LANES && d->stride != LANES; /* blocked layouts are padded */
    return (struct rci_bf16_run){(size_t) d->area, d->stride, part ? (size_t) left : LANES};
}

/* The lanes of one run, rounded to f32. */
static struct rci_bf16_channels bf16_lanes(const struct rci_norm_driver *d,
                                           const struct rci_norm_coefficients *k, int64_t run,
                                           struct bf16_lanes *l)
{
    const int64_t b = run % d->blocks * LANES;
    for (int64_t i = 0; i < LANES; i++) {
        l->mean[i] = (float) k->mean[b + i];
        l->slope[i] = (float) k->slope[b + i];
        l->offset[i] = (float) k->offset[b + i];
    }
    return (struct rci_bf16_channels){.mean = l->mean, .slope = l->slope, .offset = l->offset};
}

/* As in f32.c: both sums while the run is in cache. */
static void bf16_statistics(const struct rci_norm_driver *d, const void *x, int64_t run,
                            struct rci_norm_part *out)
{
    const struct rci_bf16_norm *kernels = d->kernels;
    const uint16_t *at = bf16_at(d, x, run);
    const struct rci_bf16_run shape = bf16_run(d, run);
    double sum[LANES], squares[LANES];
    float mean[LANES];
    kernels->sum(at, &shape, sum);
    for (int64_t l = 0; l < LANES; l++)
        mean[l] = (float) (sum[l] / (double) d->area);
    kernels->squares(at, &shape, mean, squares);
    for (int64_t l = 0; l < LANES; l++)
        out[l] = (struct rci_norm_part){sum[l], squares[l]};
}

static void bf16_apply(const struct rci_norm_driver *d, const struct rci_norm_coefficients *k,
                       const void *x, int64_t run, void *y)
{
    const struct rci_bf16_norm *kernels = d->kernels;
    const struct rci_bf16_run shape = bf16_run(d, run);
    struct bf16_lanes l;
    const struct rci_bf16_channels c = bf16_lanes(d, k, run, &l);
    kernels->apply(bf16_at(d, x, run), &shape, &c, d->relu, (uint16_t *) y + bf16_offset(d, run));
}

static void bf16_sums(const struct rci_norm_driver *d, const struct rci_norm_coefficients *k,
                      const void *const *x_dy, int64_t run, struct rci_norm_part *out)
{
    const struct rci_bf16_norm *kernels = d->kernels;
    const uint16_t *const at[2] = {bf16_at(d, x_dy[0], run), bf16_at(d, x_dy[1], run)};
    const struct rci_bf16_run shape = bf16_run(d, run);
    struct bf16_lanes l;
    const struct rci_bf16_channels c = bf16_lanes(d, k, run, &l);
    double sum[2 * LANES];
    kernels->reduce(at, &shape, &c, d->relu, sum);
    for (int64_t i = 0; i < LANES; i++)
        out[i] = (struct rci_norm_part){sum[i], sum[LANES + i]};
}

/* The kernel computes dx = g slope - x second - first. */
static void bf16_gradient(const struct rci_norm_driver *d, const struct rci_norm_coefficients *k,
                          const void *const *x_dy, int64_t run, const double *first, void *dx)
{
    const struct rci_bf16_norm *kernels = d->kernels;
    const uint16_t *const at[2] = {bf16_at(d, x_dy[0], run), bf16_at(d, x_dy[1], run)};
    const struct rci_bf16_run shape = bf16_run(d, run);
    struct bf16_lanes l;
    struct rci_bf16_channels c = bf16_lanes(d, k, run, &l);
    for (int64_t i = 0, b = run % d->blocks * LANES; i < LANES; i++) {
        const double slope = k->slope[b + i], second = slope * first[rci_norm_padded(d) + b + i];
        l.first[i] = (float) (slope * first[b + i] - k->mean[b + i] * second);
        l.second[i] = (float) second;
    }
    c.first = l.first;
    c.second = l.second;
    kernels->gradient(at, &shape, &c, d->relu, (uint16_t *) dx + bf16_offset(d, run));
}

/* The layout in which the data arrives when it is blocked by 16, else channels last. */
rc_status rci_norm_bf16_format(const struct rci_request *req, struct rci_prep *p,
                               struct rci_norm_driver *d)
{
    static const struct rci_norm_format format = {bf16_statistics, bf16_apply, bf16_sums,
                                                  bf16_gradient};
    static const dnnl_format_tag_t tag[2] = {dnnl_nChw16c, dnnl_nhwc};
    const struct rci_bf16_norm *kernels = rci_bf16_norm(req->cpu);
    d->format = &format;
    d->kernels = kernels;
    d->lanes = LANES;
    d->blocks = (d->channels + LANES - 1) / LANES;
    for (int i = 0; i < 2; i++) {
        RC_TRY(rci_md_tagged(req->engine, RC_BF16, &req->in[0].shape, tag[i], &p->want[0]));
        d->stride = (size_t) (i ? d->channels : LANES);
        d->block = i ? LANES : (size_t) (LANES * d->area);
        if (rci_md_equal(req->have[0], p->want[0]))
            break;
    }
    const int64_t width = d->stride == LANES ? rci_norm_padded(d) : d->channels;
    d->image = (size_t) (width * d->area);
    p->impl = kernels->name;
    return RC_OK;
}
