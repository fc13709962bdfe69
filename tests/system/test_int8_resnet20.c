/* ResNet-20 on CIFAR-10, from float file to integers: accuracy, onnxruntime's ranges, and the same
 * results as the simulation. Needs ../shared and CIFAR-10. */
#include "base/json.h"
#include "shared.h"
#include "test.h"

#include <math.h>
#include <rescomp/rescomp.h>
#include <stdlib.h>

#include "graph/graph.h"

enum { TEST_IMAGES = 2000, PIXELS = 3 * 32 * 32, CLASSES = 10, BATCH = 100 };

static struct rc_context *ctx;
static rc_dataset *train, *test;
static rc_graph *graph;

static rc_dataset *open_split(const char *split)
{
    char spec[1100];
    rc_dataset *d;
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    o.split = split;
    snprintf(spec, sizeof(spec), "cifar10:%s", shared_cifar10());
    OK(rc_dataset_open(&d, ctx, spec, &o));
    return d;
}

static int setup(void **state)
{
    (void) state;
    const char *model = shared_path("models/resnet20-cifar10-folded.onnx");
    if (!model || !shared_cifar10())
        return 0;
    ctx = test_context();
    OK(rc_graph_load(&graph, ctx, model));
    train = open_split("train");
    test = open_split("test");
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    if (!ctx)
        return 0;
    rc_dataset_free(&train);
    rc_dataset_free(&test);
    rc_graph_free(&graph);
    test_context_done(ctx);
    return 0;
}

static rc_quantizer *calibrated(const char *observer, uint64_t images, uint64_t flags)
{
    rc_quantizer *q;
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    o.observer = observer;
    o.images = images;
    o.flags = flags;
    OK(rc_quantizer_new(&q, graph, &o));
    OK(rc_quantizer_calibrate(q, train));
    return q;
}

static int64_t largest(const float *y)
{
    int64_t best = 0;
    for (int64_t k = 1; k < CLASSES; k++)
        if (y[k] > y[best])
            best = k;
    return best;
}

/* Percent right on the first images of the test set; logits too. */
static double top1(const rc_graph *g, uint64_t images, uint64_t flags, float *logits)
{
    rc_session *s;
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    o.batch = BATCH;
    o.flags = flags;
    float *x = malloc(BATCH * PIXELS * sizeof(float));
    int32_t label[BATCH];
    int64_t right = 0;
    OK(rc_session_new(&s, g, &o));
    for (uint64_t first = 0; first < images; first += BATCH) {
        const uint64_t n = images - first < BATCH ? images - first : BATCH;
        float *y = logits + first * CLASSES;
        OK(rc_dataset_read(test, first, n, x, label));
        OK(rc_session_run(s, n, (const float *const[]){x}, (float *const[]){y}));
        for (uint64_t i = 0; i < n; i++)
            right += largest(y + i * CLASSES) == label[i];
    }
    rc_session_free(&s);
    free(x);
    return 100.0 * (double) right / (double) images;
}

static void int8_loses_at_most_three_tenths(void **state)
{
    (void) state;
    if (!ctx)
        skip();
    float *a = malloc(2 * TEST_IMAGES * CLASSES * sizeof(float)), *b = a + TEST_IMAGES * CLASSES;
    rc_quantizer *q = calibrated("mse", 256, 0);
    rc_graph *integers;
    OK(rc_quantizer_apply(&integers, q));
    const double real = top1(graph, TEST_IMAGES, 0, a);
    const double integer = top1(integers, TEST_IMAGES, 0, b);
    if (integer < real - 0.3)
        fail_msg("int8 %.2f %%, float %.2f %%", integer, real);
    rc_graph_info before = RC_GRAPH_INFO_INIT, after = RC_GRAPH_INFO_INIT;
    OK(rc_graph_get_info(graph, &before));
    OK(rc_graph_get_info(integers, &after));
    if (after.weight_bytes * 3.5 > before.weight_bytes)
        fail_msg("%d bytes of weights, were %d", (int) after.weight_bytes,
                 (int) before.weight_bytes);
    rc_graph_free(&integers);
    rc_quantizer_free(&q);
    free(a);
}

