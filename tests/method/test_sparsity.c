/* Sparse training: what the penalties add on examples computed by hand, their gradients against
 * differences of the penalty, and small runs after which channels really are weaker. */
#include "files.h"
#include "test.h"
#include "tiny.h"

#include "graph/graph.h"
#include "prune/criterion.h"
#include "prune/regularizer.h"
#include <math.h>
#include <rescomp/rescomp.h>

enum { N = 4 };

struct example {
    double square[N], magnitude[N], factor[N], against[N];
    float memory[N];
};

/* Ask a method about four units of two weights each: (3, 4), (0, 1), (0, 0), (6, 8). */
static void ask(struct rc_context *c, const char *spec, struct example *e, uint64_t step,
                bool shrink)
{
    const struct rci_method *m;
    void *params;
    OK(rci_method_find(&m, &rci_kind_regularizer, spec));
    OK(rci_method_params(&params, c, m, spec));
    const struct rci_regularizer *r = (const struct rci_regularizer *) m;
    static const double square[N] = {25, 1, 0, 100}, magnitude[N] = {7, 1, 0, 14};
    memcpy(e->square, square, sizeof(square));
    memcpy(e->magnitude, magnitude, sizeof(magnitude));
    for (int k = 0; k < N; k++) {
        e->factor[k] = shrink;
        e->against[k] = 0;
    }
    const struct rci_regular_group g = {.n = N,
                                        .step = step,
                                        .steps = 1000,
                                        .weights = 2,
                                        .square = e->square,
                                        .magnitude = e->magnitude,
                                        .memory = e->memory,
                                        .factor = e->factor,
                                        .against = e->against};
    (shrink ? r->shrink : r->pull)(params, &g);
    rci_release(params);
}

static void check(const struct example *e, double a, double b, double c, double d)
{
    const double want[N] = {a, b, c, d};
    for (int k = 0; k < N; k++)
        if (fabs(e->factor[k] - want[k]) > 1e-12 * fmax(1, fabs(want[k])))
            fail_msg("unit %d: %.17g, wanted %.17g", k, e->factor[k], want[k]);
}

static void factors_are_those_computed_by_hand(void **state)
{
    struct example e = {{0}};
    /* lambda sqrt(2) / norm */
    ask(*state, "group-lasso:lambda=0.1", &e, 0, false);
    check(&e, 0.1 * sqrt(2) / 5, 0.1 * sqrt(2), 0.1 * sqrt(2) / 1e-8, 0.1 * sqrt(2) / 10);
    ask(*state, "slimming:lambda=0.1", &e, 0, false);
    check(&e, 0.1 / 5, 0.1, 0, 0.1 / 10);
    /* 2^(4 (10 - I) / 10), I = 5, 1, 0, 10 */
    ask(*state, "group-sl:reg=0.5", &e, 0, false);
    check(&e, 0.5 * 4, 0.5 * exp2(3.6), 0.5 * 16, 0.5);
    /* units 1 and 2 have the smallest |w|; 10 steps a growth */
    ask(*state, "greg-1:ratio=0.5,delta=0.01,ceiling=0.025", &e, 0, false);
    check(&e, 0, 0.01, 0.01, 0);
    ask(*state, "greg-1:ratio=0.5,delta=0.01,ceiling=0.025", &e, 19, false);
    check(&e, 0, 0.02, 0.02, 0);
    ask(*state, "greg-1:ratio=0.5,delta=0.01,ceiling=0.025", &e, 20, false);
    check(&e, 0, 0.025, 0.025, 0);
}

static void greg_2_chooses_after_all_were_pulled(void **state)
{
    static const char spec[] = "greg-2:ratio=0.25,delta_all=0.1,pick=0.3,delta=0.01,every=5";
    struct example e = {{0}};
    ask(*state, spec, &e, 0, false);
    check(&e, 0.1, 0.1, 0.1, 0.1);
    ask(*state, spec, &e, 14, false);
    check(&e, 0.3, 0.3, 0.3, 0.3);
    assert_true(e.memory[0] == 0);
    ask(*state, spec, &e, 15, false);
    check(&e, 0, 0, 0.31, 0);
    assert_true(e.memory[2] == RC_UNIT_GOES && e.memory[0] == RC_UNIT_STAYS);
    ask(*state, spec, &e, 20, false);
    check(&e, 0, 0, 0.32, 0);
}

