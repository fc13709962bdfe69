/* Groups cut channel by channel, and histories that replay. */
#include "files.h"
#include "handnets.h"
#include "tiny.h"

#include "base/file.h"
#include <rescomp/prune.h>

static uint64_t free_group(const rc_pruner *p, uint64_t skip)
{
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
        OK(rc_pruner_get_group(p, i, &info));
        if (info.may_cut && !skip--)
            return i;
    }
    fail_msg("no such group");
    return 0;
}

static uint64_t kept(const rc_pruner *p, uint64_t group)
{
    rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
    OK(rc_pruner_get_group(p, group, &info));
    return info.kept;
}

static void channels_are_cut_one_by_one(void **state)
{
    struct rc_context *c = *state;
    struct net n = net_new(c);
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    rc_graph *out;
    const rci_id x = net_cbr(&n, "a", net_input(&n, 1, 4, 4), (struct net_conv){.out = 6, .k = 1});
    net_done(&n, net_conv(&n, "b", x, (struct net_conv){.out = 1, .k = 1}));
    static const float made[6] = {10, 11, 12, 13, 14, 15};
    memcpy(n.g->values[rci_graph_find_value(n.g, "a.weight")].tensor.data, made, sizeof(made));
    o.criterion = "l2";
    o.ratio = 0.5;
    OK(rc_pruner_new(&p, n.g, &o));
    OK(rc_pruner_cut(p, 0, (const uint64_t[]){1, 4}, 2));
    OK(rc_pruner_cut(p, 0, (const uint64_t[]){3}, 1));
    OK(rc_pruner_cut(p, 0, NULL, 0));
    assert_int_equal(kept(p, 0), 3);
    OK(rc_pruner_apply(&out, p, NULL));
    const float *w = out->values[rci_graph_find_value(out, "a.weight")].tensor.data;
    assert_true(w[0] == 10 && w[1] == 12 && w[2] == 15);
    rc_graph_free(&out);
    REFUSED(rc_pruner_cut(p, 0, (const uint64_t[]){3}, 1), RC_ERR_ARG, "channel 3 is cut twice");
    REFUSED(rc_pruner_cut(p, 0, (const uint64_t[]){6}, 1), RC_ERR_ARG, "channel 6, there are 6");
    REFUSED(rc_pruner_cut(p, 0, (const uint64_t[]){0, 0}, 2), RC_ERR_ARG, "channel 0 is cut twice");
    REFUSED(rc_pruner_cut(p, 0, (const uint64_t[]){0, 2, 5}, 3), RC_ERR_ARG, "all 6 channels");
    REFUSED(rc_pruner_cut(p, 1, (const uint64_t[]){0}, 1), RC_ERR_ARG, "may not be cut");
    REFUSED(rc_pruner_set_kept(p, 0, 4), RC_ERR_ARG, "kept is 4, but 3 of 6 channels were cut");
    assert_int_equal(kept(p, 0), 3);
    rc_pruner_free(&p);
    rci_graph_free(n.g);
}

/* Channels cut by hand count, and the others go by score. */
static void a_plan_starts_from_what_was_cut(void **state)
{
    struct rc_context *c = *state;
    rc_graph *g = tiny_network(c, 0, 3), *out;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_prune_result r = RC_PRUNE_RESULT_INIT;
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    rc_pruner *p;
    const double *s;
    uint64_t count, best = 0;
    o.macs = 0.6;
    OK(rc_pruner_new(&p, g, &o));
    const uint64_t group = free_group(p, 0);
    OK(rc_pruner_get_scores(p, group, &s, &count));
    for (uint64_t k = 1; k < count; k++)
        best = s[k] > s[best] ? k : best;
    OK(rc_pruner_cut(p, group, &best, 1));
    OK(rc_pruner_plan(p, &r));
    assert_true((double) r.macs_after <= 0.6 * (double) r.macs_before);
    assert_true((double) r.macs_after > 0.45 * (double) r.macs_before);
    assert_true(kept(p, group) < count);
    OK(rc_pruner_apply(&out, p, &r));
    OK(rc_graph_get_info(out, &info));
    assert_int_equal(info.macs, r.macs_after);
    assert_int_equal(info.parameters, r.parameters_after);
    rc_graph_free(&out);
    rc_pruner_free(&p);
    rc_graph_free(&g);
}

