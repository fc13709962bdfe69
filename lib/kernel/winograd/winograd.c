/* Which convolutions Winograd's kernel can do, its weights, and its loop over blocks of tiles. */
#include "kernel/winograd/winograd.h"
#include "kernel/choice/cost.h"
#include "kernel/onednn/onednn.h"
#include "kernel/winograd/code.h"

#include <omp.h>

struct winograd {
    struct rci_winograd_plan plan;
    bool turned; /* backward by data: channels swapped, taps reversed */
};

static void winograd_cut_tiles(struct rci_winograd_job *j, int64_t side)
{
    j->side = side;
    j->positions = (side + 2) * (side + 2);
    j->tiles_y = (j->height + side - 1) / side;
    j->tiles_x = (j->width + side - 1) / side;
}

static int64_t job_weights_bytes(const struct rci_winograd_job *j)
{
    return j->positions * j->in_words * j->out_channels * (int64_t) sizeof(float);
}

/* Few tiles of 4x4 with many weights: those come from memory for every run, four times the direct
 * ones. Tiles of 2x2 need not twice as many; beyond SMALL_BYTES even that is too much. */
static bool winograd_choose_side(struct rci_winograd_job *j)
{
    enum { FEW_TILES = 24, CACHED_BYTES = 1 << 20, SMALL_BYTES = 6 << 20 };
    winograd_cut_tiles(j, 4);
    if (j->batch * j->tiles_y * j->tiles_x >= FEW_TILES || job_weights_bytes(j) <= CACHED_BYTES)
        return true;
    winograd_cut_tiles(j, 2);
    return job_weights_bytes(j) <= SMALL_BYTES;
}

/* False where channels do not lie together, or not in blocks of whole vectors. */
static bool winograd_layout_of(const struct rci_md *md, int64_t lanes, struct rci_conv_layout *l)
{
    return rci_conv_layout_of(md, l) && rci_conv_layout_in(l, lanes);
}

static bool winograd_geometry_fits(const struct rci_conv_geometry *g)
{
    bool fits = g->groups == 1;
    for (int i = 0; i < 2; i++)
        fits = fits && g->kernel[i] == 3 && g->stride[i] == 1 && g->dilation[i] == 1 &&
               g->pad_begin[i] == 1 && g->out[i] == g->in[i];
    return fits;
}

/* Activations of this size were written just now into the L2 of one core or all. */
enum { NEAR_BYTES = 256 << 10 };

static bool winograd_job_of(const struct rci_conv_spec *s, struct rci_winograd_plan *p)
{
    const struct rci_conv_geometry *g = s->geometry;
    struct rci_winograd_job *j = &p->job;
    *p = (struct rci_winograd_plan){.in_channels = g->in_channels,
                                    .out_channels = g->out_channels,
                                    .threads = s->threads ? s->threads : 1};
    if (!s->src || !s->dst || s->src->dtype != s->dst->dtype)
        return false;
    p->code = rci_vector_code_here(s->cpu, s->src->dtype);
    if (!p->code || !winograd_geometry_fits(g) ||
        !winograd_layout_of(s->src, p->code->lanes, &j->src_layout) ||
        !winograd_layout_of(s->dst, p->code->lanes, &j->dst_layout))
        return false;
    const bool halves = p->code->half && !j->dst_layout.block_stride;
    p->in = rci_vector_runs(p->code, 0, j->src_layout.channels);
    p->unit = halves ? p->code->half->lanes : p->code->lanes;
    j->in_words = (g->in_channels + p->code->word - 1) / p->code->word;
    j->in_cover = rci_vector_runs_end(&p->in);
    j->in_step = j->in_cover / p->code->word;
    j->out_channels = rci_vector_pad(j->dst_layout.channels, p->unit);
    j->batch = g->batch;
    j->height = g->in[0];
    j->width = g->in[1];
    j->sum = s->sum;
    j->relu = s->relu;
    j->prefetch = rci_md_bytes(s->src) + rci_md_bytes(s->dst) > NEAR_BYTES;
    return winograd_choose_side(j) && (j->side == 4 || p->code->transform_in[1]);
}

static bool winograd_fits(const struct rci_conv_spec *s)
{
    struct rci_winograd_plan p;
    return winograd_job_of(s, &p);
}

bool rci_winograd_grad_fits(const struct rci_conv_spec *s)
{
    struct rci_winograd_plan p;
    return winograd_job_of(s, &p) && p.job.side == 4 && (p.code->word == 1 || !s->bias);
}

bool rci_winograd_small(const struct rci_conv_spec *s)
{
    struct rci_winograd_plan p;
    return winograd_job_of(s, &p) && p.job.side == 2;
}

/* Few tiles: threads divide the output channels, not the tiles, so that each reads its own weights
 * and registers are full. Every thread then transforms all inputs. */
static bool winograd_split_pays(const struct rci_winograd_plan *p)
{
    const int64_t threads = p->threads, few = p->job.side == 2 ? 32 : 8; /* tiles a thread */
    return p->tiles < few * threads && p->job.out_channels >= threads * p->unit;
}

