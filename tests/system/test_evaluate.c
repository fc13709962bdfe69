/* Evaluation: known answers on a small task, published accuracies on CIFAR-10. */
#include "check.h"
#include "shared.h"
#include "tiny.h"

#include "graph/graph.h"
#include "op/attrs.h"

#include <rescomp/evaluate.h>
#include <stdlib.h>

/* The same by the definition, from a session's outputs. */
static void count_by_hand(rc_graph *g, rc_dataset *d, uint64_t n, double *top1, double *loss)
{
    rc_session_options options = RC_SESSION_OPTIONS_INIT;
    options.batch = n;
    rc_session *s;
    OK(rc_session_new(&s, g, &options));
    float *x = calloc(n, TINY_CHANNELS * TINY_SIDE * TINY_SIDE * sizeof(float));
    float *z = calloc(n, TINY_CLASSES * sizeof(float));
    int32_t *y = calloc(n, sizeof(*y));
    OK(rc_dataset_read(d, 0, n, x, y));
    OK(rc_session_run(s, n, (const float *const[]){x}, (float *const[]){z}));
    *top1 = *loss = 0;
    for (uint64_t i = 0; i < n; i++) {
        double sum = 0;
        int best = 0;
        for (int j = 0; j < TINY_CLASSES; j++) {
            sum += exp(z[i * TINY_CLASSES + j]);
            best = z[i * TINY_CLASSES + j] > z[i * TINY_CLASSES + best] ? j : best;
        }
        *loss += (log(sum) - z[i * TINY_CLASSES + y[i]]) / (double) n;
        *top1 += 100.0 * (best == y[i]) / (double) n;
    }
    free(x);
    free(z);
    free(y);
    rc_session_free(&s);
}

static void evaluation_agrees_with_the_definition_at_every_batch(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    rc_dataset *d = tiny_dataset(c, 75);
    rc_graph *g = tiny_network(c, 0, 3);
    double top1, loss;
    count_by_hand(g, d, 75, &top1, &loss);
    for (uint64_t batch = 1; batch <= 128; batch = batch * 3 + 1) {
        rc_evaluate_options o = RC_EVALUATE_OPTIONS_INIT;
        rc_evaluate_result r = RC_EVALUATE_RESULT_INIT;
        uint64_t confusion[TINY_CLASSES * TINY_CLASSES], sum = 0, right = 0;
        o.batch = batch;
        o.confusion = confusion;
        o.confusion_size = TINY_CLASSES * TINY_CLASSES;
        OK(rc_evaluate(g, d, &o, &r));
        assert_int_equal(r.images, 75);
        assert_near(r.top1, top1, 1e-9);
        assert_near(r.loss, loss, 1e-4);
        assert_near(r.top5, 100, 1e-9); /* only four classes */
        for (int i = 0; i < TINY_CLASSES * TINY_CLASSES; i++)
            sum += confusion[i];
        for (int i = 0; i < TINY_CLASSES; i++)
            right += confusion[i * TINY_CLASSES + i];
        assert_int_equal(sum, 75);
        assert_near((double) right / 75 * 100, top1, 1e-9);
    }
    rc_graph_free(&g);
    rc_dataset_free(&d);
    test_context_done(c);
}

