/* Scores: by hand on a small network, and against torch-pruning's on ResNet-20. */
#include "check.h"
#include "handnets.h"
#include "shared.h"

#include "base/json.h"
#include <rescomp/prune.h>

/* conv "a" (2 channels) -> bn -> relu -> conv "b", with given numbers */
static struct net two_channels(struct rc_context *c)
{
    struct net n = net_new(c);
    const rci_id x = net_input(&n, 1, 4, 4);
    const rci_id y = net_cbr(&n, "a", x, (struct net_conv){.out = 2, .k = 1});
    net_done(&n, net_conv(&n, "b", y, (struct net_conv){.out = 1, .k = 1}));
    static const struct {
        const char *name;
        float v[2];
    } w[] = {{"a.weight", {-3, 0.5f}}, {"a.bn.weight", {2, -1}}, {"b.weight", {4, -2}}};
    for (uint32_t i = 0; i < 3; i++)
        memcpy(n.g->values[rci_graph_find_value(n.g, w[i].name)].tensor.data, w[i].v,
               sizeof(w[i].v));
    return n;
}

static uint64_t group_with(const rc_pruner *p, const char *weight)
{
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        rc_prune_member_info m = RC_PRUNE_MEMBER_INFO_INIT;
        OK(rc_pruner_get_member(p, i, 0, &m));
        if (!strcmp(m.weight, weight))
            return i;
    }
    fail_msg("no group starts with \"%s\"", weight);
    return 0;
}

static void check_two(const rc_prune_options *o, double first, double second)
{
    struct rc_context *c = test_context();
    struct net n = two_channels(c);
    rc_pruner *p;
    const double *s;
    uint64_t count;
    OK(rc_pruner_new(&p, n.g, o));
    OK(rc_pruner_get_scores(p, group_with(p, "a.weight"), &s, &count));
    assert_int_equal(count, 2);
    assert_near(s[0], first, 1e-6);
    assert_near(s[1], second, 1e-6);
    rc_pruner_free(&p);
    rci_graph_free(n.g);
    test_context_done(c);
}

static void magnitudes_of_members_are_averaged(void **state)
{
    (void) state;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    o.normalizer = "none";
    check_two(&o, (9.0 + 4 + 16) / 3, (0.25 + 1 + 4) / 3);
    o.criterion = "l1";
    check_two(&o, 3, 3.5 / 3);
    o.criterion = "lnorm:p=3";
    check_two(&o, (27.0 + 8 + 64) / 3, (0.125 + 1 + 8) / 3);
    o.criterion = "bn-scale";
    check_two(&o, 2, 1);
}

/* Filters 1, 2 and -4 of one weight each. */
static void filters_are_compared_with_each_other(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct net n = net_new(c);
    static const float filter[3] = {1, 2, -4};
    const rci_id x = net_cbr(&n, "a", net_input(&n, 1, 4, 4), (struct net_conv){.out = 3, .k = 1});
    net_done(&n, net_conv(&n, "b", x, (struct net_conv){.out = 1, .k = 1}));
    memcpy(n.g->values[rci_graph_find_value(n.g, "a.weight")].tensor.data, filter, sizeof(filter));
    static const struct {
        const char *criterion;
        double score[3];
    } t[] = {{"fpgm", {1 + 5, 1 + 6, 5 + 6}}, {"greg", {1, 2, 4}}};
    for (uint32_t i = 0; i < 2; i++) {
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        rc_pruner *p;
        const double *s;
        o.criterion = t[i].criterion;
        o.normalizer = "none";
        OK(rc_pruner_new(&p, n.g, &o));
        OK(rc_pruner_get_scores(p, group_with(p, "a.weight"), &s, NULL));
        for (uint32_t k = 0; k < 3; k++)
            assert_near(s[k], t[i].score[k], 1e-6);
        rc_pruner_free(&p);
    }
    rci_graph_free(n.g);
    test_context_done(c);
}

