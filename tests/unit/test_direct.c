/* The direct f32 kernel against sums in double: channels, windows, strides, paddings, what is
 * fused. */
#include "kernel/direct/direct.h"
#include "kernel/onednn/onednn.h"
#include "nets.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct scene {
    struct rci_engine *engine;
    struct rc_context *ctx;
    struct rci_conv_geometry g;
    struct rci_conv_spec spec;
    float *x, *weights, *bias, *residual; /* activations channels last, weights plain */
};

static int64_t size_of(const struct rci_conv_geometry *g, bool out)
{
    return g->batch *
           (out ? g->out_channels * g->out[0] * g->out[1] : g->in_channels * g->in[0] * g->in[1]);
}

static float *random_array(int64_t n, uint64_t seed)
{
    float *x = calloc((size_t) n, sizeof(*x));
    assert_non_null(x);
    fill_random(x, n, seed);
    return x;
}

/* 2 images of h x w; pads of `before` and `after` on both axes. */
static struct rci_conv_geometry geometry(int64_t c, int64_t k, int64_t h, int64_t w, int64_t kernel,
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

static void open_scene(struct scene *s, const struct rci_conv_geometry *g)
{
    *s = (struct scene){.ctx = test_context(), .g = *g};
    OK(rci_engine_create(&s->engine, s->ctx));
    const struct rci_shape in = rci_conv_src_shape(g), out = rci_conv_dst_shape(g);
    s->spec = (struct rci_conv_spec){.geometry = &s->g, .threads = 2, .cpu = test_cpu()};
    OK(rci_md_tagged(s->engine, RC_F32, &in, dnnl_nhwc, &s->spec.src));
    OK(rci_md_tagged(s->engine, RC_F32, &out, dnnl_nhwc, &s->spec.dst));
    s->x = random_array(size_of(g, false), 1);
    s->weights = random_array(g->in_channels * g->out_channels * g->kernel[0] * g->kernel[1], 2);
    s->bias = random_array(g->out_channels, 3);
    s->residual = random_array(size_of(g, true), 4);
}

static void close_scene(struct scene *s)
{
    free(s->x);
    free(s->weights);
    free(s->bias);
    free(s->residual);
    rci_engine_destroy(s->engine);
    test_context_done(s->ctx);
}

static double want(const struct scene *s, int64_t i)
{
    const struct rci_conv_geometry *g = &s->g;
    const int64_t o = i % g->out_channels, pixel = i / g->out_channels, x = pixel % g->out[1];
    const int64_t y = pixel / g->out[1] % g->out[0], n = pixel / g->out[1] / g->out[0];
    double sum = s->spec.bias ? (double) s->bias[o] : 0;
    for (int64_t ky = 0; ky < g->kernel[0]; ky++)
        for (int64_t kx = 0; kx < g->kernel[1]; kx++) {
            const int64_t sy = y * g->stride[0] + ky - g->pad_begin[0];
            const int64_t sx = x * g->stride[1] + kx - g->pad_begin[1];
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

/* Exactly as much memory as the kernel asks for: a sanitizer sees what lies behind it. */
static float *run(const struct scene *s)
{
    struct rci_direct *d;
    OK(rci_direct_create(&d, s->ctx, &s->spec));
    float *weights = malloc(rci_direct_weights_bytes(d)), *bias = malloc(rci_direct_bias_bytes(d));
    void *scratch = malloc(rci_direct_scratch(d));
    const size_t bytes = (size_t) size_of(&s->g, true) * sizeof(float);
    float *got = malloc(bytes);
    memcpy(got, s->residual, bytes);
    rci_direct_pack_weights(d, s->weights, weights);
    rci_direct_pack_bias(d, s->bias, bias);
    rci_direct_run(d, &(struct rci_conv_args){.src = s->x,
                                              .weights = weights,
                                              .bias = s->spec.bias ? bias : NULL,
                                              .dst = got,
                                              .scratch = scratch});
    free(weights);
    free(bias);
    free(scratch);
    rci_direct_destroy(d);
    return got;
}

static void compare(struct scene *s)
{
    float *got = run(s);
    double error = 0, largest = 1;
    for (int64_t i = 0; i < size_of(&s->g, true); i++) {
        error = fmax(error, fabs((double) got[i] - want(s, i)));
        largest = fmax(largest, fabs(want(s, i)));
    }
    if (!(error <= 3e-6 * largest))
        fail_msg("%d -> %d channels, %dx%d by %d: error %g of %g", (int) s->g.in_channels,
                 (int) s->g.out_channels, (int) s->g.kernel[0], (int) s->g.kernel[1],
                 (int) s->g.stride[0], error, largest);
    free(got);
}

static int lanes(void)
{
    const int n = test_cpu()->lanes;
    if (!n)
        skip();
    return n;
}

static void check(const struct rci_conv_geometry *g, int fused)
{
    struct scene s;
    open_scene(&s, g);
    s.spec.bias = fused & 1;
    s.spec.sum = fused & 2;
    s.spec.relu = fused & 4;
    assert_true(rci_direct_fits(&s.spec));
    compare(&s);
    close_scene(&s);
}

static void any_number_of_channels(void **state)
{
    (void) state;
    lanes();
    for (int64_t c = 2; c <= 33; c++) {
        const struct rci_conv_geometry g = geometry(c, 35 - c, 7, 6 + c % 9, 3, 2, 1, 1);
        check(&g, (int) c % 8);
    }
}

static void windows_strides_and_paddings(void **state)
{
    (void) state;
    lanes();
    for (int64_t kernel = 1; kernel <= 7; kernel++)
        for (int64_t stride = 1; stride <= 3; stride++)
            for (int64_t pads = 0; pads < 4; pads++) {
                if (kernel == 3 && stride == 1 && pads == 3) /* Winograd's */
                    continue;
                const struct rci_conv_geometry g =
                    geometry(5, 11, 9, 30, kernel, stride, pads & 1 ? kernel / 2 : 0,
                             pads & 2 ? kernel / 2 : 0);
                check(&g, (int) (kernel + stride) % 8);
            }
}

/* Images as they come: the same sums, bit by bit, as with channels together. */
static void images_in_planes(void **state)
{
    (void) state;
    lanes();
    for (int64_t c = 1; c <= 5; c++) {
        struct scene s;
        const struct rci_conv_geometry g = geometry(c, 16, 9 + c, 20, 3, 1 + c % 2, 1, 1);
        const struct rci_shape in = rci_conv_src_shape(&g);
        const int64_t pixels = g.in[0] * g.in[1];
        open_scene(&s, &g);
        float *together = g.stride[0] > 1 && c < 5 ? run(&s) : NULL; /* else Winograd's layer */
        float *x = s.x, *plain = s.x = random_array(size_of(&g, false), 1);
        for (int64_t i = 0; i < g.batch * pixels * c; i++)
            plain[i / pixels / c * pixels * c + i % c * pixels + i / c % pixels] = x[i];
        OK(rci_md_plain(s.engine, RC_F32, &in, &s.spec.src));
        assert_int_equal(rci_direct_fits(&s.spec), c < 5);
        if (c < 5) {
            float *got = run(&s);
            s.x = x;
            for (int64_t i = 0; i < size_of(&g, true); i++)
                assert_true(fabs((double) got[i] - want(&s, i)) <= 1e-5);
            if (together)
                assert_memory_equal(got, together, (size_t) size_of(&g, true) * sizeof(float));
            free(got);
        }
        s.x = x;
        free(plain);
        free(together);
        close_scene(&s);
    }
}

static void threads_do_not_change_a_bit(void **state)
{
    (void) state;
    lanes();
    struct scene s;
    const struct rci_conv_geometry g = geometry(24, 40, 17, 13, 3, 2, 1, 1);
    open_scene(&s, &g);
    float *first = run(&s);
    for (uint32_t threads = 1; threads <= 7; threads += 2) {
        s.spec.threads = threads;
        float *again = run(&s);
        assert_memory_equal(first, again, (size_t) size_of(&s.g, true) * sizeof(float));
        free(again);
    }
    free(first);
    close_scene(&s);
}

static void other_convolutions_are_refused(void **state)
{
    (void) state;
    lanes();
    struct scene s;
    const struct rci_conv_geometry good = geometry(16, 16, 8, 8, 3, 2, 1, 1);
    open_scene(&s, &good);
    assert_true(rci_direct_fits(&s.spec));
    s.g.groups = 2;
    assert_false(rci_direct_fits(&s.spec));
    s.g = good;
    s.g.dilation[0] = 2;
    assert_false(rci_direct_fits(&s.spec));
    s.g = good;
    s.g.out_channels = 16 * 64;
    assert_false(rci_direct_fits(&s.spec)); /* weights beyond the cache */
    s.g = good;
    s.spec.src = NULL;
    struct rci_direct *d;
    assert_int_equal(rci_direct_create(&d, s.ctx, &s.spec), RC_ERR_UNSUPPORTED);
    assert_null(d);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_channels),
        cmocka_unit_test(windows_strides_and_paddings),
        cmocka_unit_test(images_in_planes),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(other_convolutions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
