/* Rounding by what layers read: one layer against independent numbers, small networks, and
 * ResNet-20 with few bits. */
#include "nets.h"
#include "quantnets.h"
#include "shared.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "kernel/int8/pairs.h"
#include "quant/quantizer.h"

extern const struct rci_rounding rci_rounding_gptq;

/* tests/golden/rounding.bin, from ../shared/golden/rounding (rounding.py, numpy in double): one
 * layer of 16 outputs, 144 inputs, 256 observations. */
enum { O = 16, D = 144, ROWS = 256 };
struct golden {
    float weight[O * D], patches[ROWS * D];
    double scale[O];
    int8_t gptq[O * D];
};

struct layer {
    struct golden *golden;
    double w[D * O], xx[D * D];
    float scale[O];
    int8_t q[O * D];
};

static struct layer *layer_open(void)
{
    struct layer *l = calloc(1, sizeof(*l));
    struct golden *g = calloc(1, sizeof(*g));
    FILE *f = fopen(source_path("tests/golden/rounding.bin"), "rb");
    assert_non_null(f);
    assert_int_equal(fread(g->weight, sizeof(float), O * D, f), O * D);
    assert_int_equal(fread(g->patches, sizeof(float), ROWS * D, f), ROWS * D);
    assert_int_equal(fread(g->scale, sizeof(double), O, f), O);
    assert_int_equal(fread(g->gptq, 1, O * D, f), O * D);
    fclose(f);
    l->golden = g;
    for (int i = 0; i < D; i++)
        for (int o = 0; o < O; o++)
            l->w[i * O + o] = (double) g->weight[o * D + i];
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < D; i++)
            for (int k = 0; k < D; k++)
                l->xx[i * D + k] +=
                    (double) g->patches[r * D + i] * (double) g->patches[r * D + k] / ROWS;
    for (int o = 0; o < O; o++)
        l->scale[o] = (float) g->scale[o];
    return l;
}

static void layer_close(struct layer *l)
{
    free(l->golden);
    free(l);
}

/* Sum over outputs of the mean squared error. */
static double layer_error(const struct layer *l, const int8_t *q)
{
    double sum = 0;
    for (int o = 0; o < O; o++)
        for (int i = 0; i < D; i++)
            for (int k = 0; k < D; k++) {
                const double a = (double) l->scale[o] * q[o * D + i] - l->w[i * O + o];
                sum +=
                    a * l->xx[i * D + k] * ((double) l->scale[o] * q[o * D + k] - l->w[k * O + o]);
            }
    return sum;
}

static void round_it(struct layer *l, int32_t low, int32_t top,
                     const struct rci_quant_blocks *pairs)
{
    struct rc_context *c = test_context();
    void *params;
    OK(rci_method_params(&params, c, &rci_rounding_gptq.m, "gptq"));
    const struct rci_rounding_job job = {.ctx = c,
                                         .d = D,
                                         .o = O,
                                         .w = l->w,
                                         .xx = l->xx,
                                         .scale = l->scale,
                                         .low = low,
                                         .top = top,
                                         .pairs = pairs,
                                         .q = l->q};
    OK(rci_rounding_gptq.round(params, &job));
    rci_release(params);
    test_context_done(c);
}

static void gptq_gives_the_integers_of_an_independent_program(void **state)
{
    (void) state;
    struct layer *l = layer_open();
    int differ = 0;
    round_it(l, -7, 7, NULL);
    for (int i = 0; i < O * D; i++)
        differ += l->q[i] != l->golden->gptq[i];
    assert_int_equal(differ, 0);
    const double error = layer_error(l, l->q);
    if (fabs(error - 0.23795075) > 1e-6) /* loss_gptq; of the nearest integers 0.84684 */
        fail_msg("squared error %.8f", error);
    layer_close(l);
}

