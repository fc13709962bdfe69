/* Winograd's kernels against direct sums in double, forward and backward: channels 1 to 33 in
 * blocks and whole, odd sizes, what is fused. */
#include "convscene.h"
#include "kernel/onednn/onednn.h"
#include "kernel/winograd/winograd.h"
#include "nets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct blocks {
    struct rci_engine *engine;
    struct rc_context *ctx;
    struct rci_conv_geometry g;
    const struct rci_md *src, *dst, *plain_src, *plain_dst;
    float *x, *weights, *bias, *residual; /* plain */
    float *in, *out, *got;
    double *want;
};

static int64_t elements(const struct rci_md *md)
{
    return (int64_t) ((rci_md_bytes(md) + sizeof(float) - 1) / sizeof(float));
}

static float *random_array(int64_t n, uint64_t seed)
{
    float *x = calloc((size_t) n, sizeof(*x));
    assert_non_null(x);
    fill_random(x, n, seed);
    return x;
}

static void move(struct blocks *s, const struct rci_md *from, const struct rci_md *to,
                 const float *x, float *y)
{
    struct rci_reorder *r;
    OK(rci_reorder_new(&r, s->engine, from, to));
    void *scratch = malloc(rci_reorder_scratch(r) + 64);
    OK(rci_reorder_run(r, x, y, scratch));
    free(scratch);
    rci_reorder_free(r);
}

