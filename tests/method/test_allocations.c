/* Methods that choose between all widths: hand-made curves, every choice tried, and costs of the
 * caller's own. */
#include "handnets.h"

#include "base/rng.h"
#include "prune/allocate.h"
#include <math.h>
#include <rescomp/prune.h>

enum { GROUPS = 3, WIDTHS = 5 };

struct curves {
    double error[GROUPS][WIDTHS], saved[GROUPS][WIDTHS];
    struct rci_allocation_curve c[GROUPS];
};

static void link_curves(struct curves *v)
{
    for (int i = 0; i < GROUPS; i++)
        v->c[i] =
            (struct rci_allocation_curve){.n = WIDTHS, .error = v->error[i], .saved = v->saved[i]};
}

/* Errors rise, but neither evenly nor ever faster. */
static struct curves draw_curves(uint64_t seed)
{
    struct curves v;
    struct rci_rng rng = rci_rng_make(seed, 0, 0);
    for (int i = 0; i < GROUPS; i++)
        for (int j = 0; j < WIDTHS; j++) {
            v.error[i][j] = j ? v.error[i][j - 1] + rci_rng_uniform(&rng) : 0;
            v.saved[i][j] =
                j ? v.saved[i][j - 1] + 1 + (double) (int) (4 * rci_rng_uniform(&rng)) : 0;
        }
    return v;
}

static double total(const struct curves *v, bool saved)
{
    double sum = 0;
    for (int i = 0; i < GROUPS; i++)
        sum += saved ? v->saved[i][v->c[i].pick] : v->error[i][v->c[i].pick];
    return sum;
}

static double best_error(const struct curves *v, double needed)
{
    double best = INFINITY;
    for (int a = 0; a < WIDTHS; a++)
        for (int b = 0; b < WIDTHS; b++)
            for (int c = 0; c < WIDTHS; c++)
                if (v->saved[0][a] + v->saved[1][b] + v->saved[2][c] >= needed)
                    best = fmin(best, v->error[0][a] + v->error[1][b] + v->error[2][c]);
    return best;
}

static void choose(struct rc_context *c, const char *spec, struct curves *v, double needed)
{
    const struct rci_method *m;
    void *params;
    link_curves(v);
    OK(rci_method_find(&m, &rci_kind_allocation, spec));
    OK(rci_method_params(&params, c, m, spec));
    OK(((const struct rci_allocation *) m)->choose(params, c, v->c, GROUPS, needed));
    rci_release(params);
}

static void dp_finds_the_smallest_error(void **state)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct curves v = draw_curves(seed);
        const double needed = 4 + (double) (seed % 20);
        const double best = best_error(&v, needed);
        if (isinf(best))
            continue;
        /* whole numbers of savings: one bin each, so nothing is lost by rounding */
        char spec[32];
        snprintf(spec, sizeof(spec), "dp:bins=%d", (int) needed * 4);
        choose(*state, spec, &v, needed);
        assert_true(total(&v, true) >= needed);
        if (fabs(total(&v, false) - best) > 1e-9)
            fail_msg("seed %d: error %g, the smallest is %g", (int) seed, total(&v, false), best);
    }
}

static void others_meet_the_need_and_come_close(void **state)
{
    static const char *const names[] = {"greedy", "lagrangian"};
    for (int k = 0; k < 2; k++) {
        double sum = 0, best = 0;
        for (uint64_t seed = 0; seed < 200; seed++) {
            struct curves v = draw_curves(seed);
            const double needed = 4 + (double) (seed % 20), least = best_error(&v, needed);
            if (isinf(least))
                continue;
            choose(*state, names[k], &v, needed);
            assert_true(total(&v, true) >= needed);
            assert_true(total(&v, false) >= least - 1e-12);
            sum += total(&v, false);
            best += least;
        }
        if (sum > 1.25 * best)
            fail_msg("%s: errors are %g times the smallest", names[k], sum / best);
    }
}

/* A dear first width, then three for nothing: one width at a time never gets there. */
static void greedy_looks_ahead(void **state)
{
    struct curves v = {.error = {{0, 3, 3, 3, 3}, {0, 2, 4, 6, 8}, {0, 9, 18, 27, 36}},
                       .saved = {{0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}}};
    choose(*state, "greedy", &v, 4);
    assert_true(v.c[0].pick == 4 && v.c[1].pick == 0 && v.c[2].pick == 0);
    choose(*state, "greedy:ahead=1", &v, 4);
    assert_true(v.c[1].pick > 0);
    choose(*state, "dp", &v, 4);
    assert_true(v.c[0].pick == 4 && v.c[1].pick == 0 && v.c[2].pick == 0);
}

