/* Which integer convolutions the kernels of ours can do, their weights, and how the work is cut. */
#include "kernel/int8/qkernel.h"
#include "kernel/int8/pairs.h"
#include "kernel/int8/qround.h"
#include "kernel/kernel.h"

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

struct qkernel {
    struct rci_qkernel_job job;
    const struct rci_qkernel_set *set;
    enum rci_qkernel_kind kind;
    uint32_t threads;
    int64_t parts;        /* of the outputs, shared out to threads */
    int64_t chunk;        /* direct: rows of outputs */
    int64_t tiles, block; /* Winograd: tiles of all images, and those worked on together */
    size_t u_bytes, m_bytes;
    int64_t kernel_w;
    size_t start_at, packed; /* [bytes] of packed weights, behind which the starts of sums are */
    float *scales;
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
                                                  const struct rci_conv_spec *s)
{
    const struct rci_qkernel_set *set =
        s->integers->set ? s->integers->set : rci_qkernel_set_here(s->cpu);
#if RC_QKERNEL_SETS
    const struct rci_conv_geometry *g = s->geometry;
    const int64_t taps = g->kernel[0] * g->kernel[1], row = g->in_channels * g->kernel[1];
    if (s->integers->set || !set || set->dot8 || kind != RC_QKERNEL_DIRECT || g->groups != 1 ||
        !rci_pairs_fit(s->integers->weights, g->out_channels, g->in_channels, taps, row))
        return set;
    return set->lanes == 16 ? &rci_qkernel_avx512_pairs : &rci_qkernel_avx2_pairs;
#else
    (void) kind;
    return set;
#endif
}

const char *rci_qkernel_code_name(const struct rci_conv_spec *s)
{
    const struct rci_qkernel_set *set = rci_qkernel_set_for(RC_QKERNEL_DIRECT, s);
    return set ? set->name : "plain";
}

/* Winograd's sums, times 64, must fit 32 bits, and so must direct ones. */
static bool qkernel_sums_fit(enum rci_qkernel_kind kind, const struct rci_conv_spec *s)
{
    const int64_t n = s->geometry->in_channels * s->geometry->kernel[0] * s->geometry->kernel[1];
    const int64_t limit = (INT64_C(1) << 31) / (kind == RC_QKERNEL_WINOGRAD ? 64 : 1);
    for (int64_t o = 0; o < s->geometry->out_channels; o++) {
        const int8_t *w = s->integers->weights + o * n;
        int64_t up = 0, down = 0;
        for (int64_t i = 0; i < n; i++) {
            up += w[i] > 0 ? w[i] : 0;
            down -= w[i] < 0 ? w[i] : 0;
        }
        const int64_t most =
            s->integers->src == RC_S8 ? 128 * (up + down) : 255 * (up > down ? up : down);
        if (most >= limit)
            return false;
    }
    return true;
}

static bool winograd_geometry(const struct rci_conv_geometry *g)
{
    bool fits = true;
    for (int i = 0; i < 2; i++)
        fits = fits && g->kernel[i] == 3 && g->stride[i] == 1 && g->dilation[i] == 1 &&
               g->pad_begin[i] == 1 && g->out[i] == g->in[i];
    return fits;
}

/* Geometry, processor, and for Winograd the size of the sums. */
static bool qkernel_fits(enum rci_qkernel_kind kind, const struct rci_conv_spec *s)
{
    const struct rci_conv_geometry *g = s->geometry;
    return rci_qkernel_set_for(kind, s) && g->groups == 1 &&
           (s->integers->dst != RC_F32 || !s->integers->res) &&
           (kind == RC_QKERNEL_WINOGRAD ? winograd_geometry(g) : g->dilation[1] == 1) &&
           qkernel_sums_fit(kind, s);
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
static void qkernel_flatten(struct rci_qkernel_job *j, const struct rci_conv_geometry *g)
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

void rci_qkernel_fill_job(struct rci_qkernel_job *j, const struct rci_conv_spec *s)
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
                                  .mid = s->integers->mid,
                                  .res_scale = s->integers->res_scale,
                                  .low = s->relu ? 0 : rci_q_low(s->integers->dst),
                                  .high = rci_q_high(s->integers->dst),
                                  .src_type = s->integers->src,
                                  .dst_type = s->integers->dst,
                                  .res_type = s->integers->res,
                                  .relu = s->relu};
}

