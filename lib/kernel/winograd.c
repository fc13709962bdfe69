/* Which convolutions Winograd's kernel can do, its weights, and its loop over blocks of tiles. */
#include "kernel/winograd.h"
#include "kernel/onednn.h"

#include <omp.h>
#include <string.h>

enum { L2_BYTES = 384 << 10 }; /* what a block of tiles may take; Zen 3 has 512 KiB a core */

struct rc_winograd {
    struct rc_winograd_job job;
    int lanes;
    int64_t tiles, blocks;
    uint32_t threads;
    size_t per_thread;                 /* [floats] */
    int64_t in_channels, out_channels; /* of the plain weights */
};

/* Vector width of the kernel to use; 0: there is none. */
static int lanes_here(void)
{
    return RC_WINOGRAD_SETS ? rc_cpu_lanes() : 0;
}

/* Few tiles with many weights: those come from memory for every run, four times the direct ones. */
static bool bound_by_weights(const struct rc_winograd_job *j)
{
    enum { FEW_TILES = 24, CACHED_BYTES = 1 << 20 };
    return j->batch * j->tiles_y * j->tiles_x < FEW_TILES &&
           36 * j->in_channels * j->out_channels * (int64_t) sizeof(float) > CACHED_BYTES;
}

/* False where channels do not lie together in whole vectors. */
static bool layout_of(const struct rc_md *md, int lanes, struct rc_winograd_layout *l,
                      int64_t *channels)
{
    struct rc_dmd_layout d;
    if (!md || md->dtype != RC_F32)
        return false;
    rc_dmd_layout(rc_md_dnnl(md), &d);
    if (!d.blocked || d.any || d.rank != 4 || d.inner_count > 1)
        return false;
    *l = (struct rc_winograd_layout){
        .image = d.strides[0], .row = d.strides[2], .pixel = d.strides[3]};
    *channels = d.padded[1];
    if (d.inner_count == 0) {
        l->block = *channels;
        l->block_stride = 0;
        return d.strides[1] == 1 && *channels % lanes == 0;
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

static bool job_of(const struct rc_winograd_spec *s, int lanes, struct rc_winograd_job *j)
{
    const struct rc_conv_geometry *g = s->geometry;
    if (!lanes || !geometry_fits(g) || !layout_of(s->src, lanes, &j->src_layout, &j->in_channels) ||
        !layout_of(s->dst, lanes, &j->dst_layout, &j->out_channels))
        return false;
    j->batch = g->batch;
    j->height = g->in[0];
    j->width = g->in[1];
    j->tiles_y = (g->in[0] + 3) / 4;
    j->tiles_x = (g->in[1] + 3) / 4;
    j->sum = s->sum;
    j->relu = s->relu;
    return true;
}

bool rc_winograd_fits(const struct rc_winograd_spec *s)
{
    struct rc_winograd_job j = {0};
    return job_of(s, lanes_here(), &j) && !bound_by_weights(&j);
}

/* Blocks as large as the second-level cache allows, but as many as there are threads, and equal. */
static void cut_blocks(struct rc_winograd *w)
{
    struct rc_winograd_job *j = &w->job;
    const int64_t bytes = 36 * (j->in_channels + j->out_channels) * (int64_t) sizeof(float);
    const int64_t rows = w->lanes == 16 ? 12 : 6; /* of one register block */
    int64_t most = L2_BYTES / bytes / rows * rows;
    if (most < rows)
        most = rows;
    w->tiles = j->batch * j->tiles_y * j->tiles_x;
    int64_t blocks = (w->tiles + most - 1) / most;
    blocks = (blocks + w->threads - 1) / w->threads * w->threads;
    j->block = (w->tiles + blocks - 1) / blocks;
    w->blocks = (w->tiles + j->block - 1) / j->block;
    w->per_thread = (size_t) (36 * (rc_winograd_step(j->block, j->in_channels) +
                                    rc_winograd_step(j->block, j->out_channels)));
}

/* G g G' for one pair of channels. */
static void transform_weights(const float *g, float *out)
{
    static const float G[6][3] = {{1.0f / 4, 0, 0},
                                  {-1.0f / 6, -1.0f / 6, -1.0f / 6},
                                  {-1.0f / 6, 1.0f / 6, -1.0f / 6},
                                  {1.0f / 24, 1.0f / 12, 1.0f / 6},
                                  {1.0f / 24, -1.0f / 12, 1.0f / 6},
                                  {0, 0, 1}};
    float half[6][3];
    for (int i = 0; i < 6; i++)
        for (int x = 0; x < 3; x++)
            half[i][x] = G[i][0] * g[x] + G[i][1] * g[3 + x] + G[i][2] * g[6 + x];
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 6; k++)
            out[i * 6 + k] = half[i][0] * G[k][0] + half[i][1] * G[k][1] + half[i][2] * G[k][2];
}

/* LANES output channels from `first` on. */
static void pack_group(const struct rc_winograd *w, int64_t first, const float *plain,
                       float *packed)
{
    const int64_t c = w->job.in_channels, k = w->job.out_channels, lanes = w->lanes;
    float t[36], row[36][16] = {{0}}; /* zeros behind the last channel */
    for (int64_t i = 0; i < c; i++) {
        if (i == w->in_channels)
            memset(row, 0, sizeof(row));
        for (int64_t o = first; i < w->in_channels && o < first + lanes && o < w->out_channels;
             o++) {
            transform_weights(plain + (o * w->in_channels + i) * 9, t);
            for (int p = 0; p < 36; p++)
                row[p][o - first] = t[p];
        }
        /* whole vectors: the 36 positions lie far apart */
        for (int p = 0; p < 36; p++)
            memcpy(packed + p * c * k + (first / lanes * c + i) * lanes, row[p],
                   (size_t) lanes * sizeof(float));
    }
}

void rc_winograd_pack_weights(const struct rc_winograd *w, const float *plain, float *packed)
{
#pragma omp parallel for schedule(static) num_threads(w->threads)
    for (int64_t first = 0; first < w->job.out_channels; first += w->lanes)
        pack_group(w, first, plain, packed);
}

void rc_winograd_pack_bias(const struct rc_winograd *w, const float *plain, float *packed)
{
    const size_t used = (size_t) w->out_channels * sizeof(float);
    memcpy(packed, plain, used);
    memset(packed + w->out_channels, 0, rc_winograd_bias_bytes(w) - used);
}

rc_status rc_winograd_create(struct rc_winograd **out, struct rc_context *c,
                             const struct rc_winograd_spec *s)
{
    struct rc_winograd_job job = {0};
    const int lanes = lanes_here();
    *out = NULL;
    if (!job_of(s, lanes, &job) || bound_by_weights(&job))
        return rc_fail(RC_ERR_UNSUPPORTED, "no Winograd kernel for this convolution");
    struct rc_winograd *w = RC_NEW(c, struct rc_winograd);
    if (!w)
        return RC_ERR_MEMORY;
    w->job = job;
    w->lanes = lanes;
    w->threads = s->threads ? s->threads : 1;
    w->in_channels = s->geometry->in_channels;
    w->out_channels = s->geometry->out_channels;
    cut_blocks(w);
    *out = w;
    return RC_OK;
}

void rc_winograd_destroy(struct rc_winograd *w)
{
    rc_release(w);
}

size_t rc_winograd_weights_bytes(const struct rc_winograd *w)
{
    return (size_t) (36 * w->job.in_channels * w->job.out_channels) * sizeof(float);
}

size_t rc_winograd_bias_bytes(const struct rc_winograd *w)
{
    return (size_t) w->job.out_channels * sizeof(float);
}

size_t rc_winograd_scratch(const struct rc_winograd *w)
{
    return w->threads * w->per_thread * sizeof(float);
}

const char *rc_winograd_name(const struct rc_winograd *w)
{
    return w->lanes == 16 ? "winograd:avx512" : "winograd:avx2";
}

static void run_block(const struct rc_winograd *w, const struct rc_winograd_job *j, int64_t b,
                      float *scratch)
{
    const int64_t first = b * j->block;
    const int64_t count = w->tiles - first < j->block ? w->tiles - first : j->block;
#if RC_WINOGRAD_SETS
    if (w->lanes == 16)
        rc_winograd_tiles_avx512(j, first, count, scratch);
    else
        rc_winograd_tiles_avx2(j, first, count, scratch);
#else
    (void) count;
    (void) scratch;
#endif
}

void rc_winograd_run(const struct rc_winograd *w, const struct rc_winograd_args *a)
{
    struct rc_winograd_job j = w->job;
    j.src = a->src;
    j.weights = a->weights;
    j.bias = a->bias;
    j.dst = a->dst;
#pragma omp parallel for schedule(static) num_threads(w->threads)
    for (int64_t b = 0; b < w->blocks; b++)
        run_block(w, &j, b, (float *) a->scratch + (size_t) omp_get_thread_num() * w->per_thread);
}