/* More than there is: whatever saves most. Savings may fall, as measured times do. */
static void what_cannot_be_had_is_all_there_is(void **state)
{
    static const char *const names[] = {"greedy", "lagrangian", "dp"};
    for (int k = 0; k < 3; k++) {
        struct curves v = {.error = {{0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}},
                           .saved = {{0, 2, 1, 4, 3}, {0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}}};
        choose(*state, names[k], &v, 100);
        assert_true(total(&v, true) == 12);
    }
}

/* --- through the pruner --- */

static rc_graph *chain(struct rc_context *c)
{
    struct net n = net_new(c);
    rci_id x = net_input(&n, 2, 6, 6);
    x = net_cbr(&n, "a", x, (struct net_conv){.out = 8, .k = 3});
    x = net_cbr(&n, "b", x, (struct net_conv){.out = 16, .k = 3});
    x = net_cbr(&n, "c", x, (struct net_conv){.out = 8, .k = 3});
    net_done(&n, net_gemm(&n, "fc", net_flatten(&n, net_unary(&n, "GlobalAveragePool", x)), 3));
    return n.g;
}

static double steps_of_four(void *user, const rc_pruner *p, uint64_t group, uint64_t kept)
{
    (void) p, (void) group;
    ++*(uint64_t *) user;
    return (double) ((kept + 3) / 4); /* a processor that works on four channels at once */
}

static void costs_of_the_caller_are_met(void **state)
{
    static const char *const names[] = {"per-cost", "greedy", "lagrangian", "dp"};
    struct rc_context *c = *state;
    rc_graph *g = chain(c);
    for (int k = 0; k < 4; k++) {
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        rc_pruner *p;
        uint64_t asked = 0;
        double left = 0;
        o.criterion = "l2";
        o.allocation = names[k];
        o.cost = steps_of_four;
        o.cost_user = &asked;
        o.cost_keep = 0.75; /* 6 of 8 */
        OK(rc_pruner_new(&p, g, &o));
        OK(rc_pruner_plan(p, NULL));
        assert_int_equal(asked, 8 + 16 + 8);
        for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
            rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
            OK(rc_pruner_get_group(p, i, &info));
            if (!info.may_cut)
                continue;
            left += steps_of_four(&asked, p, i, info.kept);
            /* nobody gives up channels that save nothing */
            assert_true(k == 0 || info.kept % 4 == 0);
        }
        assert_true(left == 6);
        rc_pruner_free(&p);
    }
    rc_graph_free(&g);
}

/* Neighbouring groups share a layer, so their savings do not add up. */
static void shared_layers_are_counted_once(void **state)
{
    static const char *const names[] = {"greedy", "lagrangian", "dp"};
    struct rc_context *c = *state;
    rc_graph *g = chain(c);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 4; i++) {
            static const double keep[] = {0.8, 0.5, 0.3, 0.15};
            rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
            rc_prune_result r = RC_PRUNE_RESULT_INIT;
            rc_pruner *p;
            o.criterion = "l2";
            o.allocation = names[k];
            o.macs = keep[i];
            OK(rc_pruner_new(&p, g, &o));
            OK(rc_pruner_plan(p, &r));
            const double left = (double) r.macs_after / (double) r.macs_before;
            if (left > keep[i] || left < keep[i] - 0.1)
                fail_msg("%s: %g of the multiply-adds, %g asked", names[k], left, keep[i]);
            rc_pruner_free(&p);
        }
    rc_graph_free(&g);
}

static void what_does_not_go_together_is_refused(void **state)
{
    struct rc_context *c = *state;
    rc_graph *g = chain(c);
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    o.allocation = "dp";
    o.scope = "local";
    OK(rc_pruner_new(&p, g, &o));
    REFUSED(rc_pruner_plan(p, NULL), RC_ERR_ARG, "needs scope \"global\"");
    rc_pruner_free(&p);
    o.scope = NULL;
    o.schedule = "small-steps";
    OK(rc_pruner_new(&p, g, &o));
    REFUSED(rc_pruner_plan(p, NULL), RC_ERR_ARG, "chooses all widths at once");
    rc_pruner_free(&p);
    o.schedule = NULL;
    o.macs = 0.001;
    OK(rc_pruner_new(&p, g, &o));
    REFUSED(rc_pruner_plan(p, NULL), RC_ERR_GOAL, "target not reachable");
    rc_pruner_free(&p);
    o.cost_keep = 0.5;
    REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ARG, "cost is NULL");
    rc_graph_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dp_finds_the_smallest_error),
        cmocka_unit_test(others_meet_the_need_and_come_close),
        cmocka_unit_test(greedy_looks_ahead),
        cmocka_unit_test(what_cannot_be_had_is_all_there_is),
        cmocka_unit_test(costs_of_the_caller_are_met),
        cmocka_unit_test(shared_layers_are_counted_once),
        cmocka_unit_test(what_does_not_go_together_is_refused),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
