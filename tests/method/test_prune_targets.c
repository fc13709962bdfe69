/* Plans: targets are met as counted on the cut graph, limits hold, errors say what is wrong. */
#include "handnets.h"
#include "shared.h"

#include <rescomp/prune.h>

static struct rc_graph *load(struct rc_context *c, const char *name)
{
    struct rc_graph *g;
    char path[96];
    snprintf(path, sizeof(path), "tests/golden/pruning/%s.onnx", name);
    OK(rc_graph_load(&g, c, source_path(path)));
    return g;
}

static rc_prune_group_info group_info(const rc_pruner *p, uint64_t i)
{
    rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
    OK(rc_pruner_get_group(p, i, &info));
    return info;
}

/* Cut, and check what was promised against the new graph. */
static rc_prune_result cut(rc_pruner *p)
{
    rc_prune_result planned = RC_PRUNE_RESULT_INIT, done = RC_PRUNE_RESULT_INIT;
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    rc_graph *out;
    OK(rc_pruner_plan(p, &planned));
    OK(rc_pruner_apply(&out, p, &done));
    OK(rc_graph_get_info(out, &info));
    assert_memory_equal(&planned, &done, sizeof(done));
    assert_int_equal(info.macs, done.macs_after);
    assert_int_equal(info.parameters, done.parameters_after);
    rc_graph_free(&out);
    return done;
}

static void check_targets(const char *name, const char *allocation)
{
    struct rc_context *c = test_context();
    struct rc_graph *g = load(c, name);
    for (uint32_t i = 0; i < 3; i++) {
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        rc_pruner *p;
        o.allocation = allocation;
        o.trunk = RC_PRUNE_TRUNK_CUT;
        o.macs = i == 0 ? 0.5 : 0;
        o.parameters = i == 1 ? 0.6 : 0;
        o.ratio = i == 2 ? 0.7 : 0;
        OK(rc_pruner_new(&p, g, &o));
        const rc_prune_result r = cut(p);
        const double left[3] = {(double) r.macs_after / (double) r.macs_before,
                                (double) r.parameters_after / (double) r.parameters_before,
                                (double) r.channels_after / (double) r.channels_before};
        const double goal[3] = {0.5, 0.6, 0.7};
        assert_true(left[i] <= goal[i]);
        assert_true(left[i] > goal[i] - 0.12);
        rc_pruner_free(&p);
    }
    rci_graph_free(g);
    test_context_done(c);
}

static void targets_are_met_on_every_network(void **state)
{
    (void) state;
    static const char *const name[] = {"resnet18",   "resnet50", "resnext50",
                                       "seresnet18", "densenet", "cifar-option-a"};
    for (uint32_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        check_targets(name[i], "global");
        check_targets(name[i], i % 2 ? "uniform" : "per-cost");
        check_targets(name[i], i % 3 == 0 ? "dp" : i % 3 == 1 ? "lagrangian" : "greedy:ahead=4");
    }
}

static void uniform_halves_every_group(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = load(c, "cifar-option-a");
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    o.allocation = "uniform";
    o.ratio = 0.5;
    OK(rc_pruner_new(&p, g, &o));
    cut(p);
    uint32_t halved = 0;
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        const rc_prune_group_info info = group_info(p, i);
        const bool inside = info.may_cut && info.producers == 1;
        assert_int_equal(info.kept, inside ? info.channels / 2 : info.channels);
        halved += inside;
    }
    assert_int_equal(halved, 6);
    rc_pruner_free(&p);
    rci_graph_free(g);
    test_context_done(c);
}

static void trunk_is_cut_only_when_needed(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = load(c, "cifar-option-a");
    static const struct {
        double macs;
        uint64_t trunk;
        bool touched, reached;
    } row[] = {{0.6, RC_PRUNE_TRUNK_AUTO, false, true},
               {0.1, RC_PRUNE_TRUNK_AUTO, true, true},
               {0.1, RC_PRUNE_TRUNK_KEEP, false, false},
               {0.3, RC_PRUNE_TRUNK_CUT, true, true}};
    for (uint32_t k = 0; k < 4; k++) {
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        rc_pruner *p;
        bool touched = false;
        o.macs = row[k].macs;
        o.trunk = row[k].trunk;
        o.max_cut = 0.8;
        OK(rc_pruner_new(&p, g, &o));
        assert_int_equal(rc_pruner_plan(p, NULL), row[k].reached ? RC_OK : RC_ERR_GOAL);
        for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
            const rc_prune_group_info info = group_info(p, i);
            touched |= info.producers > 1 && info.kept < info.channels;
            assert_true(info.kept * 5 >= info.channels);
        }
        assert_int_equal(touched, row[k].touched);
        rc_pruner_free(&p);
    }
    rci_graph_free(g);
    test_context_done(c);
}

