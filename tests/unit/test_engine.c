#include "base/compute.h"
#include "kernel/onednn/conv.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rc_context *ctx;
static struct rci_engine *engine;

static int setup(void **state)
{
    (void) state;
    ctx = test_context();
    OK(rci_engine_new(&engine, ctx));
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    rci_engine_free(engine);
    test_context_done(ctx);
    return 0;
}

static void self_test_passes_here(void **state)
{
    (void) state;
    OK(rci_engine_self_test(ctx));
    OK(rci_engine_self_test(ctx));
}

static void equal_descriptors_are_one(void **state)
{
    (void) state;
    const struct rci_shape s = RC_SHAPE(2, 3, 1, 5), scalar = {0};
    const struct rci_md *a, *b, *any, *one;
    char text[64];
    OK(rci_md_plain(engine, RC_F32, &s, &a));
    OK(rci_md_plain(engine, RC_F32, &s, &b));
    OK(rci_md_any(engine, RC_F32, &s, &any));
    OK(rci_md_plain(engine, RC_F32, &scalar, &one));
    assert_ptr_equal(a, b);
    assert_true(rci_md_is_plain(a));
    assert_false(rci_md_equal(a, any));
    assert_int_equal(rci_md_bytes(a), 2 * 3 * 5 * 4);
    assert_int_equal(rci_md_bytes(one), 4);
    assert_string_equal(rci_md_text(a, text), "abcd");
    assert_string_equal(rci_md_text(any, text), "any");
    REFUSED(rci_md_plain(engine, RC_I64, &s, &a), RC_ERR_UNSUPPORTED, "i64");
}

static const struct rci_md *blocked(enum rci_dtype type, const struct rci_shape *s,
                                    dnnl_format_tag_t tag)
{
    const struct rci_md *md;
    OK(rci_md_tagged(engine, type, s, tag, &md));
    return md;
}

static void convert(const struct rci_md *from, const void *a, const struct rci_md *to, void *b)
{
    struct rci_reorder *r;
    OK(rci_reorder_new(&r, engine, from, to));
    void *scratch = rci_alloc(ctx, rci_reorder_scratch(r));
    OK(rci_reorder_run(r, a, b, scratch));
    rci_release(scratch);
    rci_reorder_free(r);
}

static void there_and_back(const struct rci_shape *s, dnnl_format_tag_t tag)
{
    const struct rci_md *plain, *packed = blocked(RC_F32, s, tag);
    OK(rci_md_plain(engine, RC_F32, s, &plain));
    const size_t count = (size_t) rci_shape_count(s);
    float *a = rci_alloc_array(ctx, count, 4), *back = rci_alloc_array(ctx, count, 4);
    void *b = rci_alloc_zero(ctx, rci_md_bytes(packed));
    for (size_t i = 0; i < count; i++)
        a[i] = (float) i + 1;
    convert(plain, a, packed, b);
    convert(packed, b, plain, back);
    assert_memory_equal(a, back, count * 4);
    rci_release(a);
    rci_release(b);
    rci_release(back);
}

static void reorders_keep_channel_tails(void **state)
{
    (void) state;
    char text[64];
    for (int64_t c = 1; c <= 33; c++) {
        const struct rci_shape image = RC_SHAPE(2, c, 3, 5), weights = RC_SHAPE(34 - c, c, 3, 3);
        there_and_back(&image, dnnl_nChw8c);
        there_and_back(&image, dnnl_nChw16c);
        there_and_back(&image, dnnl_nhwc);
        there_and_back(&weights, dnnl_OIhw8i8o);
        there_and_back(&weights, dnnl_OIhw16i16o);
    }
    const struct rci_shape s = RC_SHAPE(2, 20, 3, 5);
    assert_string_equal(rci_md_text(blocked(RC_F32, &s, dnnl_nChw16c), text), "aBcd16b");
    assert_string_equal(rci_md_text(blocked(RC_F32, &s, dnnl_nhwc), text), "acdb");
}