/* --- histories --- */

static void same_files(struct rc_context *c, const char *a, const char *b)
{
    struct rci_bytes x, y;
    OK(rci_file_read(c, a, 1 << 24, &x));
    OK(rci_file_read(c, b, 1 << 24, &y));
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    rci_release(x.data);
    rci_release(y.data);
}

static void check_replay(struct rc_context *c, const char *folder, const char *repair)
{
    rc_dataset *d = tiny_dataset(c, 64);
    const char *history = scratch_path(folder, "history.json"),
               *one = scratch_path(folder, "1.onnx");
    const char *two = scratch_path(folder, "2.onnx");
    for (int i = 0; i < 2; i++) {
        rc_graph *g = tiny_network(c, 0, 3), *out;
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        rc_pruner *p;
        o.repair = repair;
        o.dataset = d;
        o.images = 48;
        o.criterion = i ? "random" : "energy"; /* the second is not asked */
        o.trunk = RC_PRUNE_TRUNK_CUT;
        OK(rc_pruner_new(&p, g, &o));
        if (!i) {
            const uint64_t group = free_group(p, 1);
            REFUSED(rc_pruner_save_history(p, history), RC_ERR_STATE, "no plan");
            OK(rc_pruner_plan(p, NULL));
            OK(rc_pruner_set_kept(p, group, kept(p, group) > 1 ? kept(p, group) - 1 : 1));
        } else {
            OK(rc_pruner_replay_history(p, history));
        }
        OK(rc_pruner_apply(&out, p, NULL));
        OK(rc_graph_save(out, i ? two : one));
        if (!i)
            OK(rc_pruner_save_history(p, history));
        rc_graph_free(&out);
        rc_pruner_free(&p);
        rc_graph_free(&g);
    }
    same_files(c, one, two);
    rc_dataset_free(&d);
}

static void a_replayed_history_gives_the_same_bytes(void **state)
{
    const char *folder = scratch_folder();
    check_replay(*state, folder, "none");
    check_replay(*state, folder, "least-squares");
    scratch_remove(folder);
}

static void replay_refuses(rc_pruner *p, const char *folder, const char *text, rc_status status,
                           const char *says)
{
    REFUSED(rc_pruner_replay_history(p, scratch_write(folder, "h.json", text, strlen(text))),
            status, says);
    assert_int_equal(kept(p, free_group(p, 0)), 7); /* the plan is as it was */
}

static void other_histories_are_refused(void **state)
{
    struct rc_context *c = *state;
    const char *folder = scratch_folder();
    const char *history = scratch_path(folder, "history.json");
    rc_graph *g = tiny_network(c, 0, 3), *other = tiny_network(c, 0, 4);
    rc_pruner *p;
    OK(rc_pruner_new(&p, g, NULL));
    const uint64_t group = free_group(p, 0);
    OK(rc_pruner_cut(p, group, (const uint64_t[]){0}, 1));
    assert_int_equal(kept(p, group), 7);
    OK(rc_pruner_save_history(p, history));
    replay_refuses(p, folder, "[]", RC_ERR_FORMAT, "h.json");
    replay_refuses(p, folder, "{\"format\": \"x\"}", RC_ERR_FORMAT, "no history of pruning");
    replay_refuses(p, folder,
                   "{\"format\": \"rescomp-prune-history\", \"version\": 2, \"model\": \"\"}",
                   RC_ERR_FORMAT, "version");
    replay_refuses(p, folder,
                   "{\"format\": \"rescomp-prune-history\", \"version\": 1, \"model\": \"0\"}",
                   RC_ERR_ARG, "history of another model");
    REFUSED(rc_pruner_replay_history(p, scratch_path(folder, "none.json")), RC_ERR_PATH,
            "none.json");
    rc_pruner_free(&p);
    OK(rc_pruner_new(&p, other, NULL)); /* other weights */
    REFUSED(rc_pruner_replay_history(p, history), RC_ERR_ARG, "history of another model");
    rc_pruner_free(&p);
    rc_graph_free(&g);
    rc_graph_free(&other);
    scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_are_cut_one_by_one),
        cmocka_unit_test(a_plan_starts_from_what_was_cut),
        cmocka_unit_test(a_replayed_history_gives_the_same_bytes),
        cmocka_unit_test(other_histories_are_refused),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
