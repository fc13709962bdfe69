/* Convolution of any window, stride and dilation as a product of matrices: pixels of the output by
 * its channels, summed over taps and input channels. Pixels are packed one tile at a time (im2col
 * of a tile, which stays in L2), weights once. Needs layouts in which a vector of channels lies
 * together: channels last, or in blocks of one vector.
 *
 * A product is cut into tiles of pixels, chunks of taps and input channels, and panels of two
 * vectors of output channels. The weights of a chunk and panel stay in L1 while all pixels of the
 * tile use them; a tile's packed pixels of one chunk stay in L2 while all panels use them. */
#include "kernel/choice/cost.h"
#include "kernel/gemm/code.h"

#include <omp.h>
#include <string.h>

struct gemm {
    struct rci_conv_geometry g;
    struct rci_conv_layout src, dst;
    const struct rci_vector_code *code;
    bool sum, relu;
    uint32_t threads;
    int64_t taps, pixels, tile, tiles;
    int64_t groups;  /* of LANES input channels */
    int64_t vectors; /* of output channels */
    int64_t panels;  /* pairs of them */
    int64_t parts;   /* into which panels are divided among threads */
    int64_t chunk_taps, chunk_groups, chunks;
    size_t per_thread; /* [bytes] */
};

/* Scratch of a thread. */
struct space {
    const float **from; /* [tile] */
    float **to;         /* [tile] */
    float *pixels;      /* one chunk of the tile: [blocks of rows][groups][rows][LANES] */
    float *sums; /* [panels of the part][tile][two vectors], where there are several chunks */
};

/* Taps [tap, tap + taps) and groups of channels [group, group + groups). */
struct chunk {
    int64_t tap, taps, group, groups;
};

static bool gemm_layout(const struct rci_md *md, int64_t lanes, struct rci_conv_layout *l)
{
    return md && md->dtype == RC_F32 && rci_conv_layout_of(md, l) &&
           (!l->block_stride || (int64_t) 1 << l->shift == lanes);
}

static bool gemm_fits(const struct rci_conv_spec *s)
{
    const struct rci_vector_code *code = rci_vector_code_here(s->cpu, RC_F32);
    const struct rci_conv_geometry *g = s->geometry;
    struct rci_conv_layout l;
    return code && g->groups == 1 && g->in_channels >= code->lanes &&
           g->out_channels >= code->lanes && gemm_layout(s->src, code->lanes, &l) &&
           gemm_layout(s->dst, code->lanes, &l);
}

