/* Criteria that look at data: by hand on small networks, and against torch-pruning's and the
 * papers' own forms on ResNet-20. */
#include "check.h"
#include "handnets.h"
#include "shared.h"

#include "base/json.h"
#include <rescomp/prune.h>

#include <stdio.h>
#include <stdlib.h>

/* --- images of the test's own --- */

struct images {
    const float *pixel; /* [n][size] */
    uint64_t size;
    int32_t label;
};

static int32_t give_image(void *user, uint64_t index, void *image, int32_t *label)
{
    const struct images *i = user;
    if (image)
        memcpy(image, i->pixel + index * i->size, i->size * sizeof(float));
    *label = i->label;
    return 0;
}

static rc_dataset *open_images(struct rc_context *c, struct images *i, uint64_t n, uint64_t side)
{
    rc_dataset *d;
    rc_dataset_source s = RC_DATASET_SOURCE_INIT;
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    i->size = side * side;
    s.get = give_image;
    s.user = i;
    s.images = n;
    s.channels = 1;
    s.height = s.width = side;
    s.classes = 2;
    s.type = RC_DATASET_F32;
    o.std[0] = 1;
    OK(rc_dataset_new_callback(&d, c, &s, &o));
    return d;
}

static void set(const struct net *n, const char *weight, const float *v, size_t count)
{
    struct rci_tensor *t = &n->g->values[rci_graph_find_value(n->g, weight)].tensor;
    assert_int_equal(rci_shape_count(&t->shape), count);
    memcpy(t->data, v, count * sizeof(*v));
}

static void check_scores(const struct rc_graph *g, rc_dataset *d, const char *criterion,
                         uint64_t batch, const double *want, uint64_t count)
{
    rc_pruner *p;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    const double *s;
    uint64_t n;
    o.criterion = criterion;
    o.normalizer = "none";
    o.dataset = d;
    o.batch = batch;
    OK(rc_pruner_new(&p, g, &o));
    OK(rc_pruner_get_scores(p, 0, &s, &n));
    assert_int_equal(n, count);
    for (uint64_t k = 0; k < n; k++)
        if (fabs(s[k] - want[k]) > 1e-4 * fabs(want[k]) + 1e-6)
            fail_msg("%s, channel %d: %.9g, by hand %.9g", criterion, (int) k, s[k], want[k]);
    rc_pruner_free(&p);
}

/* --- feature maps: two images, channel k is max(0, w_k x) --- */

enum { MAPS = 5 };
static const float factor[MAPS] = {1, -1, 2, 3, 0.5f};

static void feature_map_criteria_follow_their_definitions(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    static const float pixel[2][4] = {{1, 0, 0, 2}, {1, 1, 1, 1}};
    struct images images = {.pixel = pixel[0]};
    rc_dataset *d = open_images(c, &images, 2, 2);
    struct net n = net_new(c);
    rci_id x = net_input(&n, 1, 2, 2);
    x = net_unary(&n, "Relu", net_conv(&n, "a", x, (struct net_conv){.out = MAPS, .k = 1}));
    net_done(&n, net_conv(&n, "b", x, (struct net_conv){.out = 2, .k = 3}));
    set(&n, "a.weight", factor, MAPS);
    double apoz[MAPS], energy[MAPS], rank[MAPS], chip[MAPS];
    const double length = (sqrt(5) + 2) / 2, all = 1 + 4 + 9 + 0.25; /* mean |x| of the images */
    for (int k = 0; k < MAPS; k++) {
        const double w = fmax(0, factor[k]);
        apoz[k] = w > 0 ? (0.5 + 1) / 2 : 0;
        energy[k] = w * w * (5.0 / 4 + 1) / 2;
        rank[k] = w > 0 ? (2 + 1) / 2.0 : 0;
        chip[k] = (sqrt(all) - sqrt(all - w * w)) * length; /* all rows are multiples of x */
    }
    check_scores(n.g, d, "apoz", 8, apoz, MAPS);
    check_scores(n.g, d, "energy", 8, energy, MAPS);
    check_scores(n.g, d, "energy", 1, energy, MAPS);
    check_scores(n.g, d, "hrank", 8, rank, MAPS);
    check_scores(n.g, d, "chip", 8, chip, MAPS); /* five channels, four positions: A'A */
    rc_dataset_free(&d);
    rci_graph_free(n.g);
    test_context_done(c);
}

