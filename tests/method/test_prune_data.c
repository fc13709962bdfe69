/* What pruning does with data: mean activations, and statistics after the cut. */
#include "check.h"
#include "handnets.h"
#include "noise.h"
#include "shared.h"

#include <rescomp/evaluate.h>
#include <rescomp/prune.h>

enum { IMAGES = 37, PIXELS = 2 * 6 * 6 };

static struct net small_net(struct rc_context *c)
{
    struct net n = net_new(c);
    rci_id x = net_input(&n, 2, 6, 6);
    x = net_cbr(&n, "a", x, (struct net_conv){.out = 7, .k = 3});
    x = net_cbr(&n, "b", x, (struct net_conv){.out = 5, .k = 3, .stride = 2});
    net_done(&n, net_gemm(&n, "fc", net_flatten(&n, net_unary(&n, "GlobalAveragePool", x)), 3));
    return n;
}

/* What the plain operators give at the first Relu, over all images: [IMAGES, 7, 6, 6]. */
static struct rci_tensor first_relu(const struct rc_graph *g)
{
    struct rc_graph *head;
    struct rci_tensor y;
    float x[IMAGES * PIXELS];
    OK(rci_graph_clone(&head, g));
    const rci_id conv = rci_graph_find_node(head, "b");
    OK(rci_graph_set_outputs(head, &head->nodes[conv].in[0], 1));
    OK(rci_graph_sweep(head, NULL));
    for (uint64_t i = 0; i < IMAGES; i++)
        noise_image(i, x + i * PIXELS, PIXELS);
    net_run(head, IMAGES, x, &y);
    rci_graph_free(head);
    return y;
}

/* Sum of |x|^power of channel k over images and positions. */
static double power_sum(const struct rci_tensor *y, uint32_t k, double power)
{
    double sum = 0;
    for (uint32_t i = 0; i < IMAGES; i++)
        for (uint32_t j = 0; j < 36; j++)
            sum += pow(((const float *) y->data)[(i * 7 + k) * 36 + j], power);
    return sum;
}

static double reader_energy(const struct rc_graph *g, uint32_t k)
{
    const float *w = g->values[rci_graph_find_value(g, "b.weight")].tensor.data;
    double sum = 0;
    for (uint32_t o = 0; o < 5; o++)
        for (uint32_t i = 0; i < 9; i++)
            sum += pow(w[(o * 7 + k) * 9 + i], 2);
    return sum;
}

static void criteria_see_all_images(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct net n = small_net(c);
    rc_dataset *d = noise_images(c, IMAGES, 2, 6);
    struct rci_tensor y = first_relu(n.g);
    const double count = IMAGES * 36;
    for (int i = 0; i < 2; i++) {
        rc_pruner *p;
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        const double *score;
        uint64_t channels;
        o.criterion = i ? "contribution" : "activation";
        o.normalizer = "none";
        o.dataset = d;
        o.batch = 8; /* 37 images: the last batch is short */
        OK(rc_pruner_new(&p, n.g, &o));
        OK(rc_pruner_get_scores(p, 0, &score, &channels));
        assert_int_equal(channels, 7);
        for (uint32_t k = 0; k < channels; k++) {
            const double mean = power_sum(&y, k, 1) / count;
            const double variance = power_sum(&y, k, 2) / count - mean * mean;
            assert_near(score[k], i ? variance * reader_energy(n.g, k) : mean, 1e-4);
        }
        rc_pruner_free(&p);
    }
    rci_tensor_free(&y);
    rc_dataset_free(&d);
    rci_graph_free(n.g);
    test_context_done(c);
}

static void images_of_another_size_are_refused(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct net n = net_new(c);
    rc_dataset *d = noise_images(c, IMAGES, 2, 6);
    rc_pruner *p;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rci_id x = net_input(&n, 3, 8, 8);
    x = net_cbr(&n, "a", x, (struct net_conv){.out = 4, .k = 3});
    net_done(&n, net_conv(&n, "b", x, (struct net_conv){.out = 2, .k = 1}));
    o.criterion = "activation";
    o.dataset = d;
    OK(rc_pruner_new(&p, n.g, &o));
    REFUSED(rc_pruner_plan(p, NULL), RC_ERR_SHAPE, "input \"input\" is f32 1x3x8x8");
    rc_pruner_free(&p);
    rc_dataset_free(&d);
    rci_graph_free(n.g);
    test_context_done(c);
}