static void reductions_follow_their_names(void **state)
{
    (void) state;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    o.normalizer = "none";
    o.criterion = "l1";
    o.reduction = "sum";
    check_two(&o, 9, 3.5);
    o.reduction = "max";
    check_two(&o, 4, 2);
    o.reduction = "prod";
    check_two(&o, 24, 1);
    o.reduction = "first";
    check_two(&o, 3, 0.5);
}

static void normalizers_follow_their_names(void **state)
{
    (void) state;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    o.criterion = "bn-scale"; /* 2 and 1 */
    o.normalizer = "mean";
    check_two(&o, 2 / 1.5, 1 / 1.5);
    o.normalizer = "sum";
    check_two(&o, 2.0 / 3, 1.0 / 3);
    o.normalizer = "max";
    check_two(&o, 1, 0.5);
    o.normalizer = "range";
    check_two(&o, 1, 0);
    o.normalizer = "gaussian";
    check_two(&o, 0.70710677, -0.70710677);
    o.normalizer = "lamp";
    check_two(&o, 1, 1.0 / 3);
}

static void random_scores_depend_on_the_seed_alone(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct net n = two_channels(c);
    double first[3];
    for (uint64_t i = 0; i < 3; i++) {
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        rc_pruner *p;
        const double *s;
        o.criterion = "random";
        o.normalizer = "none";
        o.seed = i == 2 ? 6 : 5;
        OK(rc_pruner_new(&p, n.g, &o));
        OK(rc_pruner_get_scores(p, group_with(p, "a.weight"), &s, NULL));
        first[i] = s[0];
        rc_pruner_free(&p);
    }
    assert_true(first[0] == first[1]);
    assert_true(first[0] != first[2]);
    rci_graph_free(n.g);
    test_context_done(c);
}

static void a_criterion_without_its_data_says_so(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct net n = net_new(c);
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    const double *s;
    rci_id x = net_input(&n, 1, 4, 4);
    x = net_conv(&n, "bare", x, (struct net_conv){.out = 2, .k = 1, .bias = true});
    net_done(&n, net_conv(&n, "b", x, (struct net_conv){.out = 1, .k = 1}));
    o.criterion = "bn-scale";
    OK(rc_pruner_new(&p, n.g, &o));
    REFUSED(rc_pruner_get_scores(p, 0, &s, NULL), RC_ERR_ARG, "\"bare\" has no Batch");
    rc_pruner_free(&p);
    o.criterion = "activation";
    REFUSED(rc_pruner_new(&p, n.g, &o), RC_ERR_ARG, "needs a data set");
    o.criterion = "magic";
    REFUSED(rc_pruner_new(&p, n.g, &o), RC_ERR_ARG, "no criterion named \"magic\"");
    assert_null(p);
    rci_graph_free(n.g);
    test_context_done(c);
}

/* --- against torch-pruning --- */

struct golden {
    struct rc_context *ctx;
    struct rci_json *json;
    struct rc_graph *g;
};

static bool golden_load(struct golden *t)
{
    const char *json = shared_path("golden/pruning/importance.json");
    const char *model = shared_path("models/resnet20-cifar10.onnx");
    if (!json || !model)
        return false;
    t->ctx = test_context();
    OK(rci_json_load(&t->json, t->ctx, json));
    OK(rc_graph_load(&t->g, t->ctx, model));
    return true;
}

static void golden_done(struct golden *t)
{
    rci_graph_free(t->g);
    rci_json_free(&t->json);
    test_context_done(t->ctx);
}

