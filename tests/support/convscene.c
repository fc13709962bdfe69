#include "convscene.h"
#include "kernel/onednn/onednn.h"
#include "nets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t scene_size(const struct rci_conv_geometry *g, bool out)
{
    return g->batch *
           (out ? g->out_channels * g->out[0] * g->out[1] : g->in_channels * g->in[0] * g->in[1]);
}

float *scene_random(int64_t n, uint64_t seed)
{
    float *x = calloc((size_t) n, sizeof(*x));
    assert_non_null(x);
    fill_random(x, n, seed);
    return x;
}

struct rci_conv_geometry scene_geometry(int64_t c, int64_t k, int64_t h, int64_t w, int64_t kernel,
                                        int64_t stride, int64_t before, int64_t after)
{
    struct rci_conv_geometry g = {.batch = 2,
                                  .in_channels = c,
                                  .out_channels = k,
                                  .groups = 1,
                                  .in = {h, w},
                                  .kernel = {kernel, kernel},
                                  .stride = {stride, stride},
                                  .dilation = {1, 1},
                                  .pad_begin = {before, before},
                                  .pad_end = {after, after}};
    for (int i = 0; i < 2; i++)
        g.out[i] = (g.in[i] + before + after - kernel) / stride + 1;
    return g;
}

void scene_open(struct scene *s, const struct rci_conv_geometry *g)
{
    *s = (struct scene){.ctx = test_context(), .g = *g};
    OK(rci_engine_new(&s->engine, s->ctx));
    const struct rci_shape in = rci_conv_src_shape(g), out = rci_conv_dst_shape(g);
    s->spec = (struct rci_conv_spec){.geometry = &s->g, .threads = 2, .cpu = test_cpu()};
    OK(rci_md_tagged(s->engine, RC_F32, &in, dnnl_nhwc, &s->spec.src));
    OK(rci_md_tagged(s->engine, RC_F32, &out, dnnl_nhwc, &s->spec.dst));
    s->x = scene_random(scene_size(g, false), 1);
    s->weights = scene_random(g->in_channels * g->out_channels * g->kernel[0] * g->kernel[1], 2);
    s->bias = scene_random(g->out_channels, 3);
    s->residual = scene_random(scene_size(g, true), 4);
}

void scene_close(struct scene *s)
{
    free(s->x);
    free(s->weights);
    free(s->bias);
    free(s->residual);
    rci_engine_free(s->engine);
    test_context_done(s->ctx);
}

double scene_want(const struct scene *s, int64_t i)
{
    const struct rci_conv_geometry *g = &s->g;
    const int64_t o = i % g->out_channels, pixel = i / g->out_channels, x = pixel % g->out[1];
    const int64_t y = pixel / g->out[1] % g->out[0], n = pixel / g->out[1] / g->out[0];
    double sum = s->spec.bias ? (double) s->bias[o] : 0;
    for (int64_t ky = 0; ky < g->kernel[0]; ky++)
        for (int64_t kx = 0; kx < g->kernel[1]; kx++) {
            const int64_t sy = y * g->stride[0] + ky * g->dilation[0] - g->pad_begin[0];
            const int64_t sx = x * g->stride[1] + kx * g->dilation[1] - g->pad_begin[1];
            if (sy < 0 || sy >= g->in[0] || sx < 0 || sx >= g->in[1])
                continue;
            const float *from = s->x + ((n * g->in[0] + sy) * g->in[1] + sx) * g->in_channels;
            const float *w = s->weights + o * g->in_channels * g->kernel[0] * g->kernel[1] +
                             ky * g->kernel[1] + kx;
            for (int64_t c = 0; c < g->in_channels; c++)
                sum += (double) from[c] * (double) w[c * g->kernel[0] * g->kernel[1]];
        }
    sum += s->spec.sum ? (double) s->residual[i] : 0;
    return s->spec.relu && sum < 0 ? 0 : sum;
}