static void gptq_of_eight_bits_is_safe_in_pairs(void **state)
{
    (void) state;
    struct layer *l = layer_open();
    struct rci_quant_blocks blocks;
    const struct rci_shape w = RC_SHAPE(O, D / 9, 3, 3);
    struct rci_rng r = rci_rng_make(3, 0, 0);
    assert_true(rci_quant_blocks_of(&blocks, &w, 0, 1));
    for (int i = 0; i < D * O; i++) /* many large weights */
        l->w[i] = (double) l->scale[i % O] * 7 * (rci_rng_below(&r, 2) ? 0.9 : -0.9);
    for (int o = 0; o < O; o++)
        l->scale[o] *= 7.0f / 127;
    round_it(l, -127, 127, NULL);
    assert_false(rci_pairs_fit(l->q, O, D / 9, 9, D / 9));
    const double free_error = layer_error(l, l->q);
    round_it(l, -127, 127, &blocks);
    assert_true(rci_pairs_fit(l->q, O, D / 9, 9, D / 9));
    for (int i = 0; i < O * D; i++)
        assert_true(l->q[i] >= -127);
    assert_true(layer_error(l, l->q) >= free_error);
    layer_close(l);
}

/* --- networks --- */

static struct rc_graph *rounded(struct rc_context *c, const struct rc_graph *g, const char *how,
                                uint64_t bits, uint64_t flags)
{
    rc_quantizer *q;
    struct rc_graph *out;
    struct source s = {0};
    rc_dataset *d = quant_dataset(c, &s, H, W);
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    o.rounding = how;
    o.weight_bits = bits;
    o.images = IMAGES;
    o.batch = 16;
    o.flags = flags;
    OK(rc_quantizer_new(&q, g, &o));
    OK(rc_quantizer_calibrate(q, d));
    OK(rc_quantizer_apply(&out, q));
    rc_quantizer_free(&q);
    rc_dataset_free(&d);
    return out;
}

static double error_on_images(const struct rc_graph *g, const struct rc_graph *q)
{
    enum { N = 32 };
    float *x = malloc((size_t) N * PIXELS * sizeof(float)), y[2][N * 5];
    for (int i = 0; i < N; i++)
        fill_random(x + (size_t) i * PIXELS, PIXELS, (uint64_t) (1000 + i));
    quant_run(g, N, x, y[0], 0);
    quant_run(q, N, x, y[1], 0);
    free(x);
    double sum = 0;
    for (int i = 0; i < N * 5; i++)
        sum += (double) (y[0][i] - y[1][i]) * (double) (y[0][i] - y[1][i]);
    return sum;
}

static void outputs_come_closer_to_the_float_ones(void **state)
{
    (void) state;
    double nearest = 0, gptq = 0, plus = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct rc_context *c = test_context();
        struct rc_graph *g = net_random(c, seed, NET_ALL);
        struct rc_graph *a = rounded(c, g, "nearest", 3, 0), *b = rounded(c, g, "gptq", 3, 0);
        struct rc_graph *p = rounded(c, g, "gptq+", 3, 0);
        OK(rci_graph_verify(p));
        nearest += log(error_on_images(g, a));
        gptq += log(error_on_images(g, b));
        plus += log(error_on_images(g, p));
        rc_graph_free(&a);
        rc_graph_free(&b);
        rc_graph_free(&p);
        rc_graph_free(&g);
        test_context_done(c);
    }
    print_message("mean logarithm of the squared error: nearest %.2f, gptq %.2f, gptq+ %.2f\n",
                  nearest / 6, gptq / 6, plus / 6);
    assert_true(gptq < nearest - 6 * 0.3);
    assert_true(plus < nearest - 6 * 0.3);
}

static void every_form_of_the_graph_takes_rounded_weights(void **state)
{
    (void) state;
    static const uint64_t forms[] = {0,
                                     RC_QUANTIZE_PER_TENSOR,
                                     RC_QUANTIZE_FLOAT_BIAS,
                                     RC_QUANTIZE_FULL_RANGE,
                                     RC_QUANTIZE_REDUCE_RANGE,
                                     RC_QUANTIZE_SAME_EDGES,
                                     RC_QUANTIZE_IN_ORDER};
    for (size_t k = 0; k < sizeof(forms) / sizeof(*forms); k++) {
        struct rc_context *c = test_context();
        struct rc_graph *g = net_random(c, 3, NET_RESIDUAL | NET_POOL);
        struct rc_graph *q = rounded(c, g, "gptq+", 8, forms[k]);
        quant_check_values(g, q, PIXELS, 0.15);
        rc_graph_free(&q);
        rc_graph_free(&g);
        test_context_done(c);
    }
}