/* Two channels of the same shape but other pixels, more positions than channels: AA'. Orthogonal
 * maps: each has its own length. Read behind a flatten, maps are those in front of it. */
static void independent_maps_count_with_their_own_length(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    static const float pixel[4] = {3, 0, 0, -4};
    struct images images = {.pixel = pixel};
    rc_dataset *d = open_images(c, &images, 1, 2);
    struct net n = net_new(c);
    rci_id x = net_input(&n, 1, 2, 2);
    x = net_unary(&n, "Relu", net_conv(&n, "a", x, (struct net_conv){.out = 2, .k = 1}));
    net_done(&n, net_gemm(&n, "fc", net_flatten(&n, x), 2));
    set(&n, "a.weight", (const float[]){1, -1}, 2);
    check_scores(n.g, d, "chip", 1, (const double[]){3, 4}, 2);
    check_scores(n.g, d, "hrank", 1, (const double[]){1, 1}, 2);
    check_scores(n.g, d, "apoz", 1, (const double[]){0.25, 0.25}, 2);
    rc_dataset_free(&d);
    rci_graph_free(n.g);
    test_context_done(c);
}

/* --- gradients: one pixel x, hidden = (x, 2x), both answers 0, so that softmax gives halves --- */

static struct net two_hidden(struct rc_context *c, bool norm)
{
    struct net n = net_new(c);
    rci_id x = net_input(&n, 1, 1, 1);
    const struct net_conv a = {.out = 2, .k = 1};
    x = norm ? net_cbr(&n, "a", x, a) : net_unary(&n, "Relu", net_conv(&n, "a", x, a));
    net_done(&n, net_flatten(&n, net_conv(&n, "b", x, (struct net_conv){.out = 2, .k = 1})));
    set(&n, "a.weight", norm ? (const float[]){1, 1} : (const float[]){1, 2}, 2);
    set(&n, "b.weight", (const float[]){2, -1, 4, -2}, 4);
    return n;
}

/* x = 1: w g is 1 and -1 in "a", (-1, 2) and (1, -2) in "b"; x = 2 has twice that. */
static void gradient_criteria_follow_their_definitions(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    static const float pixel[2] = {1, 2};
    struct images images = {.pixel = pixel};
    rc_dataset *d = open_images(c, &images, 2, 1);
    struct net n = two_hidden(c, false);
    const double taylor = 1.5 * (1 + 3) / 2, joint = 1.5 * (1 + 1) / 2;
    const double image = (1 + 4) / 2.0 * (1 + 5) / 2, batch = 1.5 * 1.5 * (1 + 5) / 2;
    check_scores(n.g, d, "taylor", 2, (const double[]){taylor, taylor}, 2);
    check_scores(n.g, d, "taylor", 1, (const double[]){taylor, taylor}, 2);
    check_scores(n.g, d, "taylor:multivariable=1", 2, (const double[]){joint, joint}, 2);
    check_scores(n.g, d, "fisher", 2, (const double[]){image, image}, 2);
    check_scores(n.g, d, "fisher-batch", 2, (const double[]){batch, batch}, 2);
    rc_dataset_free(&d);
    rci_graph_free(n.g);
    test_context_done(c);
}

/* Hidden (1, 2) by scales (1, 1) and shifts (0, 1): dL/dh is 1 and -1/2. */
static void the_gate_form_takes_scale_and_shift(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    static const float pixel[1] = {1};
    struct images images = {.pixel = pixel};
    rc_dataset *d = open_images(c, &images, 1, 1);
    struct net n = two_hidden(c, true);
    set(&n, "a.bn.weight", (const float[]){1, 1}, 2);
    set(&n, "a.bn.bias", (const float[]){0, 1}, 2);
    set(&n, "a.bn.running_mean", (const float[]){0, 0}, 2);
    set(&n, "a.bn.running_var", (const float[]){1 - 1e-5f, 1 - 1e-5f}, 2);
    check_scores(n.g, d, "taylor-gate", 1, (const double[]){1, 1}, 2);
    set(&n, "a.bn.bias", (const float[]){0, 3}, 2); /* h = (1, 4): answers differ */
    const double p = exp(-4) / (exp(-4) + exp(-2)); /* of class 1: z = (2 - 4, 4 - 8) */
    const double g0 = p * 2, g1 = p * 1;            /* dL/dh = dz b, dz = (-p, p) */
    check_scores(n.g, d, "taylor-gate", 1, (const double[]){g0 * g0, 16 * g1 * g1}, 2);
    rc_dataset_free(&d);
    rci_graph_free(n.g);
    test_context_done(c);
}