struct rci_vector_runs rci_winograd_part(const struct rci_winograd_plan *p, int64_t part)
{
    const int64_t units = p->job.out_channels / p->unit, channels = p->job.dst_layout.channels;
    const int64_t end = units * (part + 1) / p->parts * p->unit;
    return rci_vector_runs(p->code, units * part / p->parts * p->unit,
                           end < channels ? end : channels);
}

/* Blocks fit the L2 but fill the registers, and threads get equal numbers of equal
 * ones. Weights beyond that cache come from farther away for every block: those want more tiles; so
 * do the sums of a gradient (not `split`), which are read and written for every block. */
static void winograd_cut_blocks(struct rci_winograd_plan *p, bool split)
{
    enum { BLOCK_BYTES = 128 << 10, WHOLE_BYTES = 160 << 10 }; /* the latter for all tiles */
    enum { SUMS_BLOCK_BYTES = 224 << 10 };
    enum { CACHED_BYTES = 512 << 10, LARGE_BLOCK = 48 };
    struct rci_winograd_job *j = &p->job;
    const int64_t size = sizeof(float), rows = p->code->rows;
    const int64_t bytes = j->positions * (j->in_step + j->out_channels) * size;
    const bool large = job_weights_bytes(j) > CACHED_BYTES;
    int64_t most = (split ? BLOCK_BYTES : SUMS_BLOCK_BYTES) / bytes / rows * rows;
    if (most < rows)
        most = rows;
    if (large && most < LARGE_BLOCK)
        most = LARGE_BLOCK;
    p->tiles = j->batch * j->tiles_y * j->tiles_x;
    p->parts = split && winograd_split_pays(p) ? p->threads : 1;
    j->out_count = (j->out_channels / p->unit + p->parts - 1) / p->parts * p->unit;
    const int64_t least = p->threads / p->parts, each = (p->tiles + least - 1) / least;
    if (each > most && each * bytes <= WHOLE_BYTES)
        most = each;
    int64_t blocks = (p->tiles + most - 1) / most;
    blocks = (blocks + least - 1) / least * least;
    j->block = (p->tiles + blocks - 1) / blocks;
    p->blocks = (p->tiles + j->block - 1) / j->block;
    p->per_thread = (size_t) (j->positions * (rci_winograd_step(j->block, j->in_step) +
                                              rci_winograd_step(j->block, j->out_count)));
}

bool rci_winograd_plan_init(struct rci_winograd_plan *p, const struct rci_conv_spec *s, bool split)
{
    if (!winograd_job_of(s, p))
        return false;
    winograd_cut_blocks(p, split);
    return true;
}

static rc_status create_turned(void **out, struct rc_context *c, const struct rci_conv_spec *s,
                               bool turned)
{
    struct rci_winograd_plan plan;
    *out = NULL;
    if (!rci_winograd_plan_init(&plan, s, true))
        return rci_fail(RC_ERR_UNSUPPORTED, "no Winograd kernel for this convolution");
    struct winograd *w = RC_NEW(c, struct winograd);
    if (!w)
        return RC_ERR_MEMORY;
    w->plan = plan;
    w->turned = turned;
    *out = w;
    return RC_OK;
}

static rc_status winograd_create(void **out, struct rc_context *c, const struct rci_conv_spec *s)
{
    return create_turned(out, c, s, false);
}

rc_status rci_winograd_create_data(void **out, struct rc_context *c, const struct rci_conv_spec *s)
{
    struct rci_conv_geometry g = *s->geometry;
    g.in_channels = s->geometry->out_channels;
    g.out_channels = s->geometry->in_channels;
    const struct rci_conv_spec turned = {
        .geometry = &g, .src = s->dst, .dst = s->src, .threads = s->threads, .cpu = s->cpu};
    return create_turned(out, c, &turned, true);
}

static size_t winograd_weights_bytes(const void *state)
{
    const struct winograd *w = state;
    return (size_t) job_weights_bytes(&w->plan.job);
}

static size_t winograd_bias_bytes(const void *state)
{
    const struct winograd *w = state;
    return (size_t) w->plan.job.out_channels * sizeof(float);
}

/* The vectors of one part; all threads of a region call it. */
static void winograd_pack_part(const struct rci_winograd_plan *p,
                               const struct rci_winograd_plain *g, int64_t part, float *packed)
{
    const struct rci_vector_runs out = rci_winograd_part(p, part);
    const int64_t c = p->job.in_words, step = c * p->job.out_channels;
    for (int x = 0; x < out.count; x++) {
        const struct rci_vector_code *code = out.run[x].code;
        for (int64_t k = out.run[x].first; k < out.run[x].end; k += code->lanes)
#pragma omp for schedule(static) nowait
            for (int64_t i = 0; i < c; i++)
                code->pack_pair[p->job.side == 2](g, k, i * code->word,
                                                  packed + k * c + i * code->lanes, step);
    }
}

