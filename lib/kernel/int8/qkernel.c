/* Which integer convolutions the kernels of ours can do, their weights, and how the work is cut. */
#include "kernel/int8/qkernel.h"
#include "kernel/int8/pairs.h"
#include "kernel/int8/qround.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

enum {
    L2_BYTES = 384 << 10,
    SLAB_BYTES = 64 << 10,
    NEAR_BYTES = 256 << 10,
    FAR_BYTES = 512 << 10,
    ROW_PIXELS = 48
};

struct rci_qkernel {
    struct rci_qkernel_job job;
    const struct rci_qkernel_set *set;
    enum rci_qkernel_kind kind;
    uint32_t threads;
    int64_t parts;        /* of the outputs, shared out to threads */
    int64_t chunk;        /* direct: rows of outputs */
    int64_t tiles, block; /* Winograd: tiles of all images, and those worked on together */
    size_t u_bytes, m_bytes;
    void *weights;
    float *scales;
    int32_t *start;
    char name[32];
};

/* --- can it --- */

const struct rci_qkernel_set *rci_qkernel_set_here(const struct rci_cpu *cpu)
{
#if RC_QKERNEL_SETS
    if (cpu->lanes == 16)
        return cpu->vnni ? &rci_qkernel_vnni : &rci_qkernel_avx512;
#if RC_QKERNEL_AVX_VNNI
    if (cpu->lanes == 8 && cpu->avx_vnni)
        return &rci_qkernel_avx_vnni;
#endif
    return cpu->lanes == 8 ? &rci_qkernel_avx2 : NULL;
#else
    (void) cpu;
    return NULL;
#endif
}

const struct rci_qkernel_set *rci_qkernel_set_for(enum rci_qkernel_kind kind,
                                                  const struct rci_qkernel_spec *s)
{
    const struct rci_qkernel_set *set = s->set ? s->set : rci_qkernel_set_here(s->cpu);
#if RC_QKERNEL_SETS
    const struct rci_conv_geometry *g = s->geometry;
    const int64_t taps = g->kernel[0] * g->kernel[1], row = g->in_channels * g->kernel[1];
    if (s->set || !set || set->dot8 || kind != RC_QKERNEL_DIRECT || g->groups != 1 ||
        !rci_pairs_fit(s->weights, g->out_channels, g->in_channels, taps, row))
        return set;
    return set->lanes == 16 ? &rci_qkernel_avx512_pairs : &rci_qkernel_avx2_pairs;
#else
    (void) kind;
    return set;
#endif
}

/* Winograd's sums, times 64, must fit 32 bits, and so must direct ones. */
static bool sums_fit(enum rci_qkernel_kind kind, const struct rci_qkernel_spec *s)
{
    const int64_t n = s->geometry->in_channels * s->geometry->kernel[0] * s->geometry->kernel[1];
    const int64_t limit = (INT64_C(1) << 31) / (kind == RC_QKERNEL_WINOGRAD ? 64 : 1);
    for (int64_t o = 0; o < s->geometry->out_channels; o++) {
        const int8_t *w = s->weights + o * n;
        int64_t up = 0, down = 0;
        for (int64_t i = 0; i < n; i++) {
            up += w[i] > 0 ? w[i] : 0;
            down -= w[i] < 0 ? w[i] : 0;
        }
        const int64_t most = s->src == RC_S8 ? 128 * (up + down) : 255 * (up > down ? up : down);
        if (most >= limit)
            return false;
    }
    return true;
}

static bool winograd_fits(const struct rci_conv_geometry *g)
{
    bool fits = true;
    for (int i = 0; i < 2; i++)
        fits = fits && g->kernel[i] == 3 && g->stride[i] == 1 && g->dilation[i] == 1 &&
               g->pad_begin[i] == 1 && g->out[i] == g->in[i];
    return fits;
}

bool rci_qkernel_fits(enum rci_qkernel_kind kind, const struct rci_qkernel_spec *s)
{
    const struct rci_conv_geometry *g = s->geometry;
    return rci_qkernel_set_for(kind, s) && g->groups == 1 && (s->dst != RC_F32 || !s->res) &&
           (kind == RC_QKERNEL_WINOGRAD ? winograd_fits(g) : g->dilation[1] == 1) &&
           sums_fit(kind, s);
}