static void sfp_and_tpp_mark_the_weakest(void **state)
{
    struct example e = {{0}};
    ask(*state, "sfp:ratio=0.5", &e, 0, true);
    check(&e, 1, 0, 0, 1);
    ask(*state, "sfp:ratio=1", &e, 0, true); /* one stays */
    check(&e, 0, 0, 0, 1);
    ask(*state, "tpp:ratio=0.5,lambda=0.25,delta=0.5", &e, 0, false);
    check(&e, 0, 0.5, 0.5, 0);
    assert_true(e.against[0] == 0 && e.against[1] == 0.25 && e.against[2] == 0.25);
}

/* --- in a run --- */

static float *weight(rc_graph *g, const char *name, size_t *n)
{
    const rci_id v = rci_graph_find_value(g, name);
    if (v == RC_NONE)
        fail_msg("no value %s", name);
    *n = (size_t) rci_shape_count(&g->values[v].tensor.shape);
    return g->values[v].tensor.data;
}

/* Trains with weight decay 0; NULL: no penalty. */
static rc_graph *trained(struct rc_context *c, const char *method, uint64_t epochs, double lr,
                         const char *checkpoint, bool resume)
{
    rc_graph *g = tiny_network(c, 0, 1);
    rc_dataset *d = tiny_dataset(c, 64);
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    rc_sparsify_options p = RC_SPARSIFY_OPTIONS_INIT;
    rc_sparsifier *s = NULL, *late = NULL;
    rc_trainer *t;
    o.batch = 16;
    o.epochs = epochs;
    o.lr = lr;
    o.rate = "constant";
    o.optimizer = "sgd:weight_decay=0,momentum=0";
    o.flags = RC_TRAIN_IN_ORDER;
    o.checkpoint = checkpoint;
    o.resume = resume;
    OK(rc_trainer_new(&t, g, d, &o));
    p.method = method;
    if (method)
        OK(rc_sparsifier_new(&s, t, &p));
    OK(rc_trainer_run(t, NULL));
    REFUSED(rc_sparsifier_new(&late, t, &p), RC_ERR_STATE, "ran already");
    rc_trainer_free(&t);
    rc_sparsifier_free(&s);
    rc_dataset_free(&d);
    return g;
}

/* One step with penalty less one without is -lr d penalty / d w: lambda w sqrt(n) / ||w||. */
static void one_step_adds_the_gradient(void **state)
{
    struct rc_context *c = *state;
    rc_graph *start = tiny_network(c, 0, 1);
    rc_pruner *p;
    OK(rc_pruner_new(&p, start, NULL));
    rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
    uint64_t group = 0;
    do
        OK(rc_pruner_get_group(p, group++, &info));
    while (!info.may_cut || info.producers > 1);
    /* norms of the group's first channel, by the members that the pruner lists */
    double square = 0;
    size_t weights = 0;
    const char *made = NULL;
    for (uint64_t m = 0; m < info.members; m++) {
        rc_prune_member_info member = RC_PRUNE_MEMBER_INFO_INIT;
        OK(rc_pruner_get_member(p, group - 1, m, &member));
        if (member.role == RC_PRUNE_FOLLOWS)
            continue;
        const struct rci_tensor *t =
            &start->values[rci_graph_find_value(start, member.weight)].tensor;
        const int64_t inner = rci_shape_count(&t->shape) / t->shape.dim[0];
        const int64_t taps = t->shape.rank == 4 ? t->shape.dim[2] * t->shape.dim[3] : 1;
        const float *w = t->data;
        if (member.role == RC_PRUNE_MAKES)
            made = member.weight;
        for (int64_t o = 0; o < (member.axis == 0 ? 1 : t->shape.dim[0]); o++)
            for (int64_t i = 0; i < (member.axis == 0 ? inner : taps); i++, weights++)
                square += (double) w[o * inner + i] * (double) w[o * inner + i];
    }
    const double lr = 0.01;
    rc_graph *plain = trained(c, NULL, 1, lr, NULL, false), *pulled;
    size_t n;
    /* one epoch has four steps; the difference of the first is what is asked, so compare runs whose
     * penalty is too small to bend the later ones */
    pulled = trained(c, "group-lasso:lambda=1e-3", 1, lr, NULL, false);
    float *before = weight(start, made, &n), *a = weight(plain, made, &n),
          *b = weight(pulled, made, &n);
    const size_t inner = n / info.channels;
    double difference = 0, norm = 0;
    for (size_t i = 0; i < inner; i++) {
        difference += ((double) b[i] - (double) a[i]) * (double) before[i];
        norm += (double) before[i] * (double) before[i];
    }
    const double want = -4 * lr * 1e-3 * sqrt((double) weights) / sqrt(square) * norm;
    if (fabs(difference - want) > 0.25 * fabs(want))
        fail_msg("weights moved by %g, wanted %g", difference, want);
    rc_graph_free(&plain);
    rc_graph_free(&pulled);
    rc_graph_free(&start);
    rc_pruner_free(&p);
}