static void same_images_give_the_same_integers(void **state)
{
    (void) state;
    float x[PIXELS], y[2][5];
    fill_random(x, PIXELS, 9);
    for (int k = 0; k < 2; k++) {
        struct rc_context *c = test_context();
        struct rc_graph *g = net_random(c, 4, NET_ALL), *q = rounded(c, g, "gptq+", 4, 0);
        quant_run(q, 1, x, y[k], 0);
        rc_graph_free(&q);
        rc_graph_free(&g);
        test_context_done(c);
    }
    assert_memory_equal(y[0], y[1], sizeof(y[0]));
}

static void what_does_not_fit_is_refused(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = net_random(c, 2, NET_RESIDUAL);
    rc_quantizer *q;
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    o.rounding = "up";
    REFUSED(rc_quantizer_new(&q, g, &o), RC_ERR_ARG, "up");
    o.rounding = "gptq+:ridge=0";
    REFUSED(rc_quantizer_new(&q, g, &o), RC_ERR_ARG, "ridge");
    o.rounding = "gptq";
    o.flags = RC_QUANTIZE_QAT;
    REFUSED(rc_quantizer_new(&q, g, &o), RC_ERR_ARG, "RC_QUANTIZE_QAT");
    rc_graph_free(&g);
    test_context_done(c);
}

/* Loss on five hundred held-out training images, of which none was calibrated on. */
static void resnet20_of_few_bits_keeps_its_answers(void **state)
{
    (void) state;
    const char *model = shared_path("models/resnet20-cifar10.onnx"), *folder = shared_cifar10();
    if (!model || !folder)
        skip();
    struct rc_context *c = test_context();
    rc_graph *g, *out;
    rc_dataset *train, *calib;
    rc_dataset_options data = RC_DATASET_OPTIONS_INIT;
    char spec[1100];
    const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    snprintf(spec, sizeof(spec), "cifar10:%s", folder);
    memcpy(data.mean, mean, sizeof(mean));
    memcpy(data.std, std, sizeof(std));
    data.holdout = 1;
    OK(rc_dataset_open(&train, c, spec, &data));
    data.split = "calib";
    OK(rc_dataset_open(&calib, c, spec, &data));
    OK(rc_graph_load(&g, c, model));
    double loss[4];
    for (int i = 0; i < 4; i++) {
        rc_quantizer *q;
        rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
        rc_evaluate_options e = RC_EVALUATE_OPTIONS_INIT;
        rc_evaluate_result r = RC_EVALUATE_RESULT_INIT;
        e.images = 500;
        o.images = 128;
        o.weight_bits = i / 2 ? 3 : 4;
        o.rounding = i % 2 ? "gptq+" : "nearest";
        OK(rc_quantizer_new(&q, g, &o));
        OK(rc_quantizer_calibrate(q, train));
        OK(rc_quantizer_apply(&out, q));
        OK(rc_evaluate(out, calib, &e, &r));
        loss[i] = r.loss;
        rc_graph_free(&out);
        rc_quantizer_free(&q);
    }
    print_message("loss of W4A8: nearest %.4f, gptq+ %.4f; of W3A8: %.4f, %.4f\n", loss[0], loss[1],
                  loss[2], loss[3]);
    assert_true(loss[1] < 0.02 && loss[1] < 0.8 * loss[0]); /* float: 0.0096 */
    assert_true(loss[3] < 0.06 && loss[3] < 0.5 * loss[2]);
    rc_graph_free(&g);
    rc_dataset_free(&train);
    rc_dataset_free(&calib);
    test_context_done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gptq_gives_the_integers_of_an_independent_program),
        cmocka_unit_test(gptq_of_eight_bits_is_safe_in_pairs),
        cmocka_unit_test(outputs_come_closer_to_the_float_ones),
        cmocka_unit_test(every_form_of_the_graph_takes_rounded_weights),
        cmocka_unit_test(same_images_give_the_same_integers),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(resnet20_of_few_bits_keeps_its_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
