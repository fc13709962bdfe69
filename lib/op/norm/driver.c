/* BatchNormalization on runs of memory, one per image and block of channels. With
 * s = sqrt(var + epsilon) and M elements in a channel:
 *   y  = x slope + offset, slope = scale / s, offset = shift - mean slope
 *   dx = slope (g - first - (x - mean) second),
 *        first = sum g / M, second = sum g (x - mean) / (M s^2)
 * Every run leaves its sums, which are added in the order of the images: neither the number of
 * threads nor the instruction set changes a bit. */
#include "op/norm/driver.h"
#include "kernel/onednn/onednn.h"
#include "op/layers.h"

#include <math.h>

static struct rci_norm_runs driver_runs(const struct rci_norm_driver *d)
{
    return (struct rci_norm_runs){d->images, rci_norm_padded(d), d->area};
}

static size_t driver_parts_bytes(const struct rci_norm_driver *d)
{
    return (size_t) (d->images * rci_norm_padded(d)) * sizeof(struct rci_norm_part);
}

/* For two values per channel from all ranks. */
static size_t driver_sync_bytes(const struct rci_norm_driver *d)
{
    return d->sync ? rci_sync_room(d->sync, 2 * (size_t) rci_norm_padded(d)) : 0;
}

/* Elements of a channel on all ranks; every rank has as many. */
static double driver_count(const struct rci_norm_driver *d)
{
    return (double) (d->images * d->area) * (d->sync ? (double) d->sync->ranks : 1);
}

static size_t coefficients_bytes(const struct rci_norm_driver *d)
{
    return (size_t) (4 * rci_norm_padded(d)) * sizeof(double);
}

static struct rci_norm_coefficients coefficients_at(const struct rci_norm_driver *d, void *memory)
{
    double *at = memory;
    const int64_t n = rci_norm_padded(d);
    return (struct rci_norm_coefficients){at, at + n, at + 2 * n, at + 3 * n};
}

/* Of all ranks: m = sum m_r / R,  M2 = sum M2_r + n (m_r - m)^2. */
static struct rci_norm_part statistics_merge(const struct rci_norm_driver *d,
                                             const struct rci_norm_part *rank, int64_t c)
{
    const double each = (double) (d->images * d->area);
    struct rci_norm_part r = {0, 0};
    for (uint32_t k = 0; k < d->sync->ranks; k++)
        r.a += rank[k * rci_norm_padded(d) + c].a;
    r.a /= d->sync->ranks;
    for (uint32_t k = 0; k < d->sync->ranks; k++) {
        const struct rci_norm_part *q = &rank[k * rci_norm_padded(d) + c];
        r.b += q->b + each * (q->a - r.a) * (q->a - r.a);
    }
    return r;
}

/* *all: [ranks][padded channels], in `room`. */
static rc_status parts_gather(const struct rci_norm_driver *d, const struct rci_norm_part *own,
                              void *room, const struct rci_norm_part **all)
{
    const double *values;
    RC_TRY(rci_sync_gather(d->sync, &own->a, 2 * (size_t) rci_norm_padded(d), room, &values));
    *all = (const struct rci_norm_part *) (const void *) values;
    return RC_OK;
}

/* The first row of `parts` becomes mean and sum of squares of every channel. */
static rc_status statistics_pool(const struct rci_norm_driver *d, struct rci_norm_part *parts)
{
    const struct rci_norm_part *all;
    const struct rci_norm_runs runs = driver_runs(d);
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < rci_norm_padded(d); c++)
        parts[c] = rci_norm_pool(&runs, parts + c);
    if (!d->sync)
        return RC_OK;
    RC_TRY(parts_gather(d, parts, (char *) parts + driver_parts_bytes(d), &all));
    for (int64_t c = 0; c < rci_norm_padded(d); c++)
        parts[c] = statistics_merge(d, all, c);
    return RC_OK;
}

/* Statistics of this batch where it trains with them (the running ones follow), else the running
 * ones. */
static void coefficients_set(const struct rci_norm_driver *d, const struct rci_step_io *io,
                             int64_t c, const struct rci_norm_coefficients *k,
                             const struct rci_norm_part *parts)
{
    float *mean = io->in[3], *variance = io->in[4];
    double m = (double) mean[c], v = (double) variance[c];
    if (d->batch_statistics) {
        const struct rci_norm_part now =
            rci_norm_moments(&parts[c], driver_count(d), d->momentum, &mean[c], &variance[c]);
        m = now.a;
        v = now.b;
    }
    k->mean[c] = m;
    k->inverse[c] = 1 / sqrt(v + d->epsilon);
    k->slope[c] = (double) ((const float *) io->in[1])[c] * k->inverse[c];
    k->offset[c] = (double) ((const float *) io->in[2])[c] - m * k->slope[c];
}

static void driver_apply(const struct rci_norm_driver *d, const struct rci_step_io *io,
                         const struct rci_norm_coefficients *k)
{
    const int64_t runs = d->images * d->blocks;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < runs; r++)
        d->format->apply(d, k, io->in[0], r, io->out[0]);
}

/* Forward once more, for a tape that did not keep y: with the statistics of the first time, so that
 * the running ones do not move twice. */
static rc_status driver_again(const struct rci_step_io *io)
{
    const struct rci_norm_driver *d = io->state;
    const struct rci_norm_coefficients k = coefficients_at(d, io->saved);
    driver_apply(d, io, &k);
    return RC_OK;
}