static void open_typed(struct blocks *s, enum rci_dtype type, int64_t c, int64_t k, int64_t h,
                       int64_t w, dnnl_format_tag_t tag)
{
    enum { BATCH = 2 };
    s->ctx = test_context();
    OK(rci_engine_new(&s->engine, s->ctx));
    s->g = (struct rci_conv_geometry){BATCH,  c,      k,      1,      {h, w}, {h, w},
                                      {3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
    const struct rci_shape in = rci_conv_src_shape(&s->g), out = rci_conv_dst_shape(&s->g);
    OK(rci_md_plain(s->engine, RC_F32, &in, &s->plain_src));
    OK(rci_md_plain(s->engine, RC_F32, &out, &s->plain_dst));
    OK(rci_md_tagged(s->engine, type, &in, tag, &s->src));
    OK(rci_md_tagged(s->engine, type, &out, tag, &s->dst));
    s->x = random_array(BATCH * c * h * w, 1);
    s->weights = random_array(c * k * 9, 2);
    s->bias = random_array(k, 3);
    s->residual = random_array(BATCH * k * h * w, 4);
    s->in = random_array(elements(s->src), 5);
    s->out = random_array(elements(s->dst), 6);
    s->got = random_array(BATCH * k * h * w, 7);
    s->want = calloc((size_t) (BATCH * k * h * w), sizeof(double));
    assert_non_null(s->want);
    move(s, s->plain_src, s->src, s->x, s->in);
}

static void open_scene(struct blocks *s, int64_t c, int64_t k, int64_t h, int64_t w,
                       dnnl_format_tag_t tag)
{
    open_typed(s, RC_F32, c, k, h, w, tag);
}

static void close_scene(struct blocks *s)
{
    free(s->x);
    free(s->weights);
    free(s->bias);
    free(s->residual);
    free(s->in);
    free(s->out);
    free(s->got);
    free(s->want);
    rci_engine_free(s->engine);
    test_context_done(s->ctx);
}

static double pixel(const struct blocks *s, int64_t n, int64_t o, int64_t y, int64_t x)
{
    const int64_t c = s->g.in_channels, h = s->g.in[0], w = s->g.in[1];
    double sum = 0;
    for (int64_t i = 0; i < c; i++)
        for (int64_t t = 0; t < 9; t++) {
            const int64_t sy = y + t / 3 - 1, sx = x + t % 3 - 1;
            if (sy >= 0 && sy < h && sx >= 0 && sx < w)
                sum += (double) s->x[((n * c + i) * h + sy) * w + sx] *
                       (double) s->weights[(o * c + i) * 9 + t];
        }
    return sum;
}

static void expect(struct blocks *s, bool bias, bool sum, bool relu)
{
    const int64_t k = s->g.out_channels, h = s->g.in[0], w = s->g.in[1];
    for (int64_t i = 0; i < s->g.batch * k * h * w; i++) {
        double v = pixel(s, i / w / h / k, i / w / h % k, i / w % h, i % w);
        v += bias ? (double) s->bias[i / w / h % k] : 0;
        v += sum ? (double) s->residual[i] : 0;
        s->want[i] = relu && v < 0 ? 0 : v;
    }
}

static void *kernel(const struct blocks *s, bool bias, bool sum, bool relu, uint32_t threads)
{
    const struct rci_conv_spec spec = {.geometry = &s->g,
                                       .src = s->src,
                                       .dst = s->dst,
                                       .bias = bias,
                                       .sum = sum,
                                       .relu = relu,
                                       .threads = threads,
                                       .cpu = test_cpu()};
    void *w;
    if (!rci_winograd_kernel.fits(&spec))
        return NULL;
    OK(rci_winograd_kernel.create(&w, s->ctx, &spec));
    return w;
}

static void run(struct blocks *s, const void *w, bool bias)
{
    move(s, s->plain_dst, s->dst, s->residual, s->out);
    scene_run(&(struct scene_run){&rci_winograd_kernel, w, s->weights, bias ? s->bias : NULL, s->in,
                                  s->out});
    move(s, s->dst, s->plain_dst, s->out, s->got);
}

struct worst {
    double error, largest, squares, of_squares;
};

static void note(struct worst *w, float got, double want)
{
    const double error = fabs((double) got - want);
    w->error = fmax(w->error, error);
    w->largest = fmax(w->largest, fabs(want));
    w->squares += error * error;
    w->of_squares += want * want;
}

/* In f32 by the largest error, of numbers of which the largest is at least 1; what is rounded to
 * bf16 by the root of the mean square. */
static void close_enough(const struct worst *w, const struct blocks *s, const char *what)
{
    const bool close = s->src->dtype == RC_F32 ? w->error <= 3e-5 * fmax(w->largest, 1)
                                               : w->squares <= 0.02 * 0.02 * w->of_squares;
    if (!close)
        fail_msg("%s, %d -> %d channels, %dx%d: error %g of %g, %g in the mean", what,
                 (int) s->g.in_channels, (int) s->g.out_channels, (int) s->g.in[0],
                 (int) s->g.in[1], w->error, w->largest, sqrt(w->squares / w->of_squares));
}

static void check(struct blocks *s, int fused)
{
    const bool bias = fused & 1, sum = fused & 2, relu = fused & 4;
    const int64_t n = s->g.batch * s->g.out_channels * s->g.in[0] * s->g.in[1];
    void *w = kernel(s, bias, sum, relu, 2);
    assert_non_null(w);
    run(s, w, bias);
    expect(s, bias, sum, relu);
    struct worst worst = {0};
    for (int64_t i = 0; i < n; i++)
        note(&worst, s->got[i], s->want[i]);
    close_enough(&worst, s, "output");
    rci_winograd_kernel.free(w);
}

/* Skips where there is no kernel at all; otherwise the blocked layout of this processor. */
static dnnl_format_tag_t blocked(void)
{
    const int lanes = test_cpu()->lanes;
    if (!lanes)
        skip();
    return lanes == 16 ? dnnl_nChw16c : dnnl_nChw8c;
}

/* Half and whole vectors, empty parts of either. */
static void check_channels(int64_t c, dnnl_format_tag_t tag)
{
    struct blocks s;
    open_scene(&s, c, 34 - c, 5 + c % 4, 4 + c % 7, tag);
    check(&s, (int) (c % 8));
    close_scene(&s);
}

static void any_number_of_channels(void **state)
{
    (void) state;
    const dnnl_format_tag_t tag = blocked();
    for (int64_t c = 1; c <= 33; c++) {
        check_channels(c, tag);
        if (c > 1 && c < 33) /* of one channel that is the plain layout */
            check_channels(c, dnnl_nhwc);
    }
}

static void everything_that_can_be_fused(void **state)
{
    (void) state;
    const dnnl_format_tag_t tag = blocked();
    for (int fused = 0; fused < 8; fused++) {
        struct blocks s;
        open_scene(&s, 16, 48, 9, 13, fused % 2 ? dnnl_nhwc : tag);
        check(&s, fused);
        close_scene(&s);
    }
}

static void sizes_from_one_pixel(void **state)
{
    (void) state;
    const dnnl_format_tag_t tag = blocked();
    for (int64_t side = 1; side <= 17; side++) {
        struct blocks s;
        open_scene(&s, 8, 8, side, 18 - side, tag);
        check(&s, 7);
        close_scene(&s);
    }
}

/* Tiles of 2x2. */
static void few_tiles_and_many_weights(void **state)
{
    (void) state;
    const dnnl_format_tag_t tags[2] = {blocked(), dnnl_nhwc};
    const int64_t size[4][2] = {{7, 7}, {1, 9}, {14, 3}, {4, 6}};
    for (int i = 0; i < 8; i++) {
        struct blocks s;
        open_scene(&s, 90 + i, 96 - i, size[i % 4][0], size[i % 4][1], tags[i / 4]);
        const struct rci_conv_spec spec = {
            .geometry = &s.g, .src = s.src, .dst = s.dst, .threads = 2, .cpu = test_cpu()};
        assert_true(rci_winograd_small(&spec));
        check(&s, i);
        struct rci_winograd_grad *g;
        assert_int_equal(rci_winograd_grad_new(&g, s.ctx, &spec), RC_ERR_UNSUPPORTED);
        assert_null(g);
        close_scene(&s);
    }
}

static void compare_threads(int64_t c, int64_t k, int64_t side, dnnl_format_tag_t tag)
{
    struct blocks s;
    open_scene(&s, c, k, side, side, tag);
    const size_t bytes = rci_md_bytes(s.dst);
    float *first = malloc(bytes);
    for (uint32_t threads = 1; threads <= 5; threads++) {
        void *w = kernel(&s, true, true, true, threads);
        assert_non_null(w);
        run(&s, w, true);
        if (threads == 1)
            memcpy(first, s.out, bytes);
        assert_memory_equal(first, s.out, bytes);
        rci_winograd_kernel.free(w);
    }
    free(first);
    close_scene(&s);
}

static void threads_do_not_change_a_bit(void **state)
{
    (void) state;
    const dnnl_format_tag_t tags[2] = {blocked(), dnnl_nhwc};
    for (int i = 0; i < 2; i++) {
        compare_threads(40, 24, 14, tags[i]); /* threads divide the tiles */
        compare_threads(64, 96, 7, tags[i]);  /* the output channels */
        compare_threads(33, 45, 7, tags[i]);  /* those, in unequal parts */
        compare_threads(96, 112, 7, tags[i]); /* those, in tiles of 2x2 */
    }
}

/* --- backward: s->x is the source, s->residual the gradient of the destination --- */

static double source_gradient(const struct blocks *s, int64_t n, int64_t i, int64_t y, int64_t x)
{
    const int64_t c = s->g.in_channels, k = s->g.out_channels, h = s->g.in[0], w = s->g.in[1];
    double sum = 0;
    for (int64_t o = 0; o < k; o++)
        for (int64_t t = 0; t < 9; t++) {
            const int64_t dy = y - t / 3 + 1, dx = x - t % 3 + 1;
            if (dy >= 0 && dy < h && dx >= 0 && dx < w)
                sum += (double) s->residual[((n * k + o) * h + dy) * w + dx] *
                       (double) s->weights[(o * c + i) * 9 + t];
        }
    return sum;
}

static double weights_gradient(const struct blocks *s, int64_t o, int64_t i, int64_t t)
{
    const int64_t c = s->g.in_channels, k = s->g.out_channels, h = s->g.in[0], w = s->g.in[1];
    double sum = 0;
    for (int64_t n = 0; n < s->g.batch; n++)
        for (int64_t at = 0; at < h * w; at++) {
            const int64_t y = at / w + t / 3 - 1, x = at % w + t % 3 - 1;
            if (y >= 0 && y < h && x >= 0 && x < w)
                sum += (double) s->residual[(n * k + o) * h * w + at] *
                       (double) s->x[((n * c + i) * h + y) * w + x];
        }
    return sum;
}

static void check_source_gradient(struct blocks *s, const struct rci_conv_spec *spec)
{
    const int64_t c = s->g.in_channels, h = s->g.in[0], w = s->g.in[1];
    const int64_t n = s->g.batch * c * h * w;
    void *kernel;
    OK(rci_winograd_create_data(&kernel, s->ctx, spec));
    float *blocked_gradient = random_array(elements(s->src), 8), *got = random_array(n, 9);
    move(s, s->plain_dst, s->dst, s->residual, s->out);
    scene_run(&(struct scene_run){.kernel = &rci_winograd_kernel,
                                  .state = kernel,
                                  .weights = s->weights,
                                  .src = s->out,
                                  .dst = blocked_gradient});
    move(s, s->src, s->plain_src, blocked_gradient, got);
    struct worst worst = {0};
    for (int64_t i = 0; i < n; i++)
        note(&worst, got[i], source_gradient(s, i / w / h / c, i / w / h % c, i / w % h, i % w));
    close_enough(&worst, s, "source gradient");
    free(blocked_gradient);
    free(got);
    rci_winograd_kernel.free(kernel);
}

static void check_weights_gradient(struct blocks *s, const struct rci_conv_spec *spec)
{
    const int64_t c = s->g.in_channels, k = s->g.out_channels, pixels = s->g.in[0] * s->g.in[1];
    struct rci_winograd_grad *kernel;
    OK(rci_winograd_grad_new(&kernel, s->ctx, spec));
    void *scratch = malloc(rci_winograd_grad_scratch(kernel));
    float *got = random_array(k * c * 9, 8), *bias = random_array(k, 9);
    move(s, s->plain_dst, s->dst, s->residual, s->out);
    rci_winograd_grad_run(
        kernel,
        &(struct rci_winograd_grad_args){
            .src = s->in, .d_dst = s->out, .d_weights = got, .d_bias = bias, .scratch = scratch});
    struct worst worst = {0}, of_bias = {0};
    for (int64_t i = 0; i < k * c * 9; i++)
        note(&worst, got[i], weights_gradient(s, i / 9 / c, i / 9 % c, i % 9));
    for (int64_t o = 0; o < k && spec->bias; o++) {
        double sum = 0;
        for (int64_t i = 0; i < s->g.batch * pixels; i++)
            sum += (double) s->residual[(i / pixels * k + o) * pixels + i % pixels];
        note(&of_bias, bias[o], sum);
    }
    close_enough(&worst, s, "weights gradient");
    close_enough(&of_bias, s, "bias gradient");
    free(scratch);
    free(got);
    free(bias);
    rci_winograd_grad_free(kernel);
}

static void gradients(void **state)
{
    (void) state;
    const dnnl_format_tag_t tags[2] = {blocked(), dnnl_nhwc};
    for (int64_t c = 1; c <= 33; c++)
        for (int i = 0; i < (c > 1 && c < 33 ? 2 : 1); i++) {
            struct blocks s;
            open_scene(&s, c, 34 - c, 3 + c % 7, 3 + c % 5, tags[i]);
            struct rci_conv_spec spec = {.geometry = &s.g,
                                         .src = s.src,
                                         .dst = s.dst,
                                         .threads = 1 + (uint32_t) c % 3,
                                         .cpu = test_cpu()};
            check_source_gradient(&s, &spec);
            spec.bias = true;
            check_weights_gradient(&s, &spec);
            close_scene(&s);
        }
}

/* Both operands are rounded before they are multiplied: 1 % of the result. */
static void in_bf16(void **state)
{
    (void) state;
    if (!rci_cpu_bf16_vectors(test_cpu()))
        skip();
    const dnnl_format_tag_t tags[2] = {dnnl_nChw16c, dnnl_nhwc};
    for (int64_t c = 2; c <= 33; c++)
        for (int i = 0; i < 2; i++) {
            struct blocks s;
            open_typed(&s, RC_BF16, c, 35 - c, 5 + c % 7, 4 + c % 5, tags[i]);
            struct rci_conv_spec spec = {.geometry = &s.g,
                                         .src = s.src,
                                         .dst = s.dst,
                                         .threads = 1 + (uint32_t) c % 3,
                                         .cpu = test_cpu()};
            check(&s, (int) (c % 8));
            check_source_gradient(&s, &spec);
            check_weights_gradient(&s, &spec);
            spec.bias = true;
            assert_false(rci_winograd_grad_fits(&spec));
            close_scene(&s);
        }
}

/* oneDNN's kernels rely on zeros behind the last channel. */
static void channels_behind_the_last_stay_zero(void **state)
{
    (void) state;
    struct blocks s;
    open_scene(&s, 5, 25, 8, 8, blocked());
    void *w = kernel(&s, true, false, true, 1);
    assert_non_null(w);
    run(&s, w, true);
    struct rci_dmd_layout l;
    rci_dmd_layout(rci_md_dnnl(s.dst), &l);
    const int64_t block = l.inner_block[0];
    for (int64_t i = 0; i < elements(s.dst); i++) {
        const int64_t channel = i / l.strides[1] % (l.padded[1] / block) * block + i % block;
        if (channel >= 25)
            assert_true(s.out[i] == 0.0f);
    }
    rci_winograd_kernel.free(w);
    close_scene(&s);
}

static void other_convolutions_are_refused(void **state)
{
    (void) state;
    struct blocks s;
    open_scene(&s, 16, 16, 8, 8, blocked());
    const struct rci_conv_geometry good = s.g;
    for (int i = 0; i < 5; i++) {
        s.g = good;
        if (i == 0)
            s.g.groups = 2;
        if (i == 1)
            s.g.kernel[1] = 1;
        if (i == 2)
            s.g.stride[0] = 2;
        if (i == 3)
            s.g.dilation[1] = 2;
        if (i == 4)
            s.g.pad_begin[0] = 0;
        assert_null(kernel(&s, false, false, false, 1));
    }
    s.g = good;
    s.src = s.plain_src;
    void *w;
    const struct rci_conv_spec spec = {
        .geometry = &s.g, .src = s.src, .dst = s.dst, .threads = 1, .cpu = test_cpu()};
    assert_int_equal(rci_winograd_kernel.create(&w, s.ctx, &spec), RC_ERR_UNSUPPORTED);
    assert_null(w);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_channels),
        cmocka_unit_test(everything_that_can_be_fused),
        cmocka_unit_test(sizes_from_one_pixel),
        cmocka_unit_test(few_tiles_and_many_weights),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(gradients),
        cmocka_unit_test(in_bf16),
        cmocka_unit_test(channels_behind_the_last_stay_zero),
        cmocka_unit_test(other_convolutions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
