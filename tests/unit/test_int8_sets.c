/* Every set of integer vector code that this processor can run, one by one, whatever it would
 * choose: sums bit for bit against plain loops, with activations of 255 and weights at the bounds
 * of what is exact. AVX-VNNI's source runs everywhere through an emulated product. */
#include "convscene.h"
#include "emulated.h"

#include <stdlib.h>

#include "base/rng.h"
#include "kernel/int8/pairs.h"
#include "kernel/int8/qkernel.h"

struct layer {
    struct rci_conv_geometry g;
    enum rci_dtype src;
    int8_t *w;
    uint8_t *x;
    float *scale, *bias, *y;
    int64_t n_w, n_x, n_y;
};

static struct rci_conv_geometry geometry(int64_t in, int64_t out, int64_t k, int64_t stride)
{
    struct rci_conv_geometry g = {.batch = 2, .in_channels = in, .out_channels = out, .groups = 1};
    for (int i = 0; i < 2; i++) {
        g.in[i] = 5 + in % 4 + i;
        g.kernel[i] = k;
        g.stride[i] = stride;
        g.dilation[i] = 1;
        g.pad_begin[i] = g.pad_end[i] = k / 2;
        g.out[i] = (g.in[i] + 2 * (k / 2) - k) / stride + 1;
    }
    return g;
}

static void layer_open(struct layer *l, struct rci_conv_geometry g, enum rci_dtype src)
{
    *l = (struct layer){.g = g, .src = src};
    l->n_w = g.out_channels * g.in_channels * g.kernel[0] * g.kernel[1];
    l->n_x = g.batch * g.in_channels * g.in[0] * g.in[1];
    l->n_y = g.batch * g.out_channels * g.out[0] * g.out[1];
    l->w = malloc((size_t) l->n_w);
    l->x = malloc((size_t) l->n_x);
    l->scale = malloc((size_t) g.out_channels * sizeof(float));
    l->bias = calloc((size_t) g.out_channels, sizeof(float));
    l->y = malloc((size_t) l->n_y * sizeof(float));
    for (int64_t o = 0; o < g.out_channels; o++)
        l->scale[o] = 1;
}

static void layer_close(struct layer *l)
{
    free(l->w);
    free(l->x);
    free(l->scale);
    free(l->bias);
    free(l->y);
}

static int random_between(struct rci_rng *r, int low, int high)
{
    return low + (int) rci_rng_below(r, (uint32_t) (high - low + 1));
}

/* Pairs at, and within, the bounds: 128 in all, of one sign or of both; in every order of
 * neighbours, so that an odd channel may stand beside any other. */
static void safe_weights(struct layer *l, struct rci_rng *r)
{
    const struct rci_conv_geometry *g = &l->g;
    const int64_t taps = g->kernel[0] * g->kernel[1], n = g->in_channels * taps;
    for (int64_t o = 0; o < g->out_channels; o++)
        for (int64_t e = 0; e < n; e++) {
            int8_t *w = &l->w[o * n + e % g->in_channels * taps + e / g->in_channels];
            switch (o % 4) {
            case 0: /* positive to the brim */
                *w = g->in_channels % 2 ? 64 : e % 2 ? 1 : 127;
                break;
            case 1:
                *w = g->in_channels % 2 ? -64 : e % 2 ? -128 : 0;
                break;
            case 2: /* one of each sign, both large */
                *w = e % 2 ? -128 : 127;
                *w = g->in_channels % 2 ? (int8_t) (*w / 2) : *w;
                break;
            default:
                *w = (int8_t) random_between(r, -64, 64);
            }
        }
}

static void any_weights(struct layer *l, struct rci_rng *r)
{
    for (int64_t i = 0; i < l->n_w; i++)
        l->w[i] = (int8_t) random_between(r, -128, 127);
}

static void activations(struct layer *l, struct rci_rng *r)
{
    for (int64_t i = 0; i < l->n_x; i++)
        l->x[i] = (uint8_t) (random_between(r, 0, 2) ? l->src == RC_U8 ? 255 : 127
                                                     : random_between(r, 0, 255));
}

