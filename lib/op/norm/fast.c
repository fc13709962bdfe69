/* BatchNormalization on runs of memory (kernel/norm/norm.h): one run per image and block of
 * channels. y  = x slope + offset,   slope = scale / s, offset = shift - mean slope, s = sqrt(var +
 * epsilon) dx = slope (g - sum g / M - (x - mean) / s^2 sum(g (x - mean)) / M) Every run leaves its
 * sums, which are added in the order of the images: neither the number of threads nor the
 * instruction set changes a bit. */
#include "op/norm/fast.h"
#include "kernel/norm/norm.h"
#include "kernel/onednn/onednn.h"
#include "op/layers.h"
#include "op/norm/sums.h"

#include <math.h>

struct norm_state {
    const struct rci_norm_kernels *k;
    bool batch_statistics; /* else the running ones are used and left alone */
    bool relu, training;
    const struct rci_sync *sync; /* statistics are those of all ranks; NULL: of one */
    double momentum, epsilon;
    int64_t images, channels, area;
    int64_t lanes, blocks; /* channels in a run; runs per image */
};

/* Per channel, padded to whole blocks: `saved` in training, else in the scratch memory. */
struct coefficients {
    double *mean, *slope, *offset, *inverse;
};

static int64_t padded(const struct norm_state *s)
{
    return s->lanes * s->blocks;
}

static size_t run_length(const struct norm_state *s)
{
    return (size_t) (s->area * s->lanes);
}

static struct rci_norm_runs channel_runs(const struct norm_state *s)
{
    return (struct rci_norm_runs){s->images, padded(s), s->area};
}

static size_t parts_bytes(const struct norm_state *s)
{
    return (size_t) (s->images * padded(s)) * sizeof(struct rci_norm_part);
}

/* For two values per channel from all ranks. */
static size_t sync_bytes(const struct norm_state *s)
{
    return s->sync ? rci_sync_room(s->sync, 2 * (size_t) padded(s)) : 0;
}

/* Elements of a channel on all ranks; every rank has as many. */
static double all_count(const struct norm_state *s)
{
    return (double) (s->images * s->area) * (s->sync ? (double) s->sync->ranks : 1);
}

static size_t coefficients_bytes(const struct norm_state *s)
{
    return (size_t) (4 * padded(s)) * sizeof(double);
}

static struct coefficients coefficients_at(const struct norm_state *s, void *memory)
{
    double *at = memory;
    const int64_t n = padded(s);
    return (struct coefficients){at, at + n, at + 2 * n, at + 3 * n};
}

static void spread(const struct norm_state *s, int64_t block, const double *from, float *lanes)
{
    for (int64_t j = 0; j < RC_NORM_LANES; j++)
        lanes[j] = (float) from[block * s->lanes + j % s->lanes];
}

static double gather(const struct norm_state *s, const double *sum, int64_t lane)
{
    double total = 0;
    for (int64_t j = lane; j < RC_NORM_LANES; j += s->lanes)
        total += sum[j];
    return total;
}

/* Sum and squares around the run's own mean, in one visit to memory. */
static void run_statistics(const struct norm_state *s, const float *x, struct rci_norm_part *out)
{
    double sum[RC_NORM_LANES], squares[RC_NORM_LANES];
    struct rci_norm_lanes p = {0};
    s->k->sum(x, run_length(s), sum);
    for (int64_t l = 0; l < s->lanes; l++) {
        out[l].a = gather(s, sum, l);
        for (int64_t j = l; j < RC_NORM_LANES; j += s->lanes)
            p.mean[j] = (float) (out[l].a / (double) s->area);
    }
    s->k->squares(x, run_length(s), &p, squares);
    for (int64_t l = 0; l < s->lanes; l++)
        out[l].b = gather(s, squares, l);
}

/* Of all ranks: m = sum m_r / R,  M2 = sum M2_r + n (m_r - m)^2. */
static struct rci_norm_part merge_statistics(const struct norm_state *s,
                                             const struct rci_norm_part *rank, int64_t c)
{
    const double each = (double) (s->images * s->area);
    struct rci_norm_part r = {0, 0};
    for (uint32_t k = 0; k < s->sync->ranks; k++)
        r.a += rank[k * padded(s) + c].a;
    r.a /= s->sync->ranks;
    for (uint32_t k = 0; k < s->sync->ranks; k++) {
        const struct rci_norm_part *q = &rank[k * padded(s) + c];
        r.b += q->b + each * (q->a - r.a) * (q->a - r.a);
    }
    return r;
}

static rc_status gather_parts(const struct norm_state *s, const struct rci_norm_part *own,
                              void *room, const struct rci_norm_part **all)
{
    const double *values;
    RC_TRY(rci_sync_gather(s->sync, &own->a, 2 * (size_t) padded(s), room, &values));
    *all = (const struct rci_norm_part *) (const void *) values;
    return RC_OK;
}

