/* Which convolutions Winograd's kernel can do, its weights, and its loop over blocks of tiles. */
#include "kernel/onednn.h"
#include "kernel/winograd_code.h"

#include <omp.h>

struct rc_winograd {
    struct rc_winograd_plan plan;
    bool turned; /* backward by data: channels swapped, taps reversed */
};

static void cut_tiles(struct rc_winograd_job *j, int64_t side)
{
    j->side = side;
    j->positions = (side + 2) * (side + 2);
    j->tiles_y = (j->height + side - 1) / side;
    j->tiles_x = (j->width + side - 1) / side;
}

static int64_t weights_bytes(const struct rc_winograd_job *j)
{
    return j->positions * j->in_channels * j->out_channels * (int64_t) sizeof(float);
}

/* Few tiles of 4x4 with many weights: those come from memory for every run, four times the direct
 * ones. Tiles of 2x2 need not twice as many; beyond SMALL_BYTES even that is too much. */
static bool choose_side(struct rc_winograd_job *j)
{
    enum { FEW_TILES = 24, CACHED_BYTES = 1 << 20, SMALL_BYTES = 6 << 20 };
    cut_tiles(j, 4);
    if (j->batch * j->tiles_y * j->tiles_x >= FEW_TILES || weights_bytes(j) <= CACHED_BYTES)
        return true;
    cut_tiles(j, 2);
    return weights_bytes(j) <= SMALL_BYTES;
}

/* False where channels do not lie together, or not in blocks of whole vectors. */
static bool layout_of(const struct rc_md *md, int64_t lanes, struct rc_winograd_layout *l)
{
    struct rc_dmd_layout d;
    if (!md || md->dtype != RC_F32)
        return false;
    rc_dmd_layout(rc_md_dnnl(md), &d);
    if (!d.blocked || d.any || d.rank != 4 || d.inner_count > 1)
        return false;
    *l = (struct rc_winograd_layout){
        .image = d.strides[0], .row = d.strides[2], .pixel = d.strides[3]};
    l->channels = d.padded[1];
    if (d.inner_count == 0) {
        l->block = rc_vector_pad(l->channels, lanes);
        l->block_stride = 0;
        return d.strides[1] == 1;
    }
    l->block = d.inner_block[0];
    l->block_stride = d.strides[1];
    return d.inner_axis[0] == 1 && l->block % lanes == 0;
}

static bool geometry_fits(const struct rc_conv_geometry *g)
{
    bool fits = g->groups == 1;
    for (int i = 0; i < 2; i++)
        fits = fits && g->kernel[i] == 3 && g->stride[i] == 1 && g->dilation[i] == 1 &&
               g->pad_begin[i] == 1 && g->out[i] == g->in[i];
    return fits;
}

/* Pairs of channels in products of such vectors. */
static int64_t padded_pairs(const struct rc_winograd_job *j, int64_t lanes)
{
    return rc_vector_pad(j->src_layout.channels, lanes) *
           rc_vector_pad(j->dst_layout.channels, lanes);
}

/* Activations of this size were written just now into the second-level cache of one core or all. */
enum { NEAR_BYTES = 256 << 10 };

static bool job_of(const struct rc_conv_spec *s, const struct rc_vector_code *code,
                   struct rc_winograd_job *j)
{
    const struct rc_conv_geometry *g = s->geometry;
    if (!code || !geometry_fits(g) || !layout_of(s->src, code->lanes, &j->src_layout) ||
        !layout_of(s->dst, code->lanes, &j->dst_layout))
        return false;
    if (s->narrow && padded_pairs(j, code->lanes) == padded_pairs(j, 2 * code->lanes))
        return false;
    j->in_channels = rc_vector_pad(j->src_layout.channels, code->lanes);
    j->out_channels = rc_vector_pad(j->dst_layout.channels, code->lanes);
    j->batch = g->batch;
    j->height = g->in[0];
    j->width = g->in[1];
    j->sum = s->sum;
    j->relu = s->relu;
    j->foresee = rc_md_bytes(s->src) + rc_md_bytes(s->dst) > NEAR_BYTES;
    return choose_side(j);
}