static int64_t plain_sum(const struct layer *l, int64_t image, int64_t o, int64_t y, int64_t x)
{
    const struct rci_conv_geometry *g = &l->g;
    int64_t sum = 0;
    for (int64_t p = 0; p < g->kernel[0]; p++)
        for (int64_t q = 0; q < g->kernel[1]; q++)
            for (int64_t c = 0; c < g->in_channels; c++) {
                const int64_t row = y * g->stride[0] + p - g->pad_begin[0];
                const int64_t col = x * g->stride[1] + q - g->pad_begin[1];
                if (row < 0 || row >= g->in[0] || col < 0 || col >= g->in[1])
                    continue;
                const uint8_t v =
                    l->x[((image * g->in[0] + row) * g->in[1] + col) * g->in_channels + c];
                const int8_t w =
                    l->w[((o * g->in_channels + c) * g->kernel[0] + p) * g->kernel[1] + q];
                sum += (l->src == RC_U8 ? (int) v : (int) (int8_t) v) * w;
            }
    return sum;
}

static void check(struct layer *l, const struct rci_qkernel_set *set,
                  const struct rci_conv_kernel *kernel)
{
    const struct rci_conv_geometry *g = &l->g;
    const struct rci_conv_integers integers = {.src = l->src,
                                               .dst = RC_F32,
                                               .weights = l->w,
                                               .scale = l->scale,
                                               .bias = l->bias,
                                               .set = set};
    const struct rci_conv_spec spec = {
        .geometry = g, .threads = 2, .cpu = test_cpu(), .integers = &integers};
    struct rc_context *c;
    void *k;
    OK(rc_context_new(&c, NULL));
    OK(kernel->create(&k, c, &spec));
    scene_run(&(struct scene_run){
        .kernel = kernel, .state = k, .weights = l->w, .src = l->x, .dst = l->y});
    for (int64_t i = 0; i < l->n_y; i++) {
        const int64_t o = i % g->out_channels, pixel = i / g->out_channels;
        const int64_t row = pixel / g->out[1];
        const int64_t sum = plain_sum(l, row / g->out[0], o, row % g->out[0], pixel % g->out[1]);
        if (l->y[i] != (float) sum)
            fail_msg("%s, %lld channels: sum %lld of output %lld is %g", kernel->text(k),
                     (long long) g->in_channels, (long long) sum, (long long) i, (double) l->y[i]);
    }
    kernel->free(k);
    rc_context_free(&c);
}

/* Those of this processor; `pairs`: only for safe weights. */
static int sets(const struct rci_qkernel_set *out[6], bool pairs)
{
    int n = 0;
#if RC_QKERNEL_SETS
    const struct rci_cpu *cpu = test_cpu();
    if (cpu->lanes >= 8) {
        out[n++] = pairs ? &rci_qkernel_avx2_pairs : &rci_qkernel_avx2;
        if (!pairs)
            out[n++] = &rci_qkernel_emulated;
    }
    if (cpu->lanes == 16)
        out[n++] = pairs ? &rci_qkernel_avx512_pairs : &rci_qkernel_avx512;
    if (!pairs && cpu->vnni)
        out[n++] = &rci_qkernel_vnni;
#if RC_QKERNEL_AVX_VNNI
    if (!pairs && cpu->avx_vnni)
        out[n++] = &rci_qkernel_avx_vnni;
#endif
#endif
    return n;
}

static void check_all(int64_t in, int64_t kernel, int64_t stride, bool pairs)
{
    const struct rci_qkernel_set *set[6];
    const int n = sets(set, pairs);
    struct rci_rng r = rci_rng_make(11, (uint64_t) in, (uint64_t) kernel);
    for (int signs = 0; signs < 2; signs++) {
        struct layer l;
        layer_open(&l, geometry(in, 35 - in, kernel, stride), signs ? RC_S8 : RC_U8);
        (pairs ? safe_weights : any_weights)(&l, &r);
        activations(&l, &r);
        for (int i = 0; i < n; i++) {
            check(&l, set[i], &rci_int8_direct_kernel);
            if (kernel == 3 && stride == 1 && !pairs)
                check(&l, set[i], &rci_int8_winograd_kernel);
        }
        layer_close(&l);
    }
}