/* --- the job --- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t up(int64_t a, int64_t unit)
{
    return (a + unit - 1) / unit * unit;
}

/* A product of matrices, and 1x1 windows, are pixels one after the other. */
static void flatten(struct rci_qkernel_job *j, const struct rci_conv_geometry *g)
{
    for (int i = 0; i < 2; i++)
        if (g->kernel[i] != 1 || g->stride[i] != 1 || g->pad_begin[i] || g->out[i] != g->in[i])
            return;
    int64_t rows = 1; /* taken together: few pixels are not worth a loop over weights */
    j->in_h = j->out_h = j->in_h * j->batch;
    j->batch = 1;
    while (rows < j->in_h && (j->in_w * rows < ROW_PIXELS || j->in_h % rows))
        rows++;
    j->in_h = j->out_h = j->in_h / rows;
    j->in_w = j->out_w = j->in_w * rows;
}

void rci_qkernel_fill_job(struct rci_qkernel_job *j, const struct rci_qkernel_spec *s)
{
    const struct rci_conv_geometry *g = s->geometry;
    *j = (struct rci_qkernel_job){.batch = g->batch,
                                  .in_h = g->in[0],
                                  .in_w = g->in[1],
                                  .in_c = g->in_channels,
                                  .out_h = g->out[0],
                                  .out_w = g->out[1],
                                  .out_c = g->out_channels,
                                  .kernel_h = g->kernel[0],
                                  .stride_y = g->stride[0],
                                  .stride_x = g->stride[1],
                                  .dilation_y = g->dilation[0],
                                  .pad_y = g->pad_begin[0],
                                  .pad_x = g->pad_begin[1],
                                  .mid = s->mid,
                                  .res_scale = s->res_scale,
                                  .low = s->relu ? 0 : rci_q_low(s->dst),
                                  .high = rci_q_high(s->dst),
                                  .src_type = s->src,
                                  .dst_type = s->dst,
                                  .res_type = s->res,
                                  .relu = s->relu};
}

static void plan_direct(struct rci_qkernel *k, const struct rci_conv_geometry *g)
{
    struct rci_qkernel_job *j = &k->job;
    flatten(j, g);
    j->unit = k->set->dot8 ? 1 : 2;
    const int64_t pixel = j->in_c * j->unit, width = g->kernel[1], run = width * pixel;
    const int64_t wide = larger(j->pad_x + j->in_w, (j->out_w - 1) * j->stride_x + width);
    const int64_t high = (j->out_h - 1) * j->stride_y + (j->kernel_h - 1) * j->dilation_y + 1;
    j->run_dwords = up(run, 4) / 4;
    j->weights_vec = j->kernel_h * j->run_dwords * 4 * k->set->lanes;
    j->in_place = j->unit == 1 && j->src_type == RC_U8 && run % 4 == 0 && !j->pad_x && !j->pad_y &&
                  wide == j->in_w && high <= j->in_h;
    j->slab_row = j->in_place ? j->in_w * j->in_c : up(wide * pixel, 4) + 4;

    const int64_t threads = k->threads, vectors = up(j->out_c, k->set->lanes) / k->set->lanes;
    const bool large = vectors * j->weights_vec > L2_BYTES / 2;
    j->rows_first = !large;
    k->parts = large && vectors / 2 >= threads ? threads : 1;
    const int64_t most = larger(SLAB_BYTES / (j->slab_row * j->stride_y), 4);
    int64_t chunks = (j->out_h + most - 1) / most;
    if (k->parts == 1 && j->batch % threads)
        chunks = up(chunks, threads);
    k->chunk = (j->out_h + chunks - 1) / chunks;
    const int64_t rows = (k->chunk - 1) * j->stride_y + (j->kernel_h - 1) * j->dilation_y + 1;
    k->u_bytes = j->in_place ? 0 : (size_t) up(rows * j->slab_row + 64, 64);
}

static void plan_winograd(struct rci_qkernel *k)
{
    struct rci_qkernel_job *j = &k->job;
    const int64_t lanes = k->set->lanes, threads = k->threads;
    j->channels = up(j->in_c, 16);
    j->tiles_y = (j->out_h + 3) / 4;
    j->tiles_x = (j->out_w + 3) / 4;
    j->weights_vec = j->channels / 2 * 4 * lanes;
    k->tiles = j->batch * j->tiles_y * j->tiles_x;
    const int64_t u_tile = 36 * 2 * j->channels, m_tile = 36 * 8 * lanes;
    const bool large = 36 * up(j->out_c, lanes) * j->channels * 2 > L2_BYTES;
    const int64_t budget = large ? FAR_BYTES : NEAR_BYTES; /* read rarely what comes from far */
    const int64_t most = larger(budget / (u_tile + m_tile), k->set->tiles);
    const int64_t pairs = up(j->out_c, 2 * lanes) / (2 * lanes);
    /* few tiles and many weights: threads share the outputs out, and each transforms all tiles */
    k->parts = large && k->tiles <= most && pairs >= 2 * threads ? threads : 1;
    const int64_t blocks = k->parts > 1 ? 1 : up((k->tiles + most - 1) / most, threads);
    k->block = (k->tiles + blocks - 1) / blocks;
    /* the tail keeps the 36 positions from falling into the same cache sets */
    j->u_step = k->block * 2 * j->channels + 64;
    j->m_step = k->block * 8 * lanes + 64;
    k->u_bytes = (size_t) (36 * j->u_step);
    k->m_bytes = (size_t) (36 * j->m_step);
}

