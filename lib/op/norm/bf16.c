/* BatchNormalization on bfloat16 images: statistics, coefficients and the gradients of scale and
 * shift as in op/norm/fast.c, in double; only what is as large as the image is bf16.
 *     y  = x slope + offset,   slope = scale / s, offset = shift - mean slope, s = sqrt(var + eps)
 *     dx = g slope - x second - first,   second = slope sum(g (x - mean)) / (M s^2),
 *                                        first = slope sum g / M - mean second
 * A run is one image and up to 16 channels. Every run leaves its sums, which are added in the order
 * of the images, so the number of threads changes no bit. */
#include "kernel/bf16.h"
#include "kernel/onednn/onednn.h"
#include "op/layers.h"
#include "op/norm/fast.h"
#include "op/norm/sums.h"

#include <math.h>

enum { LANES = RC_BF16_LANES };

struct norm_state {
    const struct rci_bf16_norm *k;
    bool batch_statistics; /* else the running ones are used and left alone */
    bool relu, training;
    double momentum, epsilon;
    int64_t images, channels, area, blocks;
    size_t stride, block, image; /* elements to the next pixel, block of channels, image */
};

/* Per channel, padded to whole blocks: `saved` in training, else in the scratch memory. */
struct coefficients {
    float *mean, *slope, *offset, *inverse;
};

static int64_t padded(const struct norm_state *s)
{
    return s->blocks * LANES;
}

static struct rci_norm_runs channel_runs(const struct norm_state *s)
{
    return (struct rci_norm_runs){s->images, padded(s), s->area};
}

static size_t parts_bytes(const struct norm_state *s)
{
    return (size_t) (s->images * padded(s)) * sizeof(struct rci_norm_part);
}

static size_t coefficients_bytes(const struct norm_state *s)
{
    return (size_t) (4 * padded(s)) * sizeof(float);
}

static struct coefficients coefficients_at(const struct norm_state *s, void *memory)
{
    float *at = memory;
    const int64_t n = padded(s);
    return (struct coefficients){at, at + n, at + 2 * n, at + 3 * n};
}

static size_t run_at(const struct norm_state *s, int64_t run)
{
    return (size_t) (run / s->blocks) * s->image + (size_t) (run % s->blocks) * s->block;
}

static struct rci_bf16_run run_shape(const struct norm_state *s, int64_t run)
{
    const int64_t left = s->channels - run % s->blocks * LANES;
    const bool part = left < LANES && s->stride != LANES; /* blocked layouts are padded */
    return (struct rci_bf16_run){(size_t) s->area, s->stride, part ? (size_t) left : LANES};
}

/* Sum and squares around the run's own mean, in one visit to memory. */
static void run_statistics(const struct norm_state *s, const uint16_t *x, int64_t run,
                           struct rci_norm_part *out)
{
    double sum[LANES], squares[LANES];
    float mean[LANES];
    const struct rci_bf16_run r = run_shape(s, run);
    s->k->sum(x + run_at(s, run), &r, sum);
    for (int64_t l = 0; l < LANES; l++)
        mean[l] = (float) (sum[l] / (double) s->area);
    s->k->squares(x + run_at(s, run), &r, mean, squares);
    for (int64_t l = 0; l < LANES; l++)
        out[l] = (struct rci_norm_part){sum[l], squares[l]};
}

static void set_channel(const struct norm_state *s, const struct rci_step_io *io, int64_t c,
                        const struct coefficients *k, const struct rci_norm_part *parts)
{
    float *mean = io->in[3], *variance = io->in[4];
    double m = (double) mean[c], v = (double) variance[c];
    if (s->batch_statistics) {
        const struct rci_norm_runs runs = channel_runs(s);
        const struct rci_norm_part pooled = rci_norm_pool(&runs, parts + c);
        const struct rci_norm_part now = rci_norm_moments(&pooled, (double) (s->images * s->area),
                                                          s->momentum, &mean[c], &variance[c]);
        m = now.a;
        v = now.b;
    }
    const double inverse = 1 / sqrt(v + s->epsilon);
    const double slope = (double) ((const float *) io->in[1])[c] * inverse;
    k->mean[c] = (float) m;
    k->inverse[c] = (float) inverse;
    k->slope[c] = (float) slope;
    k->offset[c] = (float) ((double) ((const float *) io->in[2])[c] - m * slope);
}

static struct rci_bf16_channels channels_of(const struct norm_state *s,
                                            const struct coefficients *k, int64_t run)
{
    const int64_t b = run % s->blocks * LANES;
    return (struct rci_bf16_channels){
        .mean = k->mean + b, .slope = k->slope + b, .offset = k->offset + b};
}

static void apply_all(const struct norm_state *s, const struct rci_step_io *io,
                      const struct coefficients *k)
{
    const uint16_t *x = io->in[0];
    uint16_t *y = io->out[0];
    const int64_t runs = s->images * s->blocks;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < runs; r++) {
        const struct rci_bf16_channels c = channels_of(s, k, r);
        const struct rci_bf16_run shape = run_shape(s, r);
        s->k->apply(x + run_at(s, r), &shape, &c, s->relu, y + run_at(s, r));
    }
}

/* The statistics are those of the first time. */
static rc_status run_again(const struct rci_step_io *io)
{
    const struct norm_state *s = io->state;
    const struct coefficients k = coefficients_at(s, io->saved);
    apply_all(s, io, &k);
    return RC_OK;
}