static void evaluation_of_fewer_images_counts_only_them(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    rc_dataset *d = tiny_dataset(c, 75);
    rc_graph *g = tiny_network(c, 0, 3);
    rc_evaluate_options o = RC_EVALUATE_OPTIONS_INIT;
    rc_evaluate_result r = RC_EVALUATE_RESULT_INIT;
    o.images = 10;
    o.batch = 8;
    double top1, loss;
    count_by_hand(g, d, 10, &top1, &loss);
    OK(rc_evaluate(g, d, &o, &r));
    assert_int_equal(r.images, 10);
    assert_near(r.top1, top1, 1e-9);
    rc_graph_free(&g);
    rc_dataset_free(&d);
    test_context_done(c);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    rc_dataset *d = tiny_dataset(c, 16);
    rc_graph *g = tiny_network(c, 7, 3);
    rc_evaluate_options o = RC_EVALUATE_OPTIONS_INIT;
    rc_evaluate_result r = RC_EVALUATE_RESULT_INIT;
    REFUSED(rc_evaluate(g, d, NULL, &r), RC_ERR_SHAPE, "4 classes, the model has 7");
    REFUSED(rc_evaluate(NULL, d, NULL, &r), RC_ERR_ARG, "graph is NULL");
    REFUSED(rc_evaluate(g, NULL, NULL, &r), RC_ERR_ARG, "dataset is NULL");
    REFUSED(rc_evaluate(g, d, NULL, NULL), RC_ERR_ARG, "result is NULL");
    rc_graph_free(&g);
    g = tiny_network(c, 0, 3);
    uint64_t confusion[9];
    o.confusion = confusion;
    o.confusion_size = 9;
    REFUSED(rc_evaluate(g, d, &o, &r), RC_ERR_ARG, "confusion_size is 9, must be 4 x 4");
    const struct rci_tile_attrs twice = {.repeats = {2, 1}, .n = 2, .bound = 1};
    rci_id node;
    OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "Tile"), "twice", &twice, g->outputs, 1, NULL,
                          1));
    OK(rci_graph_set_outputs(g, g->nodes[node].out, 1));
    OK(rci_graph_infer(g));
    REFUSED(rc_evaluate(g, d, NULL, &r), RC_ERR_SHAPE, "shape 256x4 for 128 images");
    rc_graph_free(&g);
    rc_dataset_free(&d);
    test_context_done(c);
}

static void expect_accuracy(const char *model, uint64_t batch, uint64_t images, double top1)
{
    const char *path = shared_path(model), *data = shared_cifar10();
    if (!path || !data)
        skip();
    char spec[1100];
    snprintf(spec, sizeof(spec), "cifar10:%s", data);
    struct rc_context *c = test_context();
    rc_dataset_options options = RC_DATASET_OPTIONS_INIT;
    const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225};
    options.split = "test";
    memcpy(options.mean, mean, sizeof(mean));
    memcpy(options.std, std, sizeof(std));
    rc_dataset *d;
    rc_graph *g;
    OK(rc_dataset_open(&d, c, spec, &options));
    OK(rc_graph_load(&g, c, path));
    rc_evaluate_options o = RC_EVALUATE_OPTIONS_INIT;
    rc_evaluate_result r = RC_EVALUATE_RESULT_INIT;
    o.batch = batch;
    o.images = images;
    OK(rc_evaluate(g, d, &o, &r));
    print_message("%s, batch %u: top-1 %.2f, top-5 %.2f, loss %.4f, %.0f images/s\n", model,
                  (unsigned) batch, r.top1, r.top5, r.loss, r.images_per_second);
    assert_true(fabs(r.top1 - top1) <= 0.0201);
    rc_graph_free(&g);
    rc_dataset_free(&d);
    test_context_done(c);
}

static void resnet20_has_its_published_accuracy(void **state)
{
    (void) state;
    expect_accuracy("models/resnet20-cifar10.onnx", 128, 0, 91.73);
}

static void folded_resnet20_has_its_published_accuracy(void **state)
{
    (void) state;
    expect_accuracy("models/resnet20-cifar10-folded.onnx", 128, 0, 91.73);
}

static void resnet56_has_its_published_accuracy(void **state)
{
    (void) state;
    expect_accuracy("models/resnet56-cifar10.onnx", 128, 0, 93.39);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluation_agrees_with_the_definition_at_every_batch),
        cmocka_unit_test(evaluation_of_fewer_images_counts_only_them),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(resnet20_has_its_published_accuracy),
        cmocka_unit_test(folded_resnet20_has_its_published_accuracy),
        cmocka_unit_test(resnet56_has_its_published_accuracy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