static void same_weights(struct rc_context *c, const rc_graph *a, const rc_graph *b)
{
    (void) c;
    for (uint32_t v = 0; v < a->n_values; v++)
        if (rci_value_is_const(&a->values[v]))
            assert_memory_equal(a->values[v].tensor.data, b->values[v].tensor.data,
                                rci_tensor_bytes(&a->values[v].tensor));
}

/* Sum over all groups inside blocks of the smallest norm of a channel over the largest. */
static double weakness(const rc_graph *g)
{
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    double sum = 0;
    uint64_t n, groups = 0;
    o.criterion = "l2";
    o.normalizer = "none";
    OK(rc_pruner_new(&p, g, &o));
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
        const double *s;
        double low = INFINITY, high = 0;
        OK(rc_pruner_get_group(p, i, &info));
        if (!info.may_cut || info.producers > 1)
            continue;
        OK(rc_pruner_get_scores(p, i, &s, &n));
        for (uint64_t k = 0; k < n; k++) {
            low = fmin(low, s[k]);
            high = fmax(high, s[k]);
        }
        sum += low / high;
        groups++;
    }
    rc_pruner_free(&p);
    return sum / (double) groups;
}

static void channels_become_weak(void **state)
{
    struct rc_context *c = *state;
    static const char *const specs[] = {"group-lasso:lambda=0.02", "group-sl:reg=0.2",
                                        "greg-1:delta=0.2,every=2",
                                        "greg-2:delta_all=0.1,pick=0.2,"
                                        "delta=0.2,every=2",
                                        "tpp:delta=0.2,every=2,lambda=0.01"};
    rc_graph *plain = trained(c, NULL, 20, 0.05, NULL, false);
    const double before = weakness(plain);
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        rc_graph *g = trained(c, specs[i], 20, 0.05, NULL, false);
        const double after = weakness(g);
        if (!(after < 0.7 * before))
            fail_msg("%s: the weakest channels have %g of the strongest, without %g", specs[i],
                     after, before);
        rc_graph_free(&g);
    }
    rc_graph_free(&plain);
}

static void slimming_shrinks_scales_and_sfp_zeroes_filters(void **state)
{
    struct rc_context *c = *state;
    rc_graph *plain = trained(c, NULL, 8, 0.05, NULL, false);
    rc_graph *slim = trained(c, "slimming:lambda=0.1", 8, 0.05, NULL, false);
    rc_graph *soft = trained(c, "sfp:ratio=0.5", 2, 0.05, NULL, false);
    rc_pruner *p;
    OK(rc_pruner_new(&p, plain, NULL));
    double sum[2] = {0, 0};
    uint32_t zeros = 0, filters = 0;
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
        OK(rc_pruner_get_group(p, i, &info));
        for (uint64_t m = 0; info.may_cut && info.producers == 1 && m < info.members; m++) {
            rc_prune_member_info member = RC_PRUNE_MEMBER_INFO_INIT;
            size_t n;
            OK(rc_pruner_get_member(p, i, m, &member));
            const float *a = weight(plain, member.weight, &n), *b = weight(slim, member.weight, &n);
            for (size_t k = 0; member.role == RC_PRUNE_SCALES && k < n; k++) {
                sum[0] += fabs((double) a[k]);
                sum[1] += fabs((double) b[k]);
            }
            if (member.role != RC_PRUNE_MAKES)
                continue;
            const float *w = weight(soft, member.weight, &n);
            const size_t inner = n / info.channels;
            for (uint64_t k = 0; k < info.channels; k++) {
                bool zero = true;
                for (size_t x = 0; x < inner; x++)
                    zero &= w[k * inner + x] == 0;
                zeros += zero;
            }
            filters += (uint32_t) info.channels;
        }
    }
    assert_true(sum[1] < 0.95 * sum[0]);
    assert_int_equal(zeros, filters / 2);
    rc_pruner_free(&p);
    rc_graph_free(&plain);
    rc_graph_free(&slim);
    rc_graph_free(&soft);
}