static void reorder_sees_grouped_weights_in_five_axes(void **state)
{
    (void) state;
    const struct rci_shape four = RC_SHAPE(6, 2, 1, 1), five = RC_SHAPE(3, 2, 2, 1, 1);
    const struct rci_shape other = RC_SHAPE(5, 2, 1, 1);
    const struct rci_md *a, *bad;
    OK(rci_md_plain(engine, RC_F32, &four, &a));
    OK(rci_md_plain(engine, RC_F32, &other, &bad));
    const float in[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const struct rci_md *packed = blocked(RC_F32, &five, dnnl_gOIhw4i4o);
    float *b = rci_alloc_zero(ctx, rci_md_bytes(packed)), back[12];
    convert(a, in, packed, b);
    convert(packed, b, a, back);
    assert_memory_equal(in, back, sizeof(in));
    rci_release(b);
    struct rci_reorder *r;
    REFUSED(rci_reorder_new(&r, engine, a, bad), RC_ERR_SHAPE, "12 elements into 10");
}

/* --- integer convolution against doubles --- */
struct int8_case {
    int64_t in, out, groups, side, kernel, stride;
    enum rci_dtype src;
    bool sum, relu, real; /* real: f32 destination */
};

struct int8_data {
    struct rci_conv_geometry g;
    float wei_scale[64], bias[64], *want;
    int32_t *src, *weights, *res;
    void *src_bytes, *weights_bytes, *res_bytes;
};

static double int8_pixel(const struct int8_data *d, const struct int8_case *c, int64_t at)
{
    const int64_t side = d->g.out[0], o = at / (side * side), y = at / side % side, x = at % side;
    const int64_t per = c->in / c->groups, first = o / (c->out / c->groups) * per;
    double acc = 0;
    for (int64_t i = 0; i < per; i++)
        for (int64_t k = 0; k < c->kernel * c->kernel; k++) {
            const int64_t sy = y * c->stride + k / c->kernel - c->kernel / 2;
            const int64_t sx = x * c->stride + k % c->kernel - c->kernel / 2;
            if (sy >= 0 && sy < c->side && sx >= 0 && sx < c->side)
                acc += (double) d->src[((first + i) * c->side + sy) * c->side + sx] *
                       d->weights[(o * per + i) * c->kernel * c->kernel + k];
        }
    double y_real = acc * 0.02 * (double) d->wei_scale[o] + (double) d->bias[o];
    if (c->sum)
        y_real += 0.03 * d->res[at];
    return c->relu ? fmax(y_real, 0) : y_real;
}

static int32_t *make_integers(int64_t n, int lo, int hi, void **bytes)
{
    int32_t *v = rci_alloc_array(ctx, (size_t) n, sizeof(*v));
    uint8_t *b = rci_alloc(ctx, (size_t) n);
    for (int64_t i = 0; i < n; i++) {
        v[i] = lo + rand() % (hi - lo + 1);
        b[i] = (uint8_t) v[i];
    }
    *bytes = b;
    return v;
}

static void *pack(const struct rci_md *md, enum rci_dtype type, const void *plain)
{
    const struct rci_md *from;
    OK(rci_md_plain(engine, type, &md->shape, &from));
    void *p = rci_alloc_zero(ctx, rci_md_bytes(md));
    convert(from, plain, md, p);
    return p;
}

static double int8_error(const struct int8_case *c, struct int8_data *d, float dst_scale)
{
    const enum rci_dtype dst = c->real ? RC_F32 : c->relu ? RC_U8 : RC_S8;
    const struct rci_int8_conv_spec spec = {.geometry = &d->g,
                                            .src = c->src,
                                            .dst = dst,
                                            .bias = d->bias,
                                            .scales = {.src = 0.02f,
                                                       .dst = c->real ? 1 : dst_scale,
                                                       .wei = d->wei_scale,
                                                       .n_wei = c->out,
                                                       .sum = c->sum,
                                                       .res = 0.03f,
                                                       .res_type = RC_U8,
                                                       .relu = c->relu}};
    struct rci_int8_conv *conv;
    OK(rci_int8_conv_new(&conv, engine, &spec));
    OK(rci_prim_new(&conv->prim));
    const int64_t n = c->out * d->g.out[0] * d->g.out[0];
    void *src = pack(conv->src_md, c->src, d->src_bytes);
    void *weights = pack(conv->weights_md, RC_S8, d->weights_bytes);
    void *out = c->sum ? pack(conv->dst_md, dst, d->res_bytes)
                       : rci_alloc_zero(ctx, rci_md_bytes(conv->dst_md));
    void *scratch = rci_alloc(ctx, conv->prim.scratch), *plain = rci_alloc(ctx, (size_t) n * 4);
    OK(rci_int8_conv_run(conv, src, weights, out, scratch));
    const struct rci_md *plain_md;
    OK(rci_md_plain(engine, dst, &conv->dst_md->shape, &plain_md));
    convert(conv->dst_md, out, plain_md, plain);
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        double want = int8_pixel(d, c, i), got;
        if (dst == RC_F32)
            got = (double) ((float *) plain)[i];
        else if (dst == RC_U8)
            want = fmin(want / (double) dst_scale, 255), got = ((uint8_t *) plain)[i];
        else
            want = fmax(fmin(want / (double) dst_scale, 127), -128), got = ((int8_t *) plain)[i];
        worst = fmax(worst, fabs(want - got));
    }
    void *all[] = {src, weights, out, scratch, plain};
    for (int i = 0; i < 5; i++)
        rci_release(all[i]);
    rci_int8_conv_free(conv);
    return worst;
}