static rc_status run_forward(const struct rci_step_io *io)
{
    const struct norm_state *s = io->state;
    struct rci_norm_part *parts = io->scratch;
    const struct coefficients k = coefficients_at(s, s->training ? io->saved : io->scratch);
    const uint16_t *x = io->in[0];
    const int64_t runs = s->images * s->blocks;
    if (s->batch_statistics) {
#pragma omp parallel for schedule(static)
        for (int64_t r = 0; r < runs; r++)
            run_statistics(s, x, r, parts + r * LANES);
    }
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < padded(s); c++) {
        if (c < s->channels)
            set_channel(s, io, c, &k, parts);
        else
            k.mean[c] = k.slope[c] = k.offset[c] = k.inverse[c] = 0;
    }
    apply_all(s, io, &k);
    return RC_OK;
}

/* Gradients of scale and shift of one channel, and what the gradient of the data needs. */
static void finish_channel(const struct norm_state *s, const struct rci_step_io *io, int64_t c,
                           const struct coefficients *k, const struct rci_norm_part *parts,
                           float *first)
{
    const double count = s->batch_statistics ? (double) (s->images * s->area) : INFINITY;
    const double inverse = (double) k->inverse[c], slope = (double) k->slope[c];
    const struct rci_norm_runs runs = channel_runs(s);
    const struct rci_norm_part r = rci_norm_total(&runs, parts + c);
    float *d_scale = io->d_in[1], *d_shift = io->d_in[2];
    const double second = slope * r.b * inverse * inverse / count;
    first[c] = (float) (slope * r.a / count - (double) k->mean[c] * second);
    first[padded(s) + c] = (float) second;
    if (d_scale && c < s->channels)
        d_scale[c] = (float) (r.b * inverse);
    if (d_shift && c < s->channels)
        d_shift[c] = (float) r.a;
}

static rc_status run_backward(const struct rci_step_io *io)
{
    const struct norm_state *s = io->state;
    const struct coefficients k = coefficients_at(s, io->saved);
    struct rci_norm_part *parts = io->scratch;
    float *first = (float *) (void *) ((char *) io->scratch + parts_bytes(s));
    const uint16_t *x = io->in[0], *dy = io->d_out[0];
    uint16_t *dx = io->d_in[0];
    const int64_t runs = s->images * s->blocks;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < runs; r++) {
        const struct rci_bf16_channels c = channels_of(s, &k, r);
        const struct rci_bf16_run shape = run_shape(s, r);
        double sum[2 * LANES];
        s->k->reduce((const uint16_t *const[]){x + run_at(s, r), dy + run_at(s, r)}, &shape, &c,
                     s->relu, sum);
        for (int64_t l = 0; l < LANES; l++)
            parts[r * LANES + l] = (struct rci_norm_part){sum[l], sum[LANES + l]};
    }
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < padded(s); c++)
        finish_channel(s, io, c, &k, parts, first);
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < (dx ? runs : 0); r++) {
        struct rci_bf16_channels c = channels_of(s, &k, r);
        c.first = first + r % s->blocks * LANES;
        c.second = c.first + padded(s);
        const struct rci_bf16_run shape = run_shape(s, r);
        s->k->gradient((const uint16_t *const[]){x + run_at(s, r), dy + run_at(s, r)}, &shape, &c,
                       s->relu, dx + run_at(s, r));
    }
    return RC_OK;
}

/* The layout in which the data arrives when it is blocked by 16, else channels last. */
static rc_status choose_layout(struct rci_prep *p, struct norm_state *s)
{
    const dnnl_format_tag_t tag[2] = {dnnl_nChw16c, dnnl_nhwc};
    const struct rci_shape *shape = &p->in[0].shape;
    for (int i = 0; i < 2; i++) {
        RC_TRY(rci_md_tagged(p->engine, RC_BF16, shape, tag[i], &p->want[0]));
        s->stride = (size_t) (i ? s->channels : LANES);
        s->block = i ? LANES : (size_t) (LANES * s->area);
        if (rci_md_equal(p->have[0], p->want[0]))
            break;
    }
    s->image =
        s->stride == LANES ? (size_t) (padded(s) * s->area) : (size_t) (s->channels * s->area);
    return RC_OK;
}

static void fill_state(const struct rci_prep *p, struct norm_state *s)
{
    const struct rci_norm_attrs *a = p->node->attrs;
    const struct rci_shape *shape = &p->in[0].shape;
    s->k = rci_bf16_norm(p->cpu);
    s->training = p->training;
    s->batch_statistics = p->training && !p->frozen_stats;
    s->relu = p->node->n_post == 1;
    s->momentum = (double) a->momentum;
    s->epsilon = (double) a->epsilon;
    s->images = shape->dim[0];
    s->channels = shape->dim[1];
    s->area = shape->dim[2] * shape->dim[3];
    s->blocks = (s->channels + LANES - 1) / LANES;
}

rc_status rci_norm_bf16_prepare(struct rci_prep *p)
{
    struct norm_state *s = RC_NEW(rci_engine_context(p->engine), struct norm_state);
    if (!s)
        return RC_ERR_MEMORY;
    fill_state(p, s);
    const rc_status st = choose_layout(p, s);
    if (st != RC_OK) {
        rci_release(s);
        return st;
    }
    p->state = s;
    p->destroy = rci_release;
    p->run = run_forward;
    p->impl = s->k->name;
    p->out_md[0] = p->d_out_md[0] = p->d_in_md[0] = p->want[0];
    p->saved = p->training ? coefficients_bytes(s) : 0;
    p->scratch = s->batch_statistics ? parts_bytes(s) : coefficients_bytes(s);
    if (p->training) {
        p->backward_reads = 1u << 0;
        p->backward_scratch = parts_bytes(s) + 2 * (size_t) padded(s) * sizeof(float);
        p->run_backward = run_backward;
        p->run_again = run_again;
    }
    return RC_OK;
}