/* The first row of `parts` becomes mean and sum of squares of every channel. */
static rc_status all_statistics(const struct norm_state *s, struct rci_norm_part *parts)
{
    const struct rci_norm_part *all;
    const struct rci_norm_runs runs = channel_runs(s);
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < padded(s); c++)
        parts[c] = rci_norm_pool(&runs, parts + c);
    if (!s->sync)
        return RC_OK;
    RC_TRY(gather_parts(s, parts, (char *) parts + parts_bytes(s), &all));
    for (int64_t c = 0; c < padded(s); c++)
        parts[c] = merge_statistics(s, all, c);
    return RC_OK;
}

static void set_channel(const struct norm_state *s, const struct rci_step_io *io, int64_t c,
                        const struct coefficients *k, const struct rci_norm_part *parts)
{
    float *mean = io->in[3], *variance = io->in[4];
    double m = (double) mean[c], v = (double) variance[c];
    if (s->batch_statistics) {
        const struct rci_norm_part now =
            rci_norm_moments(&parts[c], all_count(s), s->momentum, &mean[c], &variance[c]);
        m = now.a;
        v = now.b;
    }
    k->mean[c] = m;
    k->inverse[c] = 1 / sqrt(v + s->epsilon);
    k->slope[c] = (double) ((const float *) io->in[1])[c] * k->inverse[c];
    k->offset[c] = (double) ((const float *) io->in[2])[c] - m * k->slope[c];
}

static void set_coefficients(const struct norm_state *s, const struct rci_step_io *io,
                             const struct coefficients *k, const struct rci_norm_part *parts)
{
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < padded(s); c++) {
        if (c < s->channels)
            set_channel(s, io, c, k, parts);
        else
            k->mean[c] = k->slope[c] = k->offset[c] = k->inverse[c] = 0;
    }
}

static void load_lanes(const struct norm_state *s, const struct coefficients *k, int64_t block,
                       struct rci_norm_lanes *p)
{
    spread(s, block, k->mean, p->mean);
    spread(s, block, k->slope, p->scale);
    for (int64_t j = 0; j < RC_NORM_LANES; j++) {
        p->slope[j] = k->slope[block * s->lanes + j % s->lanes];
        p->offset[j] = k->offset[block * s->lanes + j % s->lanes];
    }
}

static void apply_all(const struct norm_state *s, const struct rci_step_io *io,
                      const struct coefficients *k)
{
    const float *x = io->in[0];
    float *y = io->out[0];
    const int64_t runs = s->images * s->blocks;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < runs; r++) {
        struct rci_norm_lanes p;
        load_lanes(s, k, r % s->blocks, &p);
        const size_t at = (size_t) r * run_length(s);
        s->k->apply(x + at, run_length(s), &p, s->relu, y + at);
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
    const float *x = io->in[0];
    const int64_t runs = s->images * s->blocks;
    if (s->batch_statistics) {
#pragma omp parallel for schedule(static)
        for (int64_t r = 0; r < runs; r++)
            run_statistics(s, x + (size_t) r * run_length(s), parts + r * s->lanes);
        RC_TRY(all_statistics(s, parts));
    }
    set_coefficients(s, io, &k, parts);
    apply_all(s, io, &k);
    return RC_OK;
}

static void run_sums(const struct norm_state *s, const float *x, const float *dy,
                     const struct rci_norm_lanes *p, struct rci_norm_part *out)
{
    double sum[2 * RC_NORM_LANES];
    s->k->reduce(x, dy, run_length(s), p, s->relu, sum);
    for (int64_t l = 0; l < s->lanes; l++)
        out[l] = (struct rci_norm_part){gather(s, sum, l), gather(s, sum + RC_NORM_LANES, l)};
}

/* Gradients of scale and shift, those of this rank; the first row of `parts` gets the sums. */
static void own_sums(const struct norm_state *s, const struct rci_step_io *io,
                     const struct coefficients *k, struct rci_norm_part *parts)
{
    const struct rci_norm_runs runs = channel_runs(s);
    float *d_scale = io->d_in[1], *d_shift = io->d_in[2];
    for (int64_t c = 0; c < padded(s); c++) {
        const struct rci_norm_part r = rci_norm_total(&runs, parts + c);
        parts[c] = r;
        if (d_scale && c < s->channels)
            d_scale[c] = (float) (r.b * k->inverse[c]);
        if (d_shift && c < s->channels)
            d_shift[c] = (float) r.a;
    }
}