static rc_status driver_forward(const struct rci_step_io *io)
{
    const struct rci_norm_driver *d = io->state;
    struct rci_norm_part *parts = io->scratch;
    const struct rci_norm_coefficients k =
        coefficients_at(d, d->training ? io->saved : io->scratch);
    const int64_t runs = d->images * d->blocks;
    if (d->batch_statistics) {
#pragma omp parallel for schedule(static)
        for (int64_t r = 0; r < runs; r++)
            d->format->statistics(d, io->in[0], r, parts + r * d->lanes);
        RC_TRY(statistics_pool(d, parts));
    }
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < rci_norm_padded(d); c++) {
        if (c < d->channels)
            coefficients_set(d, io, c, &k, parts);
        else
            k.mean[c] = k.slope[c] = k.offset[c] = k.inverse[c] = 0;
    }
    driver_apply(d, io, &k);
    return RC_OK;
}

/* Gradients of scale and shift, those of this rank; the first row of `parts` gets the sums. */
static void sums_own(const struct rci_norm_driver *d, const struct rci_step_io *io,
                     const struct rci_norm_coefficients *k, struct rci_norm_part *parts)
{
    const struct rci_norm_runs runs = driver_runs(d);
    float *d_scale = io->d_in[1], *d_shift = io->d_in[2];
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < rci_norm_padded(d); c++) {
        const struct rci_norm_part r = rci_norm_total(&runs, parts + c);
        parts[c] = r;
        if (d_scale && c < d->channels)
            d_scale[c] = (float) (r.b * k->inverse[c]);
        if (d_shift && c < d->channels)
            d_shift[c] = (float) r.a;
    }
}

/* What the gradient of the data needs of the sums over all ranks. */
static rc_status sums_finish(const struct rci_norm_driver *d, const struct rci_norm_coefficients *k,
                             struct rci_norm_part *parts, double *first)
{
    const double count = d->batch_statistics ? driver_count(d) : INFINITY;
    const struct rci_norm_part *all = parts;
    const uint32_t ranks = d->sync ? d->sync->ranks : 1;
    const int64_t padded = rci_norm_padded(d);
    if (d->sync)
        RC_TRY(parts_gather(d, parts, first + 4 * padded, &all));
    for (int64_t c = 0; c < padded; c++) {
        struct rci_norm_part r = {0, 0};
        for (uint32_t q = 0; q < ranks; q++) {
            r.a += all[q * padded + c].a;
            r.b += all[q * padded + c].b;
        }
        first[c] = r.a / count;
        first[padded + c] = r.b * k->inverse[c] * k->inverse[c] / count;
    }
    return RC_OK;
}

static rc_status driver_backward(const struct rci_step_io *io)
{
    const struct rci_norm_driver *d = io->state;
    const struct rci_norm_coefficients k = coefficients_at(d, io->saved);
    struct rci_norm_part *parts = io->scratch;
    double *first = (double *) (void *) ((char *) io->scratch + driver_parts_bytes(d));
    const void *const x_dy[2] = {io->in[0], io->d_out[0]};
    const int64_t runs = d->images * d->blocks;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < runs; r++)
        d->format->sums(d, &k, x_dy, r, parts + r * d->lanes);
    sums_own(d, io, &k, parts);
    RC_TRY(sums_finish(d, &k, parts, first));
    if (!io->d_in[0])
        return RC_OK;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < runs; r++)
        d->format->gradient(d, &k, x_dy, r, first, io->d_in[0]);
    return RC_OK;
}

static void driver_init(const struct rci_request *req, struct rci_norm_driver *d)
{
    const struct rci_norm_attrs *a = req->node->attrs;
    const struct rci_shape *shape = &req->in[0].shape;
    d->training = req->training;
    d->batch_statistics = req->training && !req->frozen_stats;
    d->sync = d->batch_statistics ? req->sync : NULL;
    d->relu = req->node->n_post == 1;
    d->momentum = (double) a->momentum;
    d->epsilon = (double) a->epsilon;
    d->images = shape->dim[0];
    d->channels = shape->dim[1];
    d->area = rci_shape_count(shape) / (d->images * d->channels);
}

rc_status rci_norm_prepare(const struct rci_request *req, struct rci_prep *p)
{
    const struct rci_node *n = req->node;
    if (n->n_post > 1 || (n->n_post == 1 && n->post[0].kind != RC_POST_RELU))
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": only one ReLU can be fused", n->name);
    struct rci_norm_driver *d = RC_NEW(rci_engine_context(req->engine), struct rci_norm_driver);
    if (!d)
        return RC_ERR_MEMORY;
    driver_init(req, d);
    const bool bf16 = rci_md_is_bf16(req->have[0]) && req->in[0].shape.rank == 4;
    const rc_status st = bf16 ? rci_norm_bf16_format(req, p, d) : rci_norm_f32_format(req, p, d);
    if (st != RC_OK) {
        rci_release(d);
        return st;
    }
    p->state = d;
    p->free = rci_release;
    p->run = driver_forward;
    p->out_md[0] = p->d_out_md[0] = p->d_in_md[0] = p->want[0];
    p->saved = req->training ? coefficients_bytes(d) : 0;
    p->scratch =
        d->batch_statistics ? driver_parts_bytes(d) + driver_sync_bytes(d) : coefficients_bytes(d);
    if (req->training) {
        p->backward_reads = 1u << 0;
        p->backward_scratch = driver_parts_bytes(d) + coefficients_bytes(d) + driver_sync_bytes(d);
        p->run_backward = driver_backward;
        p->run_again = driver_again;
    }
    return RC_OK;
}