static void qkernel_plan_direct(struct qkernel *k, const struct rci_conv_geometry *g)
{
    struct rci_qkernel_job *j = &k->job;
    qkernel_flatten(j, g);
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

static void qkernel_plan_winograd(struct qkernel *k)
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

static void qkernel_pack_direct(const struct qkernel *k, const int8_t *plain, char *packed,
                                int32_t *start)
{
    const struct rci_qkernel_job *j = &k->job;
    const int64_t lanes = k->set->lanes, width = k->kernel_w, c = j->in_c;
    const int64_t each = 4 / j->unit;
    for (int64_t o = 0; o < j->out_c; o++) {
        char *vec = packed + o / lanes * j->weights_vec + o % lanes * 4;
        const int8_t *w = plain + o * c * j->kernel_h * width;
        int32_t sum = 0;
        for (int64_t y = 0; y < j->kernel_h; y++)
            for (int64_t e = 0; e < width * c; e++) {
                const int8_t one = w[(e % c * j->kernel_h + y) * width + e / c];
                put_weight(j, vec + (y * j->run_dwords + e / each) * 4 * lanes, e % each, one);
                sum += one;
            }
        if (j->unit == 1 && j->src_type == RC_S8)
            start[o] = -128 * sum;
    }
}

/* 24 G g G' 24, but half of it in the last row and column: those of 16 bits with all weights. */
static void transform_weights(const int8_t *g, int32_t out[36])
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

static void qkernel_pack_winograd(const struct qkernel *k, const int8_t *plain, char *packed)
{
    const struct rci_qkernel_job *j = &k->job;
    const int64_t lanes = k->set->lanes;
    int32_t t[36];
    for (int64_t o = 0; o < j->out_c; o++)
        for (int64_t c = 0; c < j->in_c; c++) {
            char *at = packed + (o / lanes / 2 * 72 + o / lanes % 2) * j->weights_vec +
                       (c / 2 * lanes + o % lanes) * 4 + c % 2 * 2;
            transform_weights(plain + (o * j->in_c + c) * 9, t);
            for (int64_t p = 0; p < 36; p++)
                *(int16_t *) (void *) (at + p * 2 * j->weights_vec) = (int16_t) t[p];
        }
}

static size_t qkernel_weights_bytes(const void *state)
{
    return ((const struct qkernel *) state)->packed;
}

/* Packed weights are [weights][start of every sum]. */
static void qkernel_pack_weights(const void *state, const void *plain, void *packed)
{
    const struct qkernel *k = state;
    memset(packed, 0, k->packed);
    if (k->kind == RC_QKERNEL_WINOGRAD)
        qkernel_pack_winograd(k, plain, packed);
    else
        qkernel_pack_direct(k, plain, packed, (int32_t *) (void *) ((char *) packed + k->start_at));
}

static size_t qkernel_bias_bytes(const void *state)
{
    (void) state;
    return 0;
}

/* --- state --- */

float *rci_qkernel_scales(struct rci_qkernel_job *j, struct rc_context *c,
                          const struct rci_conv_spec *s, int lanes, float times)
{
    const int64_t padded = up(j->out_c, 2 * lanes);
    float *scale = rci_alloc_zero(c, 2 * (size_t) padded * sizeof(float));
    if (!scale)
        return NULL;
    float *bias = scale + padded;
    for (int64_t o = 0; o < j->out_c; o++) {
        scale[o] = s->integers->scale[o] / times;
        bias[o] = s->integers->bias[o] * times;
    }
    j->scale = scale;
    j->bias = bias;
    return scale;
}

static void qkernel_free(void *state)
{
    rci_release(((struct qkernel *) state)->scales);
    rci_release(state);
}

static void qkernel_plan(struct qkernel *k, const struct rci_conv_spec *s)
{
    const bool winograd = k->kind == RC_QKERNEL_WINOGRAD;
    const struct rci_qkernel_job *j = &k->job;
    rci_qkernel_fill_job(&k->job, s);
    if (winograd)
        qkernel_plan_winograd(k);
    else
        qkernel_plan_direct(k, s->geometry);
    const size_t padded = (size_t) up(j->out_c, 2 * k->set->lanes);
    k->start_at = padded / (size_t) k->set->lanes * (size_t) j->weights_vec * (winograd ? 36 : 1);
    k->packed = k->start_at + padded * sizeof(int32_t);
}

static rc_status qkernel_create(void **out, struct rc_context *c, enum rci_qkernel_kind kind,
                                const struct rci_conv_spec *s)
{
    *out = NULL;
    if (!qkernel_fits(kind, s))
        return rci_fail(RC_ERR_UNSUPPORTED, "no integer kernel for this convolution");
    struct qkernel *k = RC_NEW(c, struct qkernel);
    if (!k)
        return RC_ERR_MEMORY;
    k->set = rci_qkernel_set_for(kind, s);
    k->kind = kind;
    k->threads = s->threads ? s->threads : 1;
    k->kernel_w = s->geometry->kernel[1];
    snprintf(k->name, sizeof(k->name), "%s:%s", kind == RC_QKERNEL_DIRECT ? "direct" : "winograd",
             k->set->name);
    qkernel_plan(k, s);
    k->scales =
        rci_qkernel_scales(&k->job, c, s, k->set->lanes, kind == RC_QKERNEL_WINOGRAD ? 64 : 1);
    if (!k->scales) {
        qkernel_free(k);
        return RC_ERR_MEMORY;
    }
    *out = k;
    return RC_OK;
}

static size_t qkernel_scratch(const void *state)
{
    const struct qkernel *k = state;
    return k->threads * (k->u_bytes + k->m_bytes);
}

static const char *qkernel_text(const void *state)
{
    return ((const struct qkernel *) state)->name;
}

/* --- running --- */

static void qkernel_share_direct(const struct qkernel *k, const struct rci_qkernel_job *j,
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

static void qkernel_share_tiles(const struct qkernel *k, const struct rci_qkernel_job *j,
                                char *scratch)
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

static void qkernel_share(const void *state, const struct rci_conv_args *a)
{
    const struct qkernel *k = state;
    struct rci_qkernel_job j = k->job;
    j.src = a->src;
    j.dst = a->dst;
    j.weights = a->weights;
    j.start = (const int32_t *) (const void *) ((const char *) a->weights + k->start_at);
    if (k->kind == RC_QKERNEL_DIRECT)
        qkernel_share_direct(k, &j, a->scratch);
    else
        qkernel_share_tiles(k, &j, a->scratch);
}

static void qkernel_run(const void *state, const struct rci_conv_args *a)
{
#pragma omp parallel num_threads(((const struct qkernel *) state)->threads)
    qkernel_share(state, a);
}

/* --- the two kernels --- */

static bool direct_fits(const struct rci_conv_spec *s)
{
    return qkernel_fits(RC_QKERNEL_DIRECT, s);
}

static bool winograd_fits(const struct rci_conv_spec *s)
{
    return qkernel_fits(RC_QKERNEL_WINOGRAD, s);
}

static rc_status direct_create(void **out, struct rc_context *c, const struct rci_conv_spec *s)
{
    return qkernel_create(out, c, RC_QKERNEL_DIRECT, s);
}

static rc_status winograd_create(void **out, struct rc_context *c, const struct rci_conv_spec *s)
{
    return qkernel_create(out, c, RC_QKERNEL_WINOGRAD, s);
}

/* oneDNN's kernel is preferred where it is exact. */
static bool direct_likely(const struct rci_conv_spec *s)
{
    (void) s;
    return false;
}

/* Its weights are four times as large, and transforms cost per channel, so it wants many pixels and
 * not too few or too many channels. */
static bool winograd_likely(const struct rci_conv_spec *s)
{
    const struct rci_conv_geometry *g = s->geometry;
    const int64_t least = g->in_channels < g->out_channels ? g->in_channels : g->out_channels;
    const int64_t tiles = g->batch * ((g->out[0] + 3) / 4) * ((g->out[1] + 3) / 4);
    return least >= 32 && tiles * 16 >= least;
}

/* What both have in common. */
#define QKERNEL_SLOTS                                                                     \
    .integers = true, .free = qkernel_free, .text = qkernel_text,                         \
    .weights_bytes = qkernel_weights_bytes, .bias_bytes = qkernel_bias_bytes,             \
    .pack_weights = qkernel_pack_weights, .scratch = qkernel_scratch, .run = qkernel_run, \
    .share = qkernel_share

const struct rci_conv_kernel rci_int8_direct_kernel = {.name = "direct",
                                                       .fits = direct_fits,
                                                       .likely = direct_likely,
                                                       .create = direct_create,
                                                       QKERNEL_SLOTS};

const struct rci_conv_kernel rci_int8_winograd_kernel = {.name = "winograd",
                                                         .fits = winograd_fits,
                                                         .likely = winograd_likely,
                                                         .create = winograd_create,
                                                         QKERNEL_SLOTS};