bool rc_winograd_fits(const struct rc_conv_spec *s)
{
    struct rc_winograd_job j = {0};
    return job_of(s, rc_vector_code_here(s->narrow), &j);
}

bool rc_winograd_grad_fits(const struct rc_conv_spec *s)
{
    struct rc_winograd_job j = {0};
    return job_of(s, rc_vector_code_here(s->narrow), &j) && j.side == 4;
}

bool rc_winograd_small(const struct rc_conv_spec *s)
{
    struct rc_winograd_job j = {0};
    return job_of(s, rc_vector_code_here(s->narrow), &j) && j.side == 2;
}

/* Some processors do two half-width multiplications at a time as fast as two whole ones, others
 * only half as much: where half the pairs are padding, narrow ones win on both. */
bool rc_winograd_wants_narrow(const struct rc_conv_spec *s)
{
    struct rc_winograd_job j = {0};
    struct rc_conv_spec narrow = *s;
    narrow.narrow = true;
    const struct rc_vector_code *code = rc_vector_code_here(true);
    return job_of(&narrow, code, &j) &&
           padded_pairs(&j, code->lanes) * 10 <= padded_pairs(&j, 2 * code->lanes) * 6;
}

/* Few tiles: threads divide the output channels, not the tiles, so that each reads its own weights
 * and registers are full. Every thread then transforms all inputs. */
static bool split_pays(const struct rc_winograd_plan *p)
{
    const int64_t threads = p->threads, few = p->job.side == 2 ? 32 : 8; /* tiles a thread */
    return p->tiles < few * threads && p->job.out_channels >= threads * p->code->lanes;
}

/* Blocks fit the second-level cache but fill the registers, and threads get equal numbers of equal
 * ones. Weights beyond that cache come from farther away for every block: those want more tiles. */
static void cut_blocks(struct rc_winograd_plan *p, bool split)
{
    enum { BLOCK_BYTES = 128 << 10, CACHED_BYTES = 512 << 10, LARGE_BLOCK = 48 };
    struct rc_winograd_job *j = &p->job;
    const int64_t size = sizeof(float), rows = p->code->rows;
    const int64_t bytes = j->positions * (j->in_channels + j->out_channels) * size;
    const bool large = weights_bytes(j) > CACHED_BYTES;
    int64_t most = BLOCK_BYTES / bytes / rows * rows;
    if (most < rows)
        most = rows;
    if (large && most < LARGE_BLOCK)
        most = LARGE_BLOCK;
    p->tiles = j->batch * j->tiles_y * j->tiles_x;
    p->parts = split && split_pays(p) ? p->threads : 1;
    const int64_t vectors = j->out_channels / p->code->lanes;
    j->out_count = (vectors + p->parts - 1) / p->parts * p->code->lanes;
    const int64_t least = p->threads / p->parts;
    int64_t blocks = (p->tiles + most - 1) / most;
    blocks = (blocks + least - 1) / least * least;
    j->block = (p->tiles + blocks - 1) / blocks;
    p->blocks = (p->tiles + j->block - 1) / j->block;
    p->per_thread = (size_t) (j->positions * (rc_winograd_step(j->block, j->in_channels) +
                                              rc_winograd_step(j->block, j->out_count)));
}

bool rc_winograd_plan_init(struct rc_winograd_plan *p, const struct rc_conv_spec *s, bool split)
{
    *p = (struct rc_winograd_plan){.code = rc_vector_code_here(s->narrow),
                                   .in_channels = s->geometry->in_channels,
                                   .out_channels = s->geometry->out_channels,
                                   .threads = s->threads ? s->threads : 1};
    if (!job_of(s, p->code, &p->job))
        return false;
    cut_blocks(p, split);
    return true;
}

static rc_status create(struct rc_winograd **out, struct rc_context *c,
                        const struct rc_conv_spec *s, bool turned)
{
    struct rc_winograd_plan plan;
    *out = NULL;
    if (!rc_winograd_plan_init(&plan, s, true))
        return rc_fail(RC_ERR_UNSUPPORTED, "no Winograd kernel for this convolution");
    struct rc_winograd *w = RC_NEW(c, struct rc_winograd);
    if (!w)
        return RC_ERR_MEMORY;
    w->plan = plan;
    w->turned = turned;
    *out = w;
    return RC_OK;
}