/* Every block's internal group, whose golden scores stand under `key`. */
static void compare_golden(const struct golden *t, const rc_prune_options *o, const char *key)
{
    rc_pruner *p;
    OK(rc_pruner_new(&p, t->g, o));
    const struct rci_json_value *groups = rci_json_get(rci_json_root(t->json), "groups");
    for (const struct rci_json_value *g = groups->first; g; g = g->next) {
        char name[64];
        const double *s;
        uint64_t n;
        snprintf(name, sizeof(name), "%s.conv1.weight", g->key);
        OK(rc_pruner_get_scores(p, group_with(p, name), &s, &n));
        const struct rci_json_value *want = rci_json_get(rci_json_get(g, "torch_pruning"), key);
        assert_non_null(want);
        assert_int_equal(n, want->count);
        for (uint32_t i = 0; i < n; i++) {
            const double w = rci_json_at(want, i)->number;
            /* torch-pruning reduces in float32, which shows where gaussian scores cross 0 */
            if (fabs(s[i] - w) > 1e-4 * fabs(w) + 2e-6)
                fail_msg("%s, %s, channel %u: %g, torch-pruning %g", key, g->key, i, s[i], w);
        }
    }
    rc_pruner_free(&p);
}

static void magnitude_scores_match_torch_pruning(void **state)
{
    (void) state;
    struct golden t;
    if (!golden_load(&t))
        skip();
    static const char *const pair[][2] = {{"none", "none"},
                                          {"mean", "mean"},
                                          {"max", "max"},
                                          {"sum", "sum"},
                                          {"range", "standarization"},
                                          {"gaussian", "gaussian"},
                                          {"lamp", "lamp"}};
    static const char *const reduction[] = {"sum", "max", "prod", "first"};
    for (int order = 1; order <= 2; order++) {
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        char key[64];
        o.criterion = order == 1 ? "l1" : "l2";
        for (uint32_t i = 0; i < 7; i++) {
            o.normalizer = pair[i][0];
            snprintf(key, sizeof(key), "magnitude_p%d_mean_%s", order, pair[i][1]);
            compare_golden(&t, &o, key);
        }
        o.normalizer = "none";
        for (uint32_t i = 0; i < 4; i++) {
            o.reduction = reduction[i];
            snprintf(key, sizeof(key), "magnitude_p%d_%s_none", order, reduction[i]);
            compare_golden(&t, &o, key);
        }
    }
    golden_done(&t);
}

static void bn_scale_scores_match_torch_pruning(void **state)
{
    (void) state;
    struct golden t;
    if (!golden_load(&t))
        skip();
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    o.criterion = "bn-scale";
    o.normalizer = "none";
    compare_golden(&t, &o, "bn_scale_none");
    o.normalizer = "mean";
    compare_golden(&t, &o, "bn_scale_mean");
    golden_done(&t);
}

/* Channels of the option-A trunk, numbered as in the last stage: sums over all three parts. */
static void trunk_scores_sum_over_the_stages(void **state)
{
    (void) state;
    struct golden t;
    if (!golden_load(&t))
        skip();
    const struct rci_json_value *want =
        rci_json_get(rci_json_get(rci_json_root(t.json), "trunk_own_code"), "magnitude_p1");
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    o.criterion = "l1";
    o.reduction = "sum";
    o.normalizer = "none";
    OK(rc_pruner_new(&p, t.g, &o));
    double ours = 0, theirs = 0;
    uint64_t channels = 0;
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
        const double *s;
        OK(rc_pruner_get_group(p, i, &info));
        if (info.producers < 2)
            continue;
        OK(rc_pruner_get_scores(p, i, &s, NULL));
        for (uint64_t k = 0; k < info.channels; k++)
            ours += s[k];
        channels += info.channels;
    }
    for (const struct rci_json_value *v = rci_json_get(want, "sum")->first; v; v = v->next)
        theirs += v->number;
    assert_int_equal(channels, 64);
    assert_near(ours, theirs, 1e-4);
    rc_pruner_free(&p);
    golden_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(magnitudes_of_members_are_averaged),
        cmocka_unit_test(filters_are_compared_with_each_other),
        cmocka_unit_test(reductions_follow_their_names),
        cmocka_unit_test(normalizers_follow_their_names),
        cmocka_unit_test(random_scores_depend_on_the_seed_alone),
        cmocka_unit_test(a_criterion_without_its_data_says_so),
        cmocka_unit_test(magnitude_scores_match_torch_pruning),
        cmocka_unit_test(bn_scale_scores_match_torch_pruning),
        cmocka_unit_test(trunk_scores_sum_over_the_stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