/* --- weights --- */

static void put_weight(const struct rci_qkernel_job *j, char *group, int64_t i, int16_t w)
{
    if (j->unit == 1)
        ((int8_t *) group)[i] = (int8_t) w;
    else
        ((int16_t *) (void *) group)[i] = w;
}

static void pack_direct(struct rci_qkernel *k, const struct rci_qkernel_spec *s)
{
    const struct rci_qkernel_job *j = &k->job;
    const int64_t lanes = k->set->lanes, width = s->geometry->kernel[1], c = j->in_c;
    const int64_t each = 4 / j->unit;
    for (int64_t o = 0; o < j->out_c; o++) {
        char *vec = (char *) k->weights + o / lanes * j->weights_vec + o % lanes * 4;
        const int8_t *w = s->weights + o * c * j->kernel_h * width;
        int32_t sum = 0;
        for (int64_t y = 0; y < j->kernel_h; y++)
            for (int64_t e = 0; e < width * c; e++) {
                const int8_t one = w[(e % c * j->kernel_h + y) * width + e / c];
                put_weight(j, vec + (y * j->run_dwords + e / each) * 4 * lanes, e % each, one);
                sum += one;
            }
        if (j->unit == 1 && j->src_type == RC_S8)
            k->start[o] = -128 * sum;
    }
}

/* 24 G g G' 24, but half of it in the last row and column: those of 16 bits with all weights. */
static void transform(const int8_t *g, int32_t out[36])
{
    static const int32_t G[6][3] = {{6, 0, 0}, {-4, -4, -4}, {-4, 4, -4},
                                    {1, 2, 4}, {1, -2, 4},   {0, 0, 12}};
    int32_t half[6][3];
    for (int i = 0; i < 6; i++)
        for (int x = 0; x < 3; x++)
            half[i][x] = G[i][0] * g[x] + G[i][1] * g[3 + x] + G[i][2] * g[6 + x];
    for (int i = 0; i < 6; i++)
        for (int x = 0; x < 6; x++)
            out[i * 6 + x] = half[i][0] * G[x][0] + half[i][1] * G[x][1] + half[i][2] * G[x][2];
}

static void pack_winograd(struct rci_qkernel *k, const struct rci_qkernel_spec *s)
{
    const struct rci_qkernel_job *j = &k->job;
    const int64_t lanes = k->set->lanes;
    int32_t t[36];
    for (int64_t o = 0; o < j->out_c; o++)
        for (int64_t c = 0; c < j->in_c; c++) {
            char *at = (char *) k->weights + (o / lanes / 2 * 72 + o / lanes % 2) * j->weights_vec +
                       (c / 2 * lanes + o % lanes) * 4 + c % 2 * 2;
            transform(s->weights + (o * j->in_c + c) * 9, t);
            for (int64_t p = 0; p < 36; p++)
                *(int16_t *) (void *) (at + p * 2 * j->weights_vec) = (int16_t) t[p];
        }
}

float *rci_qkernel_scales(struct rci_qkernel_job *j, struct rc_context *c,
                          const struct rci_qkernel_spec *s, int lanes, float times)
{
    const int64_t padded = up(j->out_c, 2 * lanes);
    float *scale = rci_alloc_zero(c, 2 * (size_t) padded * sizeof(float));
    if (!scale)
        return NULL;
    float *bias = scale + padded;
    for (int64_t o = 0; o < j->out_c; o++) {
        scale[o] = s->scale[o] / times;
        bias[o] = s->bias[o] * times;
    }
    j->scale = scale;
    j->bias = bias;
    return scale;
}

static rc_status pack(struct rci_qkernel *k, struct rc_context *c, const struct rci_qkernel_spec *s)
{
    struct rci_qkernel_job *j = &k->job;
    const bool winograd = k->kind == RC_QKERNEL_WINOGRAD;
    const size_t padded = (size_t) up(j->out_c, 2 * k->set->lanes);
    k->weights = rci_alloc_zero(c, padded / (size_t) k->set->lanes * (size_t) j->weights_vec *
                                       (winograd ? 36 : 1));
    k->scales = rci_qkernel_scales(j, c, s, k->set->lanes, winograd ? 64 : 1);
    k->start = rci_alloc_zero(c, padded * sizeof(int32_t));
    if (!k->weights || !k->scales || !k->start)
        return RC_ERR_MEMORY;
    (winograd ? pack_winograd : pack_direct)(k, s);
    j->weights = k->weights;
    j->start = k->start;
    return RC_OK;
}