static void integers_decide_as_the_simulation_does(void **state)
{
    (void) state;
    enum { SOME = 60 };
    if (!ctx)
        skip();
    float a[SOME * CLASSES], b[SOME * CLASSES];
    rc_quantizer *q = calibrated("minmax", 64, RC_QUANTIZE_NO_BIAS_CORRECTION);
    rc_graph *integers;
    OK(rc_quantizer_apply(&integers, q));
    top1(integers, SOME, RC_SESSION_REFERENCE, a);
    top1(integers, SOME, 0, b);
    double sum = 0, size = 0;
    for (int i = 0; i < SOME; i++)
        if (largest(a + i * CLASSES) != largest(b + i * CLASSES))
            fail_msg("image %d: another class", i);
    for (int i = 0; i < SOME * CLASSES; i++) {
        sum += fabs((double) a[i] - (double) b[i]);
        size += fabs((double) a[i]);
    }
    if (!(sum < 0.005 * size)) /* rounding ties only */
        fail_msg("logits differ by %g of their size", sum / size);
    rc_graph_free(&integers);
    rc_quantizer_free(&q);
}

/* A value of onnxruntime's table: asymmetric u8, scale = (max - min) / 255. */
static void check_range(const rc_quantize_entry_info *e, const struct rci_json_value *tensors)
{
    const struct rci_json_value *t = rci_json_get(tensors, e->name);
    if (!t)
        return; /* passes over a node that onnxruntime quantizes in another place */
    const double scale = rci_json_at(rci_json_get(t, "scale"), 0)->number;
    const double low = fmin(e->low, 0), high = fmax(e->high, 0);
    if (fabs((high - low) / 255 / scale - 1) > 1e-4)
        fail_msg("%s: range %g..%g, expected a step of %g", e->name, low, high, scale);
    const double zero = rci_json_at(rci_json_get(t, "zero_point"), 0)->number;
    assert_true(fabs(rint(-low / scale) - zero) <= 1);
    assert_true((zero == 0) == !e->is_signed);
}

static void check_weight(const rc_graph *q, const struct rci_json_value *t)
{
    char name[256];
    const float *scale;
    int64_t dims[8];
    uint64_t rank;
    snprintf(name, sizeof(name), "%s_scale", t->key);
    OK(rc_graph_get_weight(q, name, &scale, dims, &rank));
    assert_non_null(scale);
    for (uint32_t o = 0; o < rci_json_get(t, "scale")->count; o++) {
        const double want = rci_json_at(rci_json_get(t, "scale"), o)->number;
        if (fabs((double) scale[o] / want - 1) > 1e-4)
            fail_msg("%s: scale %u is %g, expected %g", t->key, o, (double) scale[o], want);
    }
}

static void ranges_and_weight_scales_equal_onnxruntime(void **state)
{
    (void) state;
    const char *path = shared_path("golden/quant/ort_static.json");
    if (!ctx || !path)
        skip();
    struct rci_json *j;
    OK(rci_json_load(&j, ctx, path));
    const struct rci_json_value *runs = rci_json_get(rci_json_root(j), "runs");
    const struct rci_json_value *tensors = rci_json_get(rci_json_get(runs, "minmax"), "tensors");
    /* of full range, as onnxruntime's: ours may choose scales that keep pairs of weights safe */
    rc_quantizer *q =
        calibrated("minmax", 256,
                   RC_QUANTIZE_IN_ORDER | RC_QUANTIZE_NO_BIAS_CORRECTION | RC_QUANTIZE_FULL_RANGE);
    rc_graph *integers;
    OK(rc_quantizer_apply(&integers, q));
    uint32_t weights = 0;
    for (uint64_t i = 0; i < rc_quantizer_count_entries(q); i++) {
        rc_quantize_entry_info e = RC_QUANTIZE_ENTRY_INFO_INIT;
        OK(rc_quantizer_get_entry(q, i, &e));
        check_range(&e, tensors);
    }
    for (const struct rci_json_value *t = tensors->first; t; t = t->next)
        if (rci_json_get(t, "type")->text && !strcmp(rci_json_get(t, "type")->text, "int8")) {
            check_weight(integers, t);
            weights++;
        }
    assert_int_equal(weights, 20);
    rc_graph_free(&integers);
    rc_quantizer_free(&q);
    rci_json_free(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8_loses_at_most_three_tenths),
        cmocka_unit_test(integers_decide_as_the_simulation_does),
        cmocka_unit_test(ranges_and_weight_scales_equal_onnxruntime),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