static void int8_check(const struct int8_case *c)
{
    const struct rci_cpu *cpu = test_cpu();
    if (!rci_cpu_dot8(cpu) && c->src == RC_S8)
        return; /* saturates without VNNI, documented by oneDNN */
    struct int8_data d = {.g = {.batch = 1,
                                .in_channels = c->in,
                                .out_channels = c->out,
                                .groups = c->groups,
                                .in = {c->side, c->side},
                                .kernel = {c->kernel, c->kernel},
                                .stride = {c->stride, c->stride},
                                .dilation = {1, 1},
                                .pad_begin = {c->kernel / 2, c->kernel / 2},
                                .pad_end = {c->kernel / 2, c->kernel / 2}}};
    d.g.out[0] = d.g.out[1] = (c->side + 2 * (c->kernel / 2) - c->kernel) / c->stride + 1;
    const int bound = c->src == RC_S8 ? 127 : 100; /* seven bits are exact everywhere */
    d.src =
        make_integers(c->in * c->side * c->side, c->src == RC_S8 ? -bound : 0, bound, &d.src_bytes);
    d.weights = make_integers(c->out * c->in / c->groups * c->kernel * c->kernel, -127, 127,
                              &d.weights_bytes);
    d.res = make_integers(c->out * d.g.out[0] * d.g.out[0], 0, 127, &d.res_bytes);
    for (int64_t o = 0; o < c->out; o++) {
        d.wei_scale[o] = 0.001f * (float) (1 + o % 7);
        d.bias[o] = 0.1f * (float) (o % 5 - 2);
    }
    const double worst = int8_error(c, &d, 0.09f);
    if (worst > (c->real ? 1e-3 : 0.51))
        fail_msg("%d->%d groups %d: error %g", (int) c->in, (int) c->out, (int) c->groups, worst);
    void *all[] = {d.src, d.src_bytes, d.weights, d.weights_bytes, d.res, d.res_bytes};
    for (int i = 0; i < 6; i++)
        rci_release(all[i]);
}

static void int8_convolution_matches_doubles(void **state)
{
    (void) state;
    for (int64_t c = 1; c <= 33; c += 4) {
        int8_check(&(struct int8_case){c, 34 - c, 1, 7, 3, 1, RC_U8, true, true, false});
        int8_check(&(struct int8_case){c, c, 1, 6, 1, 2, RC_U8, false, true, false});
        int8_check(&(struct int8_case){c, 13, 1, 5, 3, 2, RC_S8, false, false, false});
        int8_check(&(struct int8_case){c, 10, 1, 1, 1, 1, RC_U8, false, false, true});
    }
    int8_check(&(struct int8_case){16, 16, 16, 9, 3, 1, RC_U8, false, true, false});
    int8_check(&(struct int8_case){12, 24, 3, 9, 3, 1, RC_U8, true, true, false});
    int8_check(&(struct int8_case){3, 16, 1, 32, 7, 2, RC_U8, false, true, false});
}

static void cpu_is_named(void **state)
{
    (void) state;
    const struct rci_cpu *cpu = test_cpu();
    const char *cap = getenv("ONEDNN_MAX_CPU_ISA");
    if (cap && !strcmp(cap, "AVX2"))
        assert_string_equal(cpu->isa, "AVX2");
    if (cap && !strcmp(cap, "SSE41"))
        assert_string_equal(cpu->isa, "SSE4.1");
    assert_true(strlen(cpu->isa) > 0 && strlen(cpu->model) > 0);
    char onednn[RC_ONEDNN_VERSION];
    rci_onednn_version(onednn);
    assert_non_null(strchr(onednn, '.'));
    assert_true(cpu->avx512 || !cpu->bf16);
}

static void forked_child_is_refused(void **state)
{
    (void) state;
    OK(rci_compute_check_fork());
    const pid_t child = fork();
    if (child == 0)
        _exit(rci_compute_check_fork() == RC_ERR_STATE ? 0 : 1);
    int how = 1;
    waitpid(child, &how, 0);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    OK(rci_compute_check_fork());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(self_test_passes_here, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_descriptors_are_one, setup, teardown),
        cmocka_unit_test_setup_teardown(reorders_keep_channel_tails, setup, teardown),
        cmocka_unit_test_setup_teardown(reorder_sees_grouped_weights_in_five_axes, setup, teardown),
        cmocka_unit_test_setup_teardown(int8_convolution_matches_doubles, setup, teardown),
        cmocka_unit_test(cpu_is_named),
        cmocka_unit_test(forked_child_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
