/* Direct convolution of one group with few channels, channels last or in blocks of one
 * vector: for the layers of small and of pruned networks, where oneDNN's kernels do least well.
 * Which layers it does, its weights, its rows with their padding. */
#include "kernel/choice/cost.h"
#include "kernel/direct/code.h"
#include "kernel/kernel.h"
#include "kernel/onednn/onednn.h"

#include <string.h>

struct direct {
    struct rci_direct_job job;
    struct rci_conv_geometry g;
    struct rci_conv_layout src; /* unless `planes` */
    int64_t unit, units;        /* channels of a pixel that lie together, blocks of them */
    const struct rci_vector_code *code;
    struct rci_vector_runs out;
    bool planes;       /* the source's channels lie one behind the other, not together */
    bool padded;       /* rows are copied, zeros beside and between them */
    int64_t strip;     /* rows of outputs for which rows of inputs are copied together */
    size_t per_thread; /* [floats] */
    uint32_t threads;
};

/* Channels last, or in blocks of a vector, without gaps between pixels of a row. */
static bool is_dense(const struct rci_md *md, int64_t w, int64_t c, int64_t lanes,
                     struct rci_conv_layout *l)
{
    if (!md || md->dtype != RC_F32 || !rci_conv_layout_of(md, l))
        return false;
    const int64_t unit = l->block_stride ? (int64_t) 1 << l->shift : c;
    return (!l->block_stride || unit == lanes) && l->pixel == unit && l->row == w * unit;
}

/* Plain: every channel a plane. Few of them are put together while rows are copied. */
static bool reads_planes(const struct rci_conv_spec *s)
{
    enum { FEW = 4 };
    return (!s->src || rci_md_is_plain(s->src)) && s->geometry->in_channels <= FEW;
}

/* Of one image. */
static int64_t direct_macs(const struct rci_conv_geometry *g)
{
    return g->in_channels * g->out_channels * g->kernel[0] * g->kernel[1] * g->out[0] * g->out[1];
}

/* Geometry, layouts, processor; weights that fit the cache; not Winograd's layers. The source of up
 * to 4 channels may be plain, as images come. */
static bool direct_fits(const struct rci_conv_spec *s)
{
    enum { FEW_PAIRS = 64 * 32, FEW_MACS = 1 << 23 }; /* of channels; oneDNN does much work well */
    const struct rci_conv_geometry *g = s->geometry;
    const struct rci_vector_code *code = rci_vector_code_here(s->cpu, RC_F32);
    struct rci_conv_layout l;
    if (!code || g->groups != 1 || g->dilation[0] != 1 || g->dilation[1] != 1 ||
        g->in_channels * g->out_channels > FEW_PAIRS || direct_macs(g) > FEW_MACS ||
        rci_winograd_kernel.fits(s))
        return false;
    return (reads_planes(s) || is_dense(s->src, g->in[1], g->in_channels, code->lanes, &l)) &&
           is_dense(s->dst, g->out[1], g->out_channels, code->lanes, &l);
}

/* Pixels of a row of inputs that its windows cover, with padding. */
static int64_t direct_covered(const struct rci_conv_geometry *g)
{
    return (g->out[1] - 1) * g->stride[1] + g->kernel[1];
}

/* Rows of inputs for `rows` rows of outputs. */
static int64_t direct_input_rows(const struct rci_conv_geometry *g, int64_t rows)
{
    return (rows - 1) * g->stride[0] + g->kernel[0];
}

static void direct_plan(struct direct *d)
{
    enum { STRIP_BYTES = 32 << 10 };
    const struct rci_conv_geometry *g = &d->g;
    struct rci_direct_job *j = &d->job;
    d->padded = d->planes || d->units > 1 || g->pad_begin[0] || g->pad_begin[1] ||
                direct_covered(g) > g->in[1] || direct_input_rows(g, g->out[0]) > g->in[0];
    j->window = g->kernel[1] * d->unit;
    j->windows = g->kernel[0] * d->units;
    j->step = g->stride[1] * d->unit;
    j->line = (d->padded ? direct_covered(g) : g->in[1]) * d->unit;
    j->out_w = g->out[1];
    if (!d->padded)
        return;
    const int64_t lines = STRIP_BYTES / (j->line * d->units * (int64_t) sizeof(float));
    d->strip = lines > g->kernel[0] ? (lines - g->kernel[0]) / g->stride[0] + 1 : 1;
    d->per_thread = (size_t) (direct_input_rows(g, d->strip) * j->line * d->units);
}