static void labels_beyond_the_answers_are_refused(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    static const float pixel[1] = {1};
    struct images images = {.pixel = pixel, .label = 1};
    rc_dataset *d = open_images(c, &images, 1, 1);
    struct net n = net_new(c);
    rc_pruner *p;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rci_id x = net_input(&n, 1, 1, 1);
    x = net_conv(&n, "a", x, (struct net_conv){.out = 2, .k = 1});
    net_done(&n, net_conv(&n, "b", x, (struct net_conv){.out = 1, .k = 1}));
    o.criterion = "taylor";
    o.dataset = d;
    OK(rc_pruner_new(&p, n.g, &o));
    REFUSED(rc_pruner_plan(p, NULL), RC_ERR_DATA, "label 1, but the network gives 1 numbers");
    rc_pruner_free(&p);
    rc_dataset_free(&d);
    rci_graph_free(n.g);
    test_context_done(c);
}

/* --- a criterion of the caller's own --- */

struct own {
    uint64_t calls;
    int32_t answer;
    double first;
};

static int32_t own_score(void *user, const rc_pruner *p, uint64_t group, double *scores,
                         uint64_t count)
{
    struct own *own = user;
    rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
    OK(rc_pruner_get_group(p, group, &info));
    assert_int_equal(info.channels, count);
    for (uint64_t k = 0; k < count; k++)
        scores[k] = (double) k;
    scores[0] = own->first;
    own->calls++;
    return own->answer;
}

static void a_callback_is_a_criterion(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct net n = net_new(c);
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    rc_graph *cut;
    const double *s;
    struct own own = {.first = 9};
    const rci_id x = net_cbr(&n, "a", net_input(&n, 1, 4, 4), (struct net_conv){.out = 4, .k = 1});
    net_done(&n, net_conv(&n, "b", x, (struct net_conv){.out = 1, .k = 1}));
    set(&n, "a.weight", (const float[]){10, 11, 12, 13}, 4);
    o.score = own_score;
    o.score_user = &own;
    o.ratio = 0.5;
    OK(rc_pruner_new(&p, n.g, &o));
    OK(rc_pruner_get_scores(p, 0, &s, NULL));
    assert_true(s[0] == 9 && s[3] == 3); /* as they came */
    OK(rc_pruner_apply(&cut, p, NULL));
    assert_int_equal(own.calls, 1);
    const float *w = cut->values[rci_graph_find_value(cut, "a.weight")].tensor.data;
    assert_true(w[0] == 10 && w[1] == 13); /* 0 and 3 stay */
    rc_graph_free(&cut);
    rc_pruner_free(&p);
    own.answer = 7;
    OK(rc_pruner_new(&p, n.g, &o));
    REFUSED(rc_pruner_plan(p, NULL), RC_ERR_DATA, "\"a\": the score callback returned 7");
    rc_pruner_free(&p);
    own = (struct own){.first = NAN};
    OK(rc_pruner_new(&p, n.g, &o));
    REFUSED(rc_pruner_plan(p, NULL), RC_ERR_DATA, "score 0 of the callback is not finite");
    rc_pruner_free(&p);
    o.criterion = "l1";
    REFUSED(rc_pruner_new(&p, n.g, &o), RC_ERR_ARG, "but there is a score callback too");
    rci_graph_free(n.g);
    test_context_done(c);
}

/* --- against torch-pruning and the papers, on the first 1,280 training images --- */

enum { GOLDEN_IMAGES = 1280, RECORD = 3073 };

static int32_t give_record(void *user, uint64_t index, void *image, int32_t *label)
{
    const uint8_t *r = (const uint8_t *) user + index * RECORD;
    if (image)
        memcpy(image, r + 1, RECORD - 1);
    *label = r[0];
    return 0;
}

struct golden {
    struct rc_context *ctx;
    struct rci_json *json;
    struct rc_graph *g;
    uint8_t *records;
    rc_dataset *d;
};