static void safe_pairs_are_exact_in_bytes(void **state)
{
    (void) state;
    for (int64_t c = 1; c <= 33; c++) {
        check_all(c, 1, 1 + c % 2, true);
        check_all(c, 3, 1 + c % 2, true);
    }
    check_all(3, 7, 2, true);
}

static void any_weights_are_exact_otherwise(void **state)
{
    (void) state;
    for (int64_t c = 1; c <= 33; c++) {
        check_all(c, 1, 1 + c % 2, false);
        check_all(c, 3, 1, false);
        check_all(c, 3, 2, false);
    }
    check_all(3, 7, 2, false);
}

/* The weights decide, not an option. */
static void weights_choose_the_set(void **state)
{
    (void) state;
    const struct rci_cpu *cpu = test_cpu();
    struct layer l;
    struct rci_rng r = rci_rng_make(3, 1, 4);
    if (!rci_qkernel_set_here(cpu) || rci_qkernel_set_here(cpu)->dot8)
        skip();
    layer_open(&l, geometry(8, 20, 3, 1), RC_U8);
    const struct rci_conv_integers integers = {.src = RC_U8, .dst = RC_U8, .weights = l.w};
    const struct rci_conv_spec s = {.geometry = &l.g, .cpu = cpu, .integers = &integers};
    safe_weights(&l, &r);
    assert_true(rci_qkernel_set_for(RC_QKERNEL_DIRECT, &s)->dot8);
    assert_ptr_equal(rci_qkernel_set_for(RC_QKERNEL_WINOGRAD, &s), rci_qkernel_set_here(cpu));
    l.w[0] = 65; /* the pair of input channels 0 and 1 at tap 0 */
    l.w[9] = 64;
    assert_ptr_equal(rci_qkernel_set_for(RC_QKERNEL_DIRECT, &s), rci_qkernel_set_here(cpu));
    layer_close(&l);
}

static void neighbours_depend_on_the_run(void **state)
{
    (void) state;
    /* three channels, 2x2 taps: [channel][tap] */
    int8_t w[12] = {0};
    assert_true(rci_pairs_fit(w, 1, 3, 4, 3));
    w[2 * 4 + 0] = 100; /* channel 2 of tap 0, channel 0 of tap 1 */
    w[0 * 4 + 1] = 29;
    assert_true(rci_pairs_fit(w, 1, 3, 4, 3));
    assert_false(rci_pairs_fit(w, 1, 3, 4, 6));
    assert_false(rci_pairs_fit(w, 1, 3, 4, 12));
    w[0 * 4 + 1] = 28;
    assert_true(rci_pairs_fit(w, 1, 3, 4, 12));
    w[1 * 4 + 3] = -128; /* channels 0 and 1 of tap 3 stand at 9 and 10 of the window */
    w[0 * 4 + 3] = -1;
    assert_false(rci_pairs_fit(w, 1, 3, 4, 3));
    assert_true(rci_pairs_fit(w, 1, 3, 4, 12));
}

static void bounds_are_those_of_16_bits(void **state)
{
    (void) state;
    for (int a = -128; a < 128; a++)
        for (int b = -128; b < 128; b++) {
            int least = 0, most = 0; /* over all activations: each is 0 or 255 */
            for (int k = 1; k < 4; k++) {
                const int sum = (k & 1 ? 255 * a : 0) + (k & 2 ? 255 * b : 0);
                least = sum < least ? sum : least;
                most = sum > most ? sum : most;
            }
            assert_int_equal(rci_pair_fits(a, b), most <= INT16_MAX && least >= INT16_MIN);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safe_pairs_are_exact_in_bytes),
        cmocka_unit_test(any_weights_are_exact_otherwise),
        cmocka_unit_test(weights_choose_the_set),
        cmocka_unit_test(neighbours_depend_on_the_run),
        cmocka_unit_test(bounds_are_those_of_16_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