static void counts_are_rounded_and_floored(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = load(c, "resnet50");
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    o.macs = 0.7;
    o.round_to = 4;
    o.min_channels = 6;
    o.trunk = RC_PRUNE_TRUNK_CUT;
    OK(rc_pruner_new(&p, g, &o));
    cut(p);
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        const rc_prune_group_info info = group_info(p, i);
        if (info.kept == info.channels)
            continue;
        assert_int_equal(info.kept * info.width % 4, 0);
        assert_true(info.kept >= 6);
    }
    rc_pruner_free(&p);
    rci_graph_free(g);
    test_context_done(c);
}

static void kept_layers_stay_whole(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = load(c, "resnet18");
    static const char *const keep[] = {"layer1.*.weight", "/layer4/layer4.1/conv1/Conv"};
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    o.macs = 0.7;
    o.keep = keep;
    o.keep_count = 2;
    OK(rc_pruner_new(&p, g, &o));
    cut(p);
    uint32_t held = 0;
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        rc_prune_member_info m = RC_PRUNE_MEMBER_INFO_INIT;
        const rc_prune_group_info info = group_info(p, i);
        OK(rc_pruner_get_member(p, i, 0, &m));
        if (strcmp(m.weight, "layer1.0.conv1.weight") && strcmp(m.weight, "layer4.1.conv1.weight"))
            continue;
        assert_int_equal(info.kept, info.channels);
        assert_int_equal(info.may_cut, 0);
        assert_string_equal(info.reason, "kept by request");
        held++;
    }
    assert_int_equal(held, 2);
    rc_pruner_free(&p);
    static const char *const nothing[] = {"layer9.*"};
    o.keep = nothing;
    o.keep_count = 1;
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ARG, "\"layer9.*\" matches no node or weight");
    rci_graph_free(g);
    test_context_done(c);
}

static void group_costs_are_what_a_cut_saves(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = load(c, "seresnet18");
    rc_pruner *p;
    OK(rc_pruner_new(&p, g, NULL));
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        const rc_prune_group_info info = group_info(p, i);
        rc_prune_result r = RC_PRUNE_RESULT_INIT;
        rc_graph *out;
        if (!info.may_cut)
            continue;
        OK(rc_pruner_set_kept(p, i, info.channels - 1));
        OK(rc_pruner_apply(&out, p, &r));
        assert_int_equal(r.macs_before - r.macs_after, info.macs);
        assert_int_equal(r.parameters_before - r.parameters_after, info.parameters);
        assert_int_equal(r.groups_cut, 1);
        OK(rc_pruner_set_kept(p, i, info.channels));
        rc_graph_free(&out);
    }
    REFUSED(rc_pruner_set_kept(p, 0, 0), RC_ERR_ARG, "kept is 0, allowed is 1 to");
    rc_pruner_free(&p);
    rci_graph_free(g);
    test_context_done(c);
}

static void unreachable_targets_say_how_far_it_goes(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = load(c, "resnet18"), *out;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_prune_result r = RC_PRUNE_RESULT_INIT;
    rc_pruner *p;
    o.macs = 0.01;
    o.min_channels = 4;
    OK(rc_pruner_new(&p, g, &o));
    REFUSED(rc_pruner_plan(p, &r), RC_ERR_GOAL, "of the multiply-adds remain, 0.0100 asked");
    assert_true(r.macs_after < r.macs_before);
    OK(rc_pruner_apply(&out, p, NULL)); /* the best there is */
    rc_graph_free(&out);
    rc_pruner_free(&p);
    rci_graph_free(g);
    test_context_done(c);
}

static void options_out_of_range_are_refused(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = load(c, "resnet18");
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    REFUSED(rc_pruner_new(NULL, g, &o), RC_ERR_ARG, "out is NULL");
    REFUSED(rc_pruner_new(&p, NULL, &o), RC_ERR_ARG, "graph is NULL");
    o.macs = 1.5;
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ARG, "macs is 1.5");
    o.macs = 0;
    o.max_cut = 1;
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ARG, "max_cut is 1");
    o.max_cut = 0;
    o.round_to = 4000;
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ARG, "round_to is 4000");
    o.round_to = 0;
    o.flags = 8;
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ABI, "rc_prune_options.flags is 0x8");
    o.flags = 0;
    o.repair = "bn";
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ARG, "repair bn needs a data set");
    o.size = 8;
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ABI, "rc_prune_options.size is 8");
    rci_graph_free(g);
    test_context_done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_met_on_every_network),
        cmocka_unit_test(uniform_halves_every_group),
        cmocka_unit_test(trunk_is_cut_only_when_needed),
        cmocka_unit_test(counts_are_rounded_and_floored),
        cmocka_unit_test(kept_layers_stay_whole),
        cmocka_unit_test(group_costs_are_what_a_cut_saves),
        cmocka_unit_test(unreachable_targets_say_how_far_it_goes),
        cmocka_unit_test(options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