static size_t aligned(int64_t count, size_t size)
{
    return rci_align_line((size_t) count * size);
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Few pixels, or fewer tiles than keep all threads busy: these divide the output channels. */
static void gemm_cut(struct gemm *k)
{
    enum { CHUNK = 256, SMALL = 384, TILE = 96 };
    const int64_t lanes = k->code->lanes, steps = k->taps * k->groups * lanes;
    const int64_t threads = k->threads;
    k->chunk_groups = k->groups * lanes <= SMALL ? k->groups : CHUNK / lanes;
    k->chunk_taps = k->chunk_groups < k->groups ? 1
                    : steps <= SMALL            ? k->taps
                    : k->groups * lanes < CHUNK ? CHUNK / (k->groups * lanes)
                                                : 1;
    k->chunks = divide_up(k->taps, k->chunk_taps) * divide_up(k->groups, k->chunk_groups);
    int64_t tiles = divide_up(k->pixels, TILE);
    k->parts = tiles < 4 * threads && k->panels >= threads ? threads : 1;
    if (k->parts == 1)
        tiles = divide_up(tiles, threads) * threads;
    k->tile = divide_up(k->pixels, tiles);
    k->tiles = divide_up(k->pixels, k->tile);
    const int64_t sums = k->chunks > 1 ? divide_up(k->panels, k->parts) * k->tile * 2 * lanes : 0;
    k->per_thread = 2 * aligned(k->tile, sizeof(float *)) +
                    aligned(k->tile * k->chunk_taps * k->chunk_groups * lanes, sizeof(float)) +
                    aligned(sums, sizeof(float));
}

static rc_status gemm_create(void **out, struct rc_context *c, const struct rci_conv_spec *s)
{
    *out = NULL;
    if (!gemm_fits(s))
        return rci_fail(RC_ERR_UNSUPPORTED, "no matrix kernel for this convolution");
    struct gemm *k = RC_NEW(c, struct gemm);
    if (!k)
        return RC_ERR_MEMORY;
    const struct rci_conv_geometry *g = s->geometry;
    k->g = *g;
    k->code = rci_vector_code_here(s->cpu, RC_F32);
    gemm_layout(s->src, k->code->lanes, &k->src);
    gemm_layout(s->dst, k->code->lanes, &k->dst);
    k->sum = s->sum;
    k->relu = s->relu;
    k->threads = s->threads ? s->threads : 1;
    k->taps = g->kernel[0] * g->kernel[1];
    k->pixels = g->batch * g->out[0] * g->out[1];
    k->groups = divide_up(g->in_channels, k->code->lanes);
    k->vectors = divide_up(g->out_channels, k->code->lanes);
    k->panels = divide_up(k->vectors, 2);
    gemm_cut(k);
    *out = k;
    return RC_OK;
}

static size_t gemm_scratch(const void *state)
{
    const struct gemm *k = state;
    return k->threads * k->per_thread;
}

static const char *gemm_text(const void *state)
{
    return ((const struct gemm *) state)->code->gemm_name;
}

static size_t gemm_bias_bytes(const void *state)
{
    const struct gemm *k = state;
    return (size_t) (k->vectors * k->code->lanes) * sizeof(float);
}

static size_t gemm_weights_bytes(const void *state)
{
    const struct gemm *k = state;
    return gemm_bias_bytes(k) * (size_t) (k->taps * k->groups * k->code->lanes);
}

static void gemm_pack_bias(const void *state, const void *plain, void *packed)
{
    const struct gemm *k = state;
    rci_vector_pack_bias(plain, k->g.out_channels, packed, gemm_bias_bytes(k));
}

static struct chunk gemm_chunk(const struct gemm *k, int64_t i)
{
    const int64_t pieces = divide_up(k->groups, k->chunk_groups);
    struct chunk c = {.tap = i / pieces * k->chunk_taps, .group = i % pieces * k->chunk_groups};
    const int64_t taps = k->taps - c.tap, groups = k->groups - c.group;
    c.taps = taps < k->chunk_taps ? taps : k->chunk_taps;
    c.groups = groups < k->chunk_groups ? groups : k->chunk_groups;
    return c;
}

/* Vectors of output channels of a panel. */
static int64_t gemm_width(const struct gemm *k, int64_t panel)
{
    return 2 * panel + 1 < k->vectors ? 2 : 1;
}

/* Packed weights are [chunks][panels][taps][channels][output channels of a panel]. A panel of a
 * chunk stays in L1 while the rows of plain weights are read one after the other. */
static void gemm_pack_panel(const struct gemm *k, const struct chunk *c, int64_t panel,
                            const float *plain, float *to)
{
    const int64_t lanes = k->code->lanes, in = k->g.in_channels, out = k->g.out_channels;
    const int64_t first = 2 * panel * lanes, width = gemm_width(k, panel) * lanes;
    const int64_t from = c->group * lanes, count = c->groups * lanes;
    const int64_t there = in - from < count ? in - from : count;
    if (there < count || first + width > out)
        memset(to, 0, (size_t) (c->taps * count * width) * sizeof(float));
    for (int64_t o = first; o < first + width && o < out; o++)
        for (int64_t t = 0; t < c->taps; t++) {
            const float *row = plain + (o * in + from) * k->taps + c->tap + t;
            float *column = to + t * count * width + o - first;
            for (int64_t i = 0; i < there; i++)
                column[i * width] = row[i * k->taps];
        }
}

static void gemm_pack_weights(const void *state, const void *plain, void *packed)
{
    const struct gemm *k = state;
    const int64_t lanes = k->code->lanes;
#pragma omp parallel num_threads(k->threads)
    {
        float *to = packed;
        for (int64_t i = 0; i < k->chunks; i++) {
            const struct chunk c = gemm_chunk(k, i);
            const int64_t depth = c.taps * c.groups * lanes;
#pragma omp for schedule(static) nowait
            for (int64_t p = 0; p < k->panels; p++)
                gemm_pack_panel(k, &c, p, plain, to + p * depth * 2 * lanes);
            to += depth * k->vectors * lanes;
        }
    }
}

static struct space gemm_space(const struct gemm *k, void *scratch, int thread)
{
    char *at = (char *) scratch + (size_t) thread * k->per_thread;
    struct space s = {.from = (const float **) (void *) at};
    at += aligned(k->tile, sizeof(float *));
    s.to = (float **) (void *) at;
    at += aligned(k->tile, sizeof(float *));
    s.pixels = (float *) (void *) at;
    at += aligned(k->tile * k->chunk_taps * k->chunk_groups * k->code->lanes, sizeof(float));
    s.sums = (float *) (void *) at;
    return s;
}

struct pixel {
    int64_t image, y, x;
};

static struct pixel gemm_pixel(const struct gemm *k, int64_t i)
{
    const int64_t w = k->g.out[1], plane = k->g.out[0] * w;
    return (struct pixel){i / plane, i % plane / w, i % w};
}

static void gemm_next(const struct gemm *k, struct pixel *p)
{
    if (++p->x < k->g.out[1])
        return;
    p->x = 0;
    if (++p->y < k->g.out[0])
        return;
    p->y = 0;
    p->image++;
}

static void gemm_outputs(const struct gemm *k, float *dst, int64_t first, int64_t count, float **to)
{
    struct pixel p = gemm_pixel(k, first);
    for (int64_t i = 0; i < count; i++, gemm_next(k, &p))
        to[i] = dst + p.image * k->dst.image + p.y * k->dst.row + p.x * k->dst.pixel;
}

/* Where pixels of the output read at a tap; NULL: in the padding. */
static void gemm_inputs(const struct gemm *k, const float *src, int64_t first, int64_t count,
                        int64_t tap, const float **from)
{
    const struct rci_conv_geometry *g = &k->g;
    const int64_t down = tap / g->kernel[1] * g->dilation[0] - g->pad_begin[0];
    const int64_t right = tap % g->kernel[1] * g->dilation[1] - g->pad_begin[1];
    struct pixel p = gemm_pixel(k, first);
    for (int64_t i = 0; i < count; i++, gemm_next(k, &p)) {
        const int64_t y = p.y * g->stride[0] + down, x = p.x * g->stride[1] + right;
        const bool inside = y >= 0 && y < g->in[0] && x >= 0 && x < g->in[1];
        from[i] = inside ? src + p.image * k->src.image + y * k->src.row + x * k->src.pixel : NULL;
    }
}

/* Blocks of nearly equal numbers of pixels, as many as registers hold sums of a whole panel. */
static int64_t gemm_blocks(const struct gemm *k, int64_t count)
{
    return divide_up(count, k->code->rows);
}

static void gemm_pack_pixels(const struct gemm *k, const struct rci_conv_args *a,
                             const struct chunk *c, int64_t first, int64_t count,
                             const struct space *s)
{
    const int64_t lanes = k->code->lanes, depth = c->taps * c->groups * lanes;
    const int64_t blocks = gemm_blocks(k, count), channels = k->g.in_channels - c->group * lanes;
    const float *src = (const float *) a->src + rci_conv_channel(&k->src, c->group * lanes);
    const struct rci_gemm_pack p = {.from = s->from,
                                    .advance = k->src.block_stride ? k->src.block_stride : lanes,
                                    .channels = channels < c->groups * lanes ? channels
                                                                             : c->groups * lanes};
    for (int64_t t = 0; t < c->taps; t++) {
        gemm_inputs(k, src, first, count, c->tap + t, s->from);
        for (int64_t x = 0; x < blocks; x++) {
            const int64_t row = count * x / blocks, rows = count * (x + 1) / blocks - row;
            struct rci_gemm_pack one = p;
            one.from += row;
            k->code->gemm_pack(&one, rows, s->pixels + row * depth + t * rows * c->groups * lanes);
        }
    }
}

/* Asks for a part of the weights that are used next. */
static void gemm_prefetch(const float *weights, int64_t floats, int64_t part, int64_t parts)
{
    enum { LINE = 16 };
    const int64_t lines = floats / LINE;
    for (int64_t i = lines * part / parts; i < lines * (part + 1) / parts; i++)
        __builtin_prefetch(weights + i * LINE, 0, 2);
}

/* One chunk and panel of `count` pixels. */
static void gemm_panel(const struct gemm *k, const struct rci_conv_args *a, int64_t panel,
                       int64_t count, int64_t depth, struct rci_gemm_block *b,
                       const struct space *s)
{
    const int64_t lanes = k->code->lanes, q = gemm_width(k, panel), v = 2 * panel;
    const int64_t blocks = gemm_blocks(k, count), last = (v + q - 1) * lanes;
    float *sums = b->sums;
    b->bias = a->bias ? a->bias + v * lanes : NULL;
    b->vector[0] = rci_conv_channel(&k->dst, v * lanes);
    b->vector[1] = rci_conv_channel(&k->dst, last);
    b->lanes_left = k->dst.channels - last;
    for (int64_t x = 0; x < blocks; x++) {
        const int64_t row = count * x / blocks, rows = count * (x + 1) / blocks - row;
        b->pixels = s->pixels + row * depth;
        b->to = s->to + row;
        b->sums = sums + row * q * lanes;
        gemm_prefetch(b->weights + depth * q * lanes, depth * q * lanes, x, blocks);
        k->code->gemm[q - 1](b, rows);
    }
    b->sums = sums;
}

/* Panels of one part for one tile of pixels. */
static void gemm_piece(const struct gemm *k, const struct rci_conv_args *a, int64_t tile,
                       int64_t part)
{
    const struct space s = gemm_space(k, a->scratch, omp_get_thread_num());
    const int64_t lanes = k->code->lanes, first = tile * k->tile, left = k->pixels - first;
    const int64_t count = left < k->tile ? left : k->tile;
    const int64_t begin = k->panels * part / k->parts, end = k->panels * (part + 1) / k->parts;
    const float *weights = a->weights;
    struct rci_gemm_block b = {.sum = k->sum, .relu = k->relu};
    gemm_outputs(k, a->dst, first, count, s.to);
    for (int64_t i = 0; i < k->chunks; i++) {
        const struct chunk c = gemm_chunk(k, i);
        const int64_t depth = c.taps * c.groups * lanes;
        gemm_pack_pixels(k, a, &c, first, count, &s);
        b.groups = c.taps * c.groups;
        b.first = i == 0;
        b.last = i + 1 == k->chunks;
        for (int64_t p = begin; p < end; p++) {
            b.weights = weights + p * depth * 2 * lanes;
            b.sums = s.sums + (p - begin) * k->tile * 2 * lanes;
            gemm_panel(k, a, p, count, depth, &b, &s);
        }
        weights += depth * k->vectors * lanes;
    }
}

/* Where threads divide output channels, each reads only its own weights. */
static void gemm_share(const void *state, const struct rci_conv_args *a)
{
    const struct gemm *k = state;
    if (k->parts > 1) {
#pragma omp for schedule(static) nowait
        for (int64_t p = 0; p < k->parts; p++)
            for (int64_t t = 0; t < k->tiles; t++)
                gemm_piece(k, a, t, p);
        return;
    }
#pragma omp for schedule(static) nowait
    for (int64_t t = 0; t < k->tiles; t++)
        gemm_piece(k, a, t, 0);
}

static void gemm_run(const void *state, const struct rci_conv_args *a)
{
#pragma omp parallel num_threads(((const struct gemm *) state)->threads)
    gemm_share(state, a);
}

/* Which one is ahead depends on the processor: only a measurement tells. */
static bool gemm_likely(const struct rci_conv_spec *s)
{
    (void) s;
    return false;
}

/* Packing costs per pixel and input channel, which the output channels share; what is done for each
 * output once is shared by the multiply-adds of its sum. */
static double gemm_cost(const struct rci_conv_spec *s, const struct rci_peaks *p)
{
    const struct rci_conv_geometry *g = s->geometry;
    const int64_t lanes = s->cpu->lanes;
    const double in = (double) rci_vector_pad(g->in_channels, lanes);
    const double out = (double) rci_vector_pad(g->out_channels, lanes);
    const double depth = rci_conv_taps(g) * in, macs = rci_conv_pixels(g) * depth * out;
    return rci_cost_macs(s, p, macs * (1 + 11 / out + 7 / depth), 0.84) +
           rci_cost_read(s, p, depth * out * sizeof(float));
}

const struct rci_conv_kernel rci_gemm_kernel = {
    .name = "gemm",
    .fits = gemm_fits,
    .likely = gemm_likely,
    .cost = gemm_cost,
    .create = gemm_create,
    .free = rci_release,
    .text = gemm_text,
    .weights_bytes = gemm_weights_bytes,
    .bias_bytes = gemm_bias_bytes,
    .pack_weights = gemm_pack_weights,
    .pack_bias = gemm_pack_bias,
    .scratch = gemm_scratch,
    .run = gemm_run,
    .share = gemm_share,
};