static rc_status direct_create(void **out, struct rc_context *c, const struct rci_conv_spec *s)
{
    *out = NULL;
    if (!direct_fits(s))
        return rci_fail(RC_ERR_UNSUPPORTED, "no direct kernel for this convolution");
    struct direct *d = RC_NEW(c, struct direct);
    if (!d)
        return RC_ERR_MEMORY;
    d->g = *s->geometry;
    d->code = rci_vector_code_here(s->cpu, RC_F32);
    is_dense(s->dst, d->g.out[1], d->g.out_channels, d->code->lanes, &d->job.dst);
    d->out = rci_vector_runs(d->code, 0, d->job.dst.channels);
    d->threads = s->threads ? s->threads : 1;
    d->job.sum = s->sum;
    d->job.relu = s->relu;
    d->planes = reads_planes(s);
    d->unit = d->g.in_channels;
    d->units = 1;
    if (!d->planes && is_dense(s->src, d->g.in[1], d->g.in_channels, d->code->lanes, &d->src) &&
        d->src.block_stride) {
        d->unit = d->src.pixel;
        d->units = d->src.channels / d->unit;
    }
    direct_plan(d);
    *out = d;
    return RC_OK;
}

static size_t direct_scratch(const void *state)
{
    const struct direct *d = state;
    return d->threads * d->per_thread * sizeof(float);
}

static const char *direct_text(const void *state)
{
    return ((const struct direct *) state)->code->direct;
}

static bool direct_planes(const void *state)
{
    return ((const struct direct *) state)->planes;
}

static size_t direct_bias_bytes(const void *state)
{
    const struct direct *d = state;
    return (size_t) rci_vector_runs_end(&d->out) * sizeof(float);
}

static size_t direct_weights_bytes(const void *state)
{
    const struct direct *d = state;
    return direct_bias_bytes(d) * (size_t) (d->job.windows * d->job.window);
}

/* A vector of output channels from `first` on: [kh][units][kw][unit][lanes]. */
static void direct_pack_vector(const struct direct *d, int64_t first, int64_t lanes,
                               const float *plain, float *packed)
{
    const struct rci_conv_geometry *g = &d->g;
    const int64_t taps = g->kernel[0] * g->kernel[1], in = g->in_channels;
    for (int64_t x = 0; x < d->job.windows * d->job.window; x++) {
        const int64_t row = x / d->job.window, tap = x % d->job.window / d->unit;
        const int64_t i = row % d->units * d->unit + x % d->unit;
        const int64_t t = row / d->units * g->kernel[1] + tap;
        for (int64_t o = first; o < first + lanes; o++)
            packed[x * lanes + o - first] =
                o < g->out_channels && i < in ? plain[(o * in + i) * taps + t] : 0.0f;
    }
}

static void direct_pack_weights(const void *state, const void *plain, void *packed)
{
    const struct direct *d = state;
    const int64_t each = d->job.windows * d->job.window;
    for (int x = 0; x < d->out.count; x++) {
        const struct rci_vector_run *r = &d->out.run[x];
        for (int64_t o = r->first; o < r->end; o += r->code->lanes)
            direct_pack_vector(d, o, r->code->lanes, plain, (float *) packed + o * each);
    }
}

static void direct_pack_bias(const void *state, const void *plain, void *packed)
{
    const struct direct *d = state;
    rci_vector_pack_bias(plain, d->g.out_channels, packed, direct_bias_bytes(d));
}

/* A row of c planes, `plane` floats apart, channels together; c may be a constant. */
static inline __attribute__((always_inline)) void direct_gather(const float *restrict row,
                                                                int64_t plane, int64_t pixels,
                                                                float *restrict to, const int64_t c)
{
    for (int64_t x = 0; x < pixels; x++)
        for (int64_t i = 0; i < c; i++)
            to[x * c + i] = row[i * plane + x];
}

/* The first pixels of row y of one image, channels together, or of block `unit` of them. */
static void direct_copy_row(const struct direct *d, const float *image, int64_t y, int64_t unit,
                            int64_t pixels, float *to)
{
    const struct rci_conv_geometry *g = &d->g;
    const int64_t c = g->in_channels, w = g->in[1];
    if (!d->planes) {
        memcpy(to, image + unit * d->src.block_stride + y * d->src.row,
               (size_t) (pixels * d->unit) * sizeof(float));
        return;
    }
    const float *row = image + y * w;
    const int64_t plane = g->in[0] * w;
    if (c == 3)
        direct_gather(row, plane, pixels, to, 3);
    else
        direct_gather(row, plane, pixels, to, c);
}

/* Rows from y on of one image, `rows` of them, zeros where the image has none: [rows][units][line].
 */