rc_status rc_winograd_create(struct rc_winograd **out, struct rc_context *c,
                             const struct rc_conv_spec *s)
{
    return create(out, c, s, false);
}

rc_status rc_winograd_create_data(struct rc_winograd **out, struct rc_context *c,
                                  const struct rc_conv_spec *s)
{
    struct rc_conv_geometry g = *s->geometry;
    g.in_channels = s->geometry->out_channels;
    g.out_channels = s->geometry->in_channels;
    const struct rc_conv_spec turned = {
        .geometry = &g, .src = s->dst, .dst = s->src, .narrow = s->narrow, .threads = s->threads};
    return create(out, c, &turned, true);
}

void rc_winograd_destroy(struct rc_winograd *w)
{
    rc_release(w);
}

size_t rc_winograd_weights_bytes(const struct rc_winograd *w)
{
    return (size_t) weights_bytes(&w->plan.job);
}

size_t rc_winograd_bias_bytes(const struct rc_winograd *w)
{
    return (size_t) w->plan.job.out_channels * sizeof(float);
}

void rc_winograd_pack_weights(const struct rc_winograd *w, const float *plain, float *packed)
{
    const struct rc_winograd_plan *p = &w->plan;
    const int64_t c = p->job.in_channels, k = p->job.out_channels, lanes = p->code->lanes;
    struct rc_winograd_plain g = {.data = plain,
                                  .in = p->in_channels,
                                  .out = p->out_channels,
                                  .in_step = 9,
                                  .out_step = 9 * p->in_channels,
                                  .tap_step = 1};
    if (w->turned) {
        g.data = plain + 8;
        g.in_step = 9 * p->out_channels;
        g.out_step = 9;
        g.tap_step = -1;
    }
    void (*const pack_pair)(const struct rc_winograd_plain *, int64_t, int64_t, float *, int64_t) =
        p->job.side == 2 ? p->code->small_pack_pair : p->code->pack_pair;
#pragma omp parallel for schedule(static) num_threads(p->threads)
    for (int64_t i = 0; i < k / lanes * c; i++)
        pack_pair(&g, i / c * lanes, i % c, packed + i * lanes, c * k);
}

void rc_winograd_pack_bias(const struct rc_winograd *w, const float *plain, float *packed)
{
    rc_vector_pack_bias(plain, w->plan.out_channels, packed, rc_winograd_bias_bytes(w));
}

size_t rc_winograd_scratch(const struct rc_winograd *w)
{
    return w->plan.threads * w->plan.per_thread * sizeof(float);
}

const char *rc_winograd_name(const struct rc_winograd *w)
{
    return w->plan.code->winograd[w->plan.job.side == 2];
}

static void run_piece(const struct rc_winograd_plan *p, const struct rc_conv_args *a, int64_t piece,
                      float *scratch)
{
    struct rc_winograd_job j = p->job;
    const int64_t block = piece / p->parts, part = piece % p->parts, lanes = p->code->lanes;
    const int64_t vectors = j.out_channels / lanes;
    j.src = a->src;
    j.weights = a->weights;
    j.bias = a->bias;
    j.dst = a->dst;
    j.out_first = vectors * part / p->parts * lanes;
    j.out_count = vectors * (part + 1) / p->parts * lanes - j.out_first;
    const int64_t first = block * j.block, count = rc_winograd_count(p, block);
    if (j.side == 2)
        p->code->small_tiles(&j, first, count, scratch);
    else
        p->code->tiles(&j, first, count, scratch);
}

void rc_winograd_share(const struct rc_winograd *w, const struct rc_conv_args *a)
{
    const struct rc_winograd_plan *p = &w->plan;
#pragma omp for schedule(static)
    for (int64_t i = 0; i < p->blocks * p->parts; i++)
        run_piece(p, a, i, (float *) a->scratch + (size_t) omp_get_thread_num() * p->per_thread);
}

void rc_winograd_run(const struct rc_winograd *w, const struct rc_conv_args *a)
{
#pragma omp parallel num_threads(w->plan.threads)
    rc_winograd_share(w, a);
}
