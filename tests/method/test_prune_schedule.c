/* Plans made in rounds: what is left is scored anew in the network as cut so far. */
#include "files.h"
#include "handnets.h"
#include "shared.h"
#include "tiny.h"

#include "prune/schedule.h"
#include <math.h>
#include <rescomp/prune.h>

static struct rc_graph *load(struct rc_context *c, const char *name)
{
    struct rc_graph *g;
    char path[96];
    snprintf(path, sizeof(path), "tests/golden/pruning/%s.onnx", name);
    OK(rc_graph_load(&g, c, source_path(path)));
    return g;
}

static uint64_t macs_of(const rc_graph *g)
{
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    OK(rc_graph_get_info(g, &info));
    return info.macs;
}

static rc_graph *cut(const rc_graph *g, const rc_prune_options *o)
{
    rc_pruner *p;
    rc_graph *out;
    OK(rc_pruner_new(&p, g, o));
    OK(rc_pruner_apply(&out, p, NULL));
    rc_pruner_free(&p);
    return out;
}

static void check_same(const rc_graph *a, const rc_graph *b)
{
    assert_int_equal(a->n_values, b->n_values);
    for (uint32_t v = 0; v < a->n_values; v++) {
        const struct rci_tensor *x = &a->values[v].tensor, *y = &b->values[v].tensor;
        assert_true(rci_shape_equal(&x->shape, &y->shape));
        if (rci_value_is_const(&a->values[v]))
            assert_memory_equal(x->data, y->data, rci_tensor_bytes(x));
    }
}

/* Nothing is repaired and the criterion reads weights: two rounds are two cuts, one behind the
 * other. Trunks with padded shortcuts too, whose groups lie in several stages. */
static void two_rounds_are_two_cuts(void **state)
{
    struct rc_context *c = *state;
    static const char *const names[] = {"cifar-option-a", "resnet18", "densenet"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        rc_graph *g = load(c, names[i]);
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        o.criterion = "l1";
        o.normalizer = "mean"; /* of what is left: the second round ranks otherwise */
        o.trunk = RC_PRUNE_TRUNK_CUT;
        o.macs = 0.7;
        rc_graph *first = cut(g, &o);
        o.macs = 0.4 * (double) macs_of(g) / (double) macs_of(first);
        rc_graph *second = cut(first, &o);
        o.macs = 0.4;
        o.schedule = "linear:steps=2";
        rc_graph *rounds = cut(g, &o);
        check_same(rounds, second);
        o.schedule = NULL;
        rc_graph *at_once = cut(g, &o);
        bool same = true;
        for (uint32_t v = 0; v < at_once->n_values; v++)
            same &=
                rci_shape_equal(&at_once->values[v].tensor.shape, &rounds->values[v].tensor.shape);
        assert_false(same);
        rc_graph_free(&first);
        rc_graph_free(&second);
        rc_graph_free(&rounds);
        rc_graph_free(&at_once);
        rc_graph_free(&g);
    }
}

static void every_schedule_meets_the_target(void **state)
{
    struct rc_context *c = *state;
    static const char *const names[] = {"one-shot", "linear", "cubic:steps=3", "geometric:steps=5",
                                        "small-steps:steps=20"};
    rc_graph *g = load(c, "cifar-option-a");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        rc_prune_result once = RC_PRUNE_RESULT_INIT, again = RC_PRUNE_RESULT_INIT;
        rc_pruner *p;
        o.schedule = names[i];
        o.macs = 0.45;
        o.parameters = 0.8;
        OK(rc_pruner_new(&p, g, &o));
        OK(rc_pruner_plan(p, &once));
        OK(rc_pruner_plan(p, &again)); /* from the scores of the whole network again */
        assert_memory_equal(&once, &again, sizeof(once));
        const double left = (double) once.macs_after / (double) once.macs_before;
        if (left > 0.45 || left < 0.4)
            fail_msg("%s: %g of the multiply-adds are left", names[i], left);
        rc_pruner_free(&p);
    }
    rc_graph_free(&g);
}

/* kept(1/2) on the way to 1/5: 1 - 4/5 t, 1 - 4/5 (1 - (1-t)^3), (1/5)^t. */
static void schedules_follow_their_formulas(void **state)
{
    (void) state;
    static const struct {
        const char *name;
        double half;
    } want[] = {
        {"one-shot", 0.2}, {"linear", 0.6}, {"cubic", 0.3}, {"geometric", 0.4472135954999579}};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        const struct rci_method *m;
        OK(rci_method_find(&m, &rci_kind_schedule, want[i].name));
        const struct rci_schedule *s = (const struct rci_schedule *) m;
        assert_true(fabs(s->kept(NULL, 0.5, 0.2) - want[i].half) < 1e-12);
        assert_true(fabs(s->kept(NULL, 1, 0.2) - 0.2) < 1e-12);
    }
}