static void direct_copy_rows(const struct direct *d, const float *image, int64_t y, int64_t rows,
                             float *to)
{
    const struct rci_conv_geometry *g = &d->g;
    const int64_t left = g->pad_begin[1] * d->unit, line = d->job.line;
    const int64_t room = (line - left) / d->unit, pixels = g->in[1] < room ? g->in[1] : room;
    const int64_t right = left + pixels * d->unit;
    for (int64_t end = y + rows; y < end; y++) {
        if (y < 0 || y >= g->in[0]) {
            memset(to, 0, (size_t) (line * d->units) * sizeof(float));
            to += line * d->units;
            continue;
        }
        for (int64_t u = 0; u < d->units; u++, to += line) {
            memset(to, 0, (size_t) left * sizeof(float));
            direct_copy_row(d, image, y, u, pixels, to + left);
            memset(to + right, 0, (size_t) (line - right) * sizeof(float));
        }
    }
}

/* Rows [y, end) of outputs of one image. */
static void direct_run_rows(const struct direct *d, const struct rci_direct_job *j,
                            const struct rci_conv_args *a, int64_t n, int64_t y, int64_t end,
                            float *scratch)
{
    const struct rci_conv_geometry *g = &d->g;
    const int64_t plane = g->in[0] * g->in[1], stride = g->stride[0] * j->line * d->units;
    const float *image =
        (const float *) a->src + n * (d->planes ? plane * g->in_channels : d->src.image);
    float *to = (float *) a->dst + n * j->dst.image + y * j->dst.row;
    while (y < end) {
        const int64_t rows = d->padded && end - y > d->strip ? d->strip : end - y;
        const float *from = image + y * stride;
        if (d->padded) {
            direct_copy_rows(d, image, y * g->stride[0] - g->pad_begin[0],
                             direct_input_rows(g, rows), scratch);
            from = scratch;
        }
        for (int64_t i = 0; i < rows; i++, from += stride, to += j->dst.row)
            for (int x = 0; x < d->out.count; x++)
                d->out.run[x].code->direct_row(j, d->out.run[x].first, d->out.run[x].end, from, to);
        y += rows;
    }
}

/* Each thread has as many rows of all images. */
static void direct_share(const void *state, const struct rci_conv_args *a)
{
    const struct direct *d = state;
    const int64_t out_h = d->g.out[0], all = d->g.batch * out_h, threads = d->threads;
    struct rci_direct_job j = d->job;
    j.weights = a->weights;
    j.bias = a->bias;
#pragma omp for schedule(static) nowait
    for (int64_t t = 0; t < threads; t++) {
        int64_t row = all * t / threads;
        const int64_t last = all * (t + 1) / threads;
        while (row < last) {
            const int64_t n = row / out_h, y = row % out_h;
            const int64_t rows = last - row < out_h - y ? last - row : out_h - y;
            direct_run_rows(d, &j, a, n, y, y + rows,
                            (float *) a->scratch + (size_t) t * d->per_thread);
            row += rows;
        }
    }
}

static void direct_run(const void *state, const struct rci_conv_args *a)
{
#pragma omp parallel num_threads(((const struct direct *) state)->threads)
    direct_share(state, a);
}

/* Ahead of oneDNN's by little where it is: only a measurement tells. */
static bool direct_likely(const struct rci_conv_spec *s)
{
    (void) s;
    return false;
}

/* What is done for each output once is shared by the multiply-adds of its sum. Images in planes:
 * not known. */
static double direct_cost(const struct rci_conv_spec *s, const struct rci_peaks *p)
{
    const struct rci_conv_geometry *g = s->geometry;
    const double depth = rci_conv_taps(g) * (double) g->in_channels;
    const double out = (double) rci_vector_pad(g->out_channels, s->cpu->lanes);
    if (reads_planes(s))
        return 0;
    return rci_cost_macs(s, p, rci_conv_pixels(g) * depth * out * (1 + 41 / depth), 0.90) +
           rci_cost_read(s, p, depth * out * sizeof(float));
}

const struct rci_conv_kernel rci_direct_kernel = {
    .name = "direct",
    .fits = direct_fits,
    .likely = direct_likely,
    .cost = direct_cost,
    .planes = direct_planes,
    .create = direct_create,
    .free = rci_release,
    .text = direct_text,
    .weights_bytes = direct_weights_bytes,
    .bias_bytes = direct_bias_bytes,
    .pack_weights = direct_pack_weights,
    .pack_bias = direct_pack_bias,
    .scratch = direct_scratch,
    .run = direct_run,
    .share = direct_share,
};