rc_status rci_qkernel_create(struct rci_qkernel **out, struct rc_context *c,
                             enum rci_qkernel_kind kind, const struct rci_qkernel_spec *s)
{
    *out = NULL;
    if (!rci_qkernel_fits(kind, s))
        return rci_fail(RC_ERR_UNSUPPORTED, "no integer kernel for this convolution");
    struct rci_qkernel *k = RC_NEW(c, struct rci_qkernel);
    if (!k)
        return RC_ERR_MEMORY;
    k->set = rci_qkernel_set_for(kind, s);
    k->kind = kind;
    k->threads = s->threads ? s->threads : 1;
    snprintf(k->name, sizeof(k->name), "%s:%s", kind == RC_QKERNEL_DIRECT ? "direct" : "winograd",
             k->set->name);
    rci_qkernel_fill_job(&k->job, s);
    if (kind == RC_QKERNEL_WINOGRAD)
        plan_winograd(k);
    else
        plan_direct(k, s->geometry);
    const rc_status st = pack(k, c, s);
    if (st != RC_OK) {
        rci_qkernel_destroy(k);
        return st;
    }
    *out = k;
    return RC_OK;
}

void rci_qkernel_destroy(struct rci_qkernel *k)
{
    if (!k)
        return;
    rci_release(k->weights);
    rci_release(k->scales);
    rci_release(k->start);
    rci_release(k);
}

/* --- running --- */

size_t rci_qkernel_scratch(const struct rci_qkernel *k)
{
    return k->threads * (k->u_bytes + k->m_bytes);
}

static void share_direct(const struct rci_qkernel *k, const struct rci_qkernel_job *j,
                         char *scratch)
{
    const int64_t chunks = (j->out_h + k->chunk - 1) / k->chunk, per_part = j->batch * chunks;
    const int64_t pairs = (j->out_c + 2 * k->set->lanes - 1) / (2 * k->set->lanes);
#pragma omp for schedule(static) nowait
    for (int64_t i = 0; i < k->parts * per_part; i++) {
        const int64_t part = i / per_part, image = i % per_part / chunks, first = i % chunks;
        const int64_t rows[2] = {first * k->chunk, (first + 1) * k->chunk < j->out_h
                                                       ? (first + 1) * k->chunk
                                                       : j->out_h};
        const int64_t to = (part + 1) * pairs / k->parts * 2 * k->set->lanes;
        const int64_t out[2] = {part * pairs / k->parts * 2 * k->set->lanes,
                                to < j->out_c ? to : j->out_c};
        k->set->direct(j, image, rows, out, scratch + (size_t) omp_get_thread_num() * k->u_bytes);
    }
}

static void share_tiles(const struct rci_qkernel *k, const struct rci_qkernel_job *j, char *scratch)
{
    const int64_t blocks = (k->tiles + k->block - 1) / k->block, pair = 2 * k->set->lanes;
    const int64_t pairs = (j->out_c + pair - 1) / pair;
#pragma omp for schedule(static) nowait
    for (int64_t i = 0; i < k->parts * blocks; i++) {
        const int64_t part = i / blocks, b = i % blocks, end = (b + 1) * k->block;
        const int64_t last = (part + 1) * pairs / k->parts * pair;
        const int64_t out[2] = {part * pairs / k->parts * pair, last < j->out_c ? last : j->out_c};
        const int64_t tiles[2] = {b * k->block, end < k->tiles ? end : k->tiles};
        char *u = scratch + (size_t) omp_get_thread_num() * (k->u_bytes + k->m_bytes);
        for (int64_t t = tiles[0]; t < tiles[1]; t++)
            k->set->tile_in(j, t, u + (t - tiles[0]) * 2 * j->channels);
        k->set->tiles_out(j, tiles, out, u, u + k->u_bytes);
    }
}

const char *rci_qkernel_name(const struct rci_qkernel *k)
{
    return k->name;
}

void rci_qkernel_share(const struct rci_qkernel *k, const void *src, void *dst, void *scratch)
{
    struct rci_qkernel_job j = k->job;
    j.src = src;
    j.dst = dst;
    if (k->kind == RC_QKERNEL_DIRECT)
        share_direct(k, &j, scratch);
    else
        share_tiles(k, &j, scratch);
}

void rci_qkernel_run(const struct rci_qkernel *k, const void *src, void *dst, void *scratch)
{
#pragma omp parallel num_threads(k->threads)
    rci_qkernel_share(k, src, dst, scratch);
}