void scene_compare(const struct scene *s, const float *got)
{
    double error = 0, largest = 1;
    for (int64_t i = 0; i < scene_size(&s->g, true); i++) {
        error = fmax(error, fabs((double) got[i] - scene_want(s, i)));
        largest = fmax(largest, fabs(scene_want(s, i)));
    }
    if (!(error <= 3e-6 * largest))
        fail_msg("%d -> %d channels, %dx%d by %d: error %g of %g", (int) s->g.in_channels,
                 (int) s->g.out_channels, (int) s->g.kernel[0], (int) s->g.kernel[1],
                 (int) s->g.stride[0], error, largest);
}

/* Integer kernels want cache lines, as sessions give them. */
static void *scene_memory(const struct rci_conv_kernel *k, size_t bytes)
{
    return k->integers ? aligned_alloc(64, (bytes + 63) / 64 * 64) : malloc(bytes);
}

void scene_run(const struct scene_run *r)
{
    const struct rci_conv_kernel *k = r->kernel;
    void *weights = scene_memory(k, k->weights_bytes(r->state));
    float *bias = r->bias ? malloc(k->bias_bytes(r->state)) : NULL;
    void *scratch = scene_memory(k, k->scratch(r->state));
    k->pack_weights(r->state, r->weights, weights);
    if (bias)
        k->pack_bias(r->state, r->bias, bias);
    k->run(r->state, &(struct rci_conv_args){r->src, weights, bias, r->dst, scratch});
    free(weights);
    free(bias);
    free(scratch);
}

void scene_run_kernel(const struct scene *s, const struct rci_conv_kernel *k, const void *src,
                      void *dst)
{
    void *state;
    OK(k->create(&state, s->ctx, &s->spec));
    scene_run(&(struct scene_run){k, state, s->weights, s->spec.bias ? s->bias : NULL, src, dst});
    k->free(state);
}

/* Where element i of an activation that is stored channels last lies in a layout. */
static int64_t scene_place(const struct rci_conv_layout *l, int64_t i, int64_t channels, int64_t h,
                           int64_t w)
{
    const int64_t c = i % channels, x = i / channels % w, y = i / channels / w % h;
    return i / channels / w / h * l->image + rci_conv_channel(l, c) + y * l->row + x * l->pixel;
}

/* To the layout of `md`, from channels last, or back. Memory from malloc, zeros in the padding. */
static float *scene_moved(const float *from, const struct rci_md *md,
                          const struct rci_conv_geometry *g, bool out, bool back)
{
    const int64_t n = scene_size(g, out), channels = out ? g->out_channels : g->in_channels;
    const int64_t h = out ? g->out[0] : g->in[0], w = out ? g->out[1] : g->in[1];
    struct rci_conv_layout l;
    float *to = calloc(1, back ? (size_t) n * sizeof(float) : rci_md_bytes(md));
    assert_non_null(to);
    if (rci_md_is_plain(md)) /* blocks of one channel */
        l = (struct rci_conv_layout){
            .image = channels * h * w, .block_stride = h * w, .row = w, .pixel = 1};
    else
        assert_true(rci_conv_layout_of(md, &l));
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = scene_place(&l, i, channels, h, w);
        to[back ? i : at] = from[back ? at : i];
    }
    return to;
}

float *scene_output(const struct scene *s, const struct rci_conv_kernel *k)
{
    float *src = scene_moved(s->x, s->spec.src, &s->g, false, false);
    float *dst = scene_moved(s->residual, s->spec.dst, &s->g, true, false);
    scene_run_kernel(s, k, src, dst);
    float *got = scene_moved(dst, s->spec.dst, &s->g, true, true);
    free(src);
    free(dst);
    return got;
}

void scene_in_blocks(struct scene *s)
{
    const dnnl_format_tag_t tag = scene_lanes() == 16 ? dnnl_nChw16c : dnnl_nChw8c;
    const struct rci_shape in = rci_conv_src_shape(&s->g), out = rci_conv_dst_shape(&s->g);
    OK(rci_md_tagged(s->engine, RC_F32, &in, tag, &s->spec.src));
    OK(rci_md_tagged(s->engine, RC_F32, &out, tag, &s->spec.dst));
}

int scene_lanes(void)
{
    const int n = test_cpu()->lanes;
    if (!n)
        skip();
    return n;
}