static double accuracy(const rc_graph *g, rc_dataset *d)
{
    rc_evaluate_result e = RC_EVALUATE_RESULT_INIT;
    rc_evaluate_options o = RC_EVALUATE_OPTIONS_INIT;
    o.images = 500;
    OK(rc_evaluate(g, d, &o, &e));
    return e.top1;
}

/* Scores and answers of a pruner made with `o`; the caller frees the graph. */
static rc_graph *cut_with(const rc_graph *g, const rc_prune_options *o, double score[4])
{
    rc_pruner *p;
    rc_graph *out;
    const double *s;
    uint64_t n;
    OK(rc_pruner_new(&p, g, o));
    OK(rc_pruner_get_scores(p, 0, &s, &n));
    assert_true(n >= 4);
    memcpy(score, s, 4 * sizeof(*score));
    OK(rc_pruner_apply(&out, p, NULL));
    rc_pruner_free(&p);
    return out;
}

/* Options without names do what the named ones do. */
static void default_is(const rc_graph *g, rc_dataset *d, const char *criterion, const char *repair)
{
    double by_default[4], by_name[4];
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    o.macs = 0.6;
    o.dataset = d;
    rc_graph *a = cut_with(g, &o, by_default);
    o.criterion = criterion;
    o.repair = repair;
    rc_graph *b = cut_with(g, &o, by_name);
    assert_memory_equal(by_default, by_name, sizeof(by_name));
    assert_true(net_difference(a, b, 4) == 0);
    rc_graph_free(&a);
    rc_graph_free(&b);
}

static void default_is_the_best_that_data_allow(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    rc_dataset *d = noise_images(c, IMAGES, 2, 6);
    struct net n = small_net(c);
    default_is(n.g, d, "block-obs", "least-squares");
    default_is(n.g, NULL, "l2", "none");
    rci_graph_free(n.g);
    struct net grouped = net_new(c); /* block-obs cannot look at its reader */
    rci_id x = net_input(&grouped, 2, 6, 6);
    x = net_cbr(&grouped, "a", x, (struct net_conv){.out = 8, .k = 3});
    x = net_cbr(&grouped, "b", x, (struct net_conv){.out = 8, .k = 3, .group = 8});
    net_done(&grouped, net_conv(&grouped, "c", x, (struct net_conv){.out = 8, .k = 1, .group = 2}));
    default_is(grouped.g, d, "l2", "least-squares");
    rci_graph_free(grouped.g);
    rc_dataset_free(&d);
    test_context_done(c);
}

/* ResNet-20 at 0.6 of its multiply-adds. */
static void repairs_bring_accuracy_back(void **state)
{
    (void) state;
    const char *model = shared_path("models/resnet20-cifar10.onnx"), *folder = shared_cifar10();
    if (!model || !folder)
        skip();
    struct rc_context *c = test_context();
    rc_graph *g;
    rc_dataset *train, *calib;
    rc_dataset_options data = RC_DATASET_OPTIONS_INIT;
    char spec[1100];
    double top1[4];
    const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    snprintf(spec, sizeof(spec), "cifar10:%s", folder);
    memcpy(data.mean, mean, sizeof(mean));
    memcpy(data.std, std, sizeof(std));
    OK(rc_dataset_open(&train, c, spec, &data));
    data.split = "test";
    OK(rc_dataset_open(&calib, c, spec, &data));
    OK(rc_graph_load(&g, c, model));
    for (int i = 0; i < 4; i++) {
        rc_pruner *p;
        rc_graph *out;
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        o.macs = 0.6;
        o.dataset = train;
        o.images = 512;
        o.criterion = i == 3 ? "block-obs" : "l2";
        o.repair = i == 0 ? "none" : i == 1 ? "bn" : "least-squares:positions=8";
        OK(rc_pruner_new(&p, g, &o));
        OK(rc_pruner_apply(&out, p, NULL));
        top1[i] = accuracy(out, calib);
        rc_graph_free(&out);
        rc_pruner_free(&p);
    }
    print_message("as cut %.1f, new statistics %.1f, least squares %.1f, block-obs with it %.1f\n",
                  top1[0], top1[1], top1[2], top1[3]);
    assert_true(top1[1] > top1[0] + 10);
    assert_true(top1[1] > 75);
    assert_true(top1[2] > top1[1] + 2);
    assert_true(top1[3] > top1[1] + 2);
    rc_graph_free(&g);
    rc_dataset_free(&train);
    rc_dataset_free(&calib);
    test_context_done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(criteria_see_all_images),
        cmocka_unit_test(images_of_another_size_are_refused),
        cmocka_unit_test(default_is_the_best_that_data_allow),
        cmocka_unit_test(repairs_bring_accuracy_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