/* What the gradient of the data needs of the sums over all ranks. */
static rc_status finish_sums(const struct norm_state *s, const struct coefficients *k,
                             struct rci_norm_part *parts, double *first)
{
    const double count = s->batch_statistics ? all_count(s) : INFINITY;
    const struct rci_norm_part *all = parts;
    const uint32_t ranks = s->sync ? s->sync->ranks : 1;
    if (s->sync)
        RC_TRY(gather_parts(s, parts, first + 4 * padded(s), &all));
    for (int64_t c = 0; c < padded(s); c++) {
        struct rci_norm_part r = {0, 0};
        for (uint32_t q = 0; q < ranks; q++) {
            r.a += all[q * padded(s) + c].a;
            r.b += all[q * padded(s) + c].b;
        }
        first[c] = r.a / count;
        first[padded(s) + c] = r.b * k->inverse[c] * k->inverse[c] / count;
    }
    return RC_OK;
}

static rc_status run_backward(const struct rci_step_io *io)
{
    const struct norm_state *s = io->state;
    const struct coefficients k = coefficients_at(s, io->saved);
    struct rci_norm_part *parts = io->scratch;
    double *first = (double *) (void *) ((char *) io->scratch + parts_bytes(s));
    const float *x = io->in[0], *dy = io->d_out[0];
    float *dx = io->d_in[0];
    const int64_t runs = s->images * s->blocks;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < runs; r++) {
        struct rci_norm_lanes p;
        load_lanes(s, &k, r % s->blocks, &p);
        const size_t at = (size_t) r * run_length(s);
        run_sums(s, x + at, dy + at, &p, parts + r * s->lanes);
    }
    own_sums(s, io, &k, parts);
    RC_TRY(finish_sums(s, &k, parts, first));
    if (!dx)
        return RC_OK;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < runs; r++) {
        struct rci_norm_lanes p;
        load_lanes(s, &k, r % s->blocks, &p);
        spread(s, r % s->blocks, first, p.first);
        spread(s, r % s->blocks, first + padded(s), p.second);
        const size_t at = (size_t) r * run_length(s);
        s->k->gradient((const float *const[]){x + at, dy + at}, run_length(s), &p, s->relu,
                       dx + at);
    }
    return RC_OK;
}

/* The layout in which the data arrives when its runs hold 1, 8 or 16 channels, else plain. */
static rc_status choose_layout(struct rci_prep *p, struct norm_state *s)
{
    static const struct {
        dnnl_format_tag_t tag;
        int64_t lanes;
    } blocked[] = {{dnnl_nChw16c, 16}, {dnnl_nChw8c, 8}};
    const struct rci_shape *shape = &p->in[0].shape;
    const struct rci_md *md;
    s->lanes = 1;
    for (int i = 0; i < 2 && p->have[0] && shape->rank == 4; i++) {
        RC_TRY(rci_md_tagged(p->engine, RC_F32, shape, blocked[i].tag, &md));
        if (!rci_md_equal(md, p->have[0]))
            continue;
        s->lanes = blocked[i].lanes;
        p->want[0] = p->have[0];
        return RC_OK;
    }
    return rci_md_plain(p->engine, RC_F32, shape, &p->want[0]);
}

static void fill_state(const struct rci_prep *p, struct norm_state *s)
{
    const struct rci_norm_attrs *a = p->node->attrs;
    const struct rci_shape *shape = &p->in[0].shape;
    s->k = rci_norm_kernels(p->cpu);
    s->training = p->training;
    s->batch_statistics = p->training && !p->frozen_stats;
    s->sync = s->batch_statistics ? p->sync : NULL;
    s->relu = p->node->n_post == 1;
    s->momentum = (double) a->momentum;
    s->epsilon = (double) a->epsilon;
    s->images = shape->dim[0];
    s->channels = shape->dim[1];
    s->area = rci_shape_count(shape) / (s->images * s->channels);
}

rc_status rci_norm_prepare(struct rci_prep *p)
{
    const struct rci_node *n = p->node;
    if (n->n_post > 1 || (n->n_post == 1 && n->post[0].kind != RC_POST_RELU))
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": only one ReLU can be fused", n->name);
    if (rci_md_is_bf16(p->have[0]) && p->in[0].shape.rank == 4)
        return rci_norm_bf16_prepare(p);
    struct norm_state *s = RC_NEW(rci_engine_context(p->engine), struct norm_state);
    if (!s)
        return RC_ERR_MEMORY;
    fill_state(p, s);
    const rc_status st = choose_layout(p, s);
    if (st != RC_OK) {
        rci_release(s);
        return st;
    }
    s->blocks = (s->channels + s->lanes - 1) / s->lanes;
    p->state = s;
    p->destroy = rci_release;
    p->run = run_forward;
    p->impl = s->k->name;
    p->out_md[0] = p->d_out_md[0] = p->d_in_md[0] = p->want[0];
    p->saved = p->training ? coefficients_bytes(s) : 0;
    p->scratch = s->batch_statistics ? parts_bytes(s) + sync_bytes(s) : coefficients_bytes(s);
    if (p->training) {
        p->backward_reads = 1u << 0;
        p->backward_scratch = parts_bytes(s) + coefficients_bytes(s) + sync_bytes(s);
        p->run_backward = run_backward;
        p->run_again = run_again;
    }
    return RC_OK;
}