static void winograd_pack_weights(const void *state, const void *plain, void *packed)
{
    const struct winograd *w = state;
    const struct rci_winograd_plan *p = &w->plan;
    const int64_t c = p->in_channels, k = p->out_channels;
    const float *first = plain;
    struct rci_winograd_plain g = {
        .data = first, .in = c, .out = k, .in_step = 9, .out_step = 9 * c, .tap_step = 1};
    if (w->turned) {
        g.data = first + 8;
        g.in_step = 9 * k;
        g.out_step = 9;
        g.tap_step = -1;
    }
#pragma omp parallel num_threads(p->threads)
    for (int64_t i = 0; i < p->parts; i++)
        winograd_pack_part(p, &g, i, packed);
}

static void winograd_pack_bias(const void *state, const void *plain, void *packed)
{
    const struct winograd *w = state;
    rci_vector_pack_bias(plain, w->plan.out_channels, packed, winograd_bias_bytes(w));
}

static size_t winograd_scratch(const void *state)
{
    const struct winograd *w = state;
    return w->plan.threads * w->plan.per_thread * sizeof(float);
}

static const char *winograd_text(const void *state)
{
    const struct winograd *w = state;
    return w->plan.code->winograd[w->plan.job.side == 2];
}

static void winograd_run_piece(const struct rci_winograd_plan *p, const struct rci_conv_args *a,
                               int64_t piece, float *u)
{
    struct rci_winograd_job j = p->job;
    const int64_t block = piece / p->parts;
    const struct rci_vector_runs out = rci_winograd_part(p, piece % p->parts);
    float *m = u + j.positions * rci_winograd_step(j.block, j.in_step);
    j.src = a->src;
    j.weights = a->weights;
    j.bias = a->bias;
    j.dst = a->dst;
    j.out_first = out.run[0].first;
    j.out_count = rci_vector_runs_end(&out) - j.out_first;
    for (int i = 0; i < p->in.count; i++) {
        const struct rci_winograd_piece c = rci_winograd_piece(p, block, &p->in.run[i]);
        p->in.run[i].code->transform_in[j.side == 2](&j, &c, u);
    }
    for (int i = 0; i < out.count; i++) {
        const struct rci_winograd_piece k = rci_winograd_piece(p, block, &out.run[i]);
        out.run[i].code->products(&j, &k, u, m);
        out.run[i].code->transform_out[j.side == 2](&j, &k, m);
    }
}

static void winograd_share(const void *state, const struct rci_conv_args *a)
{
    const struct rci_winograd_plan *p = &((const struct winograd *) state)->plan;
#pragma omp for schedule(static) nowait
    for (int64_t i = 0; i < p->blocks * p->parts; i++)
        winograd_run_piece(p, a, i,
                           (float *) a->scratch + (size_t) omp_get_thread_num() * p->per_thread);
}

static void winograd_run(const void *state, const struct rci_conv_args *a)
{
#pragma omp parallel num_threads(((const struct winograd *) state)->plan.threads)
    winograd_share(state, a);
}

/* Transforms cost per channel, products per pair of them; oneDNN's AVX-512 kernels are ahead below
 * 32 where they have whole vectors. */
static bool winograd_likely(const struct rci_conv_spec *s)
{
    const struct rci_conv_geometry *g = s->geometry;
    const bool whole = g->in_channels % 16 == 0 && g->out_channels % 16 == 0;
    const int64_t least = s->cpu->lanes == 16 && whole ? 32 : 16;
    return g->in_channels >= least && g->out_channels >= least;
}

/* Products of all positions of a tile, and transforms, which cost as much per tile and channel as
 * some multiply-adds for each position. */
static double winograd_cost(const struct rci_conv_spec *s, const struct rci_peaks *p)
{
    enum { TRANSFORM_MACS = 16 };
    struct rci_winograd_plan plan;
    if (!rci_winograd_plan_init(&plan, s, true))
        return 0;
    const struct rci_winograd_job *j = &plan.job;
    const double tiles = (double) (plan.tiles * j->positions);
    const double in = (double) j->in_cover, out = (double) j->out_channels;
    const double macs = tiles * (in * out + TRANSFORM_MACS * (in + out));
    return rci_cost_macs(s, p, macs, 0.85) + rci_cost_read(s, p, (double) job_weights_bytes(j));
}

const struct rci_conv_kernel rci_winograd_kernel = {
    .name = "winograd",
    .fits = winograd_fits,
    .likely = winograd_likely,
    .cost = winograd_cost,
    .create = winograd_create,
    .free = rci_release,
    .text = winograd_text,
    .weights_bytes = winograd_weights_bytes,
    .bias_bytes = winograd_bias_bytes,
    .pack_weights = winograd_pack_weights,
    .pack_bias = winograd_pack_bias,
    .scratch = winograd_scratch,
    .run = winograd_run,
    .share = winograd_share,
};