/* Channels taken by hand stay gone, and a history of the rounds gives the same network. */
static void rounds_keep_what_was_cut_by_hand(void **state)
{
    struct rc_context *c = *state;
    const char *folder = scratch_folder(), *path = scratch_path(folder, "history.json");
    rc_graph *g = tiny_network(c, 0, 3), *rounds, *replayed;
    rc_dataset *d = tiny_dataset(c, 64);
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    o.dataset = d;
    o.images = 48;
    o.macs = 0.6;
    o.schedule = "linear:steps=3";
    o.trunk = RC_PRUNE_TRUNK_CUT;
    OK(rc_pruner_new(&p, g, &o));
    uint64_t group = 0;
    rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
    do
        OK(rc_pruner_get_group(p, group++, &info));
    while (!info.may_cut || info.channels < 3);
    OK(rc_pruner_cut(p, --group, (const uint64_t[]){1}, 1));
    OK(rc_pruner_plan(p, NULL));
    REFUSED(rc_pruner_cut(p, group, (const uint64_t[]){1}, 1), RC_ERR_ARG, "is cut twice");
    OK(rc_pruner_save_history(p, path));
    OK(rc_pruner_apply(&rounds, p, NULL));
    rc_pruner_free(&p);
    o.schedule = NULL;
    OK(rc_pruner_new(&p, g, &o));
    OK(rc_pruner_replay_history(p, path));
    OK(rc_pruner_apply(&replayed, p, NULL));
    check_same(rounds, replayed);
    rc_pruner_free(&p);
    rc_graph_free(&rounds);
    rc_graph_free(&replayed);
    rc_graph_free(&g);
    rc_dataset_free(&d);
    scratch_remove(folder);
}

/* Random scores with everything else that could be random; another seed is another cut. */
static void the_same_seed_gives_the_same_cut(void **state)
{
    struct rc_context *c = *state;
    rc_graph *g = tiny_network(c, 0, 3);
    rc_dataset *d = tiny_dataset(c, 64);
    static const char *const allocation[] = {"global", "lagrangian"};
    for (int k = 0; k < 2; k++) {
        rc_graph *out[3];
        for (int i = 0; i < 3; i++) {
            rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
            o.criterion = "random";
            o.allocation = allocation[k];
            o.schedule = "cubic:steps=3";
            o.trunk = RC_PRUNE_TRUNK_CUT;
            o.dataset = d;
            o.images = 48;
            o.seed = i < 2 ? 7 : 8;
            out[i] = cut(g, &o);
        }
        check_same(out[0], out[1]);
        bool same = true;
        for (uint32_t v = 0; v < g->n_values; v++) {
            const struct rci_tensor *x = &out[0]->values[v].tensor, *y = &out[2]->values[v].tensor;
            same = same && rci_shape_equal(&x->shape, &y->shape) &&
                   (!rci_value_is_const(&out[0]->values[v]) ||
                    !memcmp(x->data, y->data, rci_tensor_bytes(x)));
        }
        assert_false(same);
        for (int i = 0; i < 3; i++)
            rc_graph_free(&out[i]);
    }
    rc_graph_free(&g);
    rc_dataset_free(&d);
}

/* Residual trunks are asked for only where the rest is not enough; then all rounds start anew. */
static void trunks_follow_when_the_rest_is_not_enough(void **state)
{
    struct rc_context *c = *state;
    rc_graph *g = load(c, "cifar-option-a");
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_prune_result r = RC_PRUNE_RESULT_INIT;
    rc_pruner *p;
    o.macs = 0.07;
    o.schedule = "linear:steps=2";
    OK(rc_pruner_new(&p, g, &o));
    OK(rc_pruner_plan(p, &r));
    assert_true((double) r.macs_after <= 0.07 * (double) r.macs_before);
    rc_pruner_free(&p);
    o.macs = 0.001;
    OK(rc_pruner_new(&p, g, &o));
    REFUSED(rc_pruner_plan(p, &r), RC_ERR_GOAL, "target not reachable");
    rc_pruner_free(&p);
    rc_graph_free(&g);
}

static int32_t own_score(void *user, const rc_pruner *p, uint64_t group, double *s, uint64_t n)
{
    (void) user, (void) p, (void) group;
    for (uint64_t i = 0; i < n; i++)
        s[i] = (double) i;
    return 0;
}

static void bad_schedules_are_refused(void **state)
{
    struct rc_context *c = *state;
    rc_graph *g = tiny_network(c, 0, 3);
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    o.schedule = "sudden";
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ARG, "small-steps");
    o.schedule = "linear:steps=0";
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ARG, "steps");
    o.schedule = "linear";
    o.score = own_score;
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ARG, "a score callback knows the whole network only");
    rc_graph_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_rounds_are_two_cuts),
        cmocka_unit_test(every_schedule_meets_the_target),
        cmocka_unit_test(schedules_follow_their_formulas),
        cmocka_unit_test(rounds_keep_what_was_cut_by_hand),
        cmocka_unit_test(the_same_seed_gives_the_same_cut),
        cmocka_unit_test(trunks_follow_when_the_rest_is_not_enough),
        cmocka_unit_test(bad_schedules_are_refused),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