static bool golden_load(struct golden *t)
{
    char path[4096];
    static const double mean[3] = {.485, .456, .406}, std[3] = {.229, .224, .225};
    const char *json = shared_path("golden/pruning/importance.json");
    const char *model = shared_path("models/resnet20-cifar10.onnx"), *cifar = shared_cifar10();
    if (!json || !model || !cifar)
        return false;
    snprintf(path, sizeof(path), "%s/data_batch_1.bin", cifar);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    t->records = malloc(GOLDEN_IMAGES * RECORD);
    assert_non_null(t->records);
    assert_int_equal(fread(t->records, RECORD, GOLDEN_IMAGES, f), GOLDEN_IMAGES);
    fclose(f);
    t->ctx = test_context();
    OK(rci_json_load(&t->json, t->ctx, json));
    OK(rc_graph_load(&t->g, t->ctx, model));
    rc_dataset_source s = RC_DATASET_SOURCE_INIT;
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    s.get = give_record;
    s.user = t->records;
    s.images = GOLDEN_IMAGES;
    s.classes = 10;
    s.channels = 3;
    s.height = s.width = 32;
    memcpy(o.mean, mean, sizeof(mean));
    memcpy(o.std, std, sizeof(std));
    OK(rc_dataset_new_callback(&t->d, t->ctx, &s, &o));
    return true;
}

static void golden_done(struct golden *t)
{
    rc_dataset_free(&t->d);
    rci_graph_free(t->g);
    rci_json_free(&t->json);
    test_context_done(t->ctx);
    free(t->records);
}

/* What stands there for channel k of a block: one list, or the mean of those of three members. */
static double golden_at(const struct rci_json_value *block, const char *key, uint32_t k)
{
    const struct rci_json_value *v = rci_json_get(block, key);
    if (v)
        return rci_json_at(v, k)->number;
    double sum = 0;
    uint32_t n = 0;
    v = rci_json_get(rci_json_get(block, "members"), key);
    assert_non_null(v);
    for (const struct rci_json_value *m = v->first; m; m = m->next, n++)
        sum += rci_json_at(m, k)->number;
    return sum / n;
}

/* Every block's internal group. Scores of float gradients are off by rounding of the largest. */
static void compare_golden(const struct golden *t, const char *criterion, const char *key)
{
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    o.criterion = criterion;
    o.normalizer = "none";
    o.dataset = t->d;
    o.images = GOLDEN_IMAGES;
    OK(rc_pruner_new(&p, t->g, &o));
    const struct rci_json_value *groups = rci_json_get(rci_json_root(t->json), "groups");
    uint32_t compared = 0;
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        rc_prune_member_info m = RC_PRUNE_MEMBER_INFO_INIT;
        const double *s;
        uint64_t n;
        char name[64];
        OK(rc_pruner_get_member(p, i, 0, &m));
        snprintf(name, sizeof(name), "%.*s", (int) strcspn(m.weight, "c") - 1, m.weight);
        const struct rci_json_value *g = rci_json_get(groups, name);
        if (!g || !strstr(m.weight, ".conv1.weight"))
            continue;
        double most = 0;
        OK(rc_pruner_get_scores(p, i, &s, &n));
        for (uint32_t k = 0; k < n; k++)
            most = fmax(most, golden_at(g, key, k));
        for (uint32_t k = 0; k < n; k++, compared++) {
            const double w = golden_at(g, key, k);
            if (fabs(s[k] - w) > 3e-3 * fabs(w) + 1e-5 * most)
                fail_msg("%s, %s, channel %u: %g, wanted %g", criterion, name, k, s[k], w);
        }
    }
    assert_int_equal(compared, 3 * (16 + 32 + 64));
    rc_pruner_free(&p);
}

static void gradient_scores_match_independent_ones(void **state)
{
    (void) state;
    struct golden t;
    if (!golden_load(&t))
        skip();
    compare_golden(&t, "taylor", "taylor_mean_score");
    compare_golden(&t, "taylor-gate", "taylor_gate");
    compare_golden(&t, "fisher-batch", "hessian_batches");
    golden_done(&t);
}

static void geometric_medians_match_independent_ones(void **state)
{
    (void) state;
    struct golden t;
    if (!golden_load(&t))
        skip();
    compare_golden(&t, "fpgm", "fpgm_paper");
    golden_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feature_map_criteria_follow_their_definitions),
        cmocka_unit_test(independent_maps_count_with_their_own_length),
        cmocka_unit_test(gradient_criteria_follow_their_definitions),
        cmocka_unit_test(the_gate_form_takes_scale_and_shift),
        cmocka_unit_test(labels_beyond_the_answers_are_refused),
        cmocka_unit_test(a_callback_is_a_criterion),
        cmocka_unit_test(gradient_scores_match_independent_ones),
        cmocka_unit_test(geometric_medians_match_independent_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