/* What a method has chosen is part of the checkpoint. */
static void resumed_runs_go_on_with_the_same_channels(void **state)
{
    struct rc_context *c = *state;
    const char *folder = scratch_folder(), *path = scratch_path(folder, "run.ckpt");
    rc_graph *whole = trained(c, "greg-1:delta=0.1,every=3", 2, 0.05, path, false);
    rc_graph *again = trained(c, "greg-1:delta=0.1,every=3", 2, 0.05, path, true);
    same_weights(c, whole, again);
    rc_dataset *d = tiny_dataset(c, 64);
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    rc_sparsify_options p = RC_SPARSIFY_OPTIONS_INIT;
    rc_trainer *t;
    rc_sparsifier *s;
    p.method = "greg-1:delta=0.2,every=3";
    o.batch = 16;
    o.epochs = 2;
    o.lr = 0.05;
    o.rate = "constant";
    o.optimizer = "sgd:weight_decay=0,momentum=0";
    o.flags = RC_TRAIN_IN_ORDER;
    o.checkpoint = path;
    o.resume = 1;
    OK(rc_trainer_new(&t, again, d, &o));
    OK(rc_sparsifier_new(&s, t, &p));
    REFUSED(rc_trainer_run(t, NULL), RC_ERR_ARG, "");
    rc_trainer_free(&t);
    rc_sparsifier_free(&s);
    rc_dataset_free(&d);
    rc_graph_free(&whole);
    rc_graph_free(&again);
    scratch_remove(folder);
}

static void bad_penalties_are_refused(void **state)
{
    struct rc_context *c = *state;
    rc_graph *g = tiny_network(c, 0, 1);
    rc_dataset *d = tiny_dataset(c, 64);
    rc_sparsify_options o = RC_SPARSIFY_OPTIONS_INIT;
    rc_train_options t = RC_TRAIN_OPTIONS_INIT;
    rc_sparsifier *s;
    rc_trainer *by;
    t.batch = 16;
    OK(rc_trainer_new(&by, g, d, &t));
    o.method = "wish";
    REFUSED(rc_sparsifier_new(&s, by, &o), RC_ERR_ARG, "group-lasso");
    o.method = "slimming:lambda=-1";
    REFUSED(rc_sparsifier_new(&s, by, &o), RC_ERR_ARG, "lambda");
    o.method = NULL;
    o.keep = (const char *const[]){"nobody"};
    o.keep_count = 1;
    REFUSED(rc_sparsifier_new(&s, by, &o), RC_ERR_ARG, "matches no node");
    o.keep = (const char *const[]){"*"};
    REFUSED(rc_sparsifier_new(&s, by, &o), RC_ERR_ARG, "no channels of the model may be cut");
    o.trunk = 7;
    REFUSED(rc_sparsifier_new(&s, by, &o), RC_ERR_ARG, "trunk is 7");
    REFUSED(rc_sparsifier_new(&s, NULL, NULL), RC_ERR_ARG, "trainer is NULL");
    assert_null(s);
    rc_trainer_free(&by);
    rc_dataset_free(&d);
    rc_graph_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_are_those_computed_by_hand),
        cmocka_unit_test(greg_2_chooses_after_all_were_pulled),
        cmocka_unit_test(sfp_and_tpp_mark_the_weakest),
        cmocka_unit_test(one_step_adds_the_gradient),
        cmocka_unit_test(channels_become_weak),
        cmocka_unit_test(slimming_shrinks_scales_and_sfp_zeroes_filters),
        cmocka_unit_test(resumed_runs_go_on_with_the_same_channels),
        cmocka_unit_test(bad_penalties_are_refused),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
