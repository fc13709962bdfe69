/* Who competes with whom for channels, and what layers keep by name. */
#include "handnets.h"

#include <rescomp/prune.h>

enum { A, B, C, GROUPS };

/* Three inner groups of 8, 16 and 8 channels; "a" has the smallest weights. The last one is read by
 * a Gemm, the others by convolutions. */
static struct rc_graph *three_groups(struct rc_context *c)
{
    struct net n = net_new(c);
    rci_id x = net_input(&n, 2, 6, 6);
    x = net_cbr(&n, "a", x, (struct net_conv){.out = 8, .k = 3});
    x = net_cbr(&n, "b", x, (struct net_conv){.out = 16, .k = 3});
    x = net_cbr(&n, "c", x, (struct net_conv){.out = 8, .k = 3});
    net_done(&n, net_gemm(&n, "fc", net_flatten(&n, net_unary(&n, "GlobalAveragePool", x)), 3));
    struct rci_tensor *t = &n.g->values[rci_graph_find_value(n.g, "a.bn.weight")].tensor;
    for (uint32_t k = 0; k < 8; k++)
        ((float *) t->data)[k] = 1e-4f * (float) (k + 1);
    return n.g;
}

static rc_prune_options by_scale(void)
{
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    o.criterion = "bn-scale";
    o.normalizer = "none";
    return o;
}

/* What each group keeps; *st: of the plan. */
static void plan(const struct rc_graph *g, const rc_prune_options *o, rc_status *st,
                 uint64_t kept[GROUPS], rc_prune_result *r)
{
    rc_pruner *p;
    OK(rc_pruner_new(&p, g, o));
    *r = (rc_prune_result) RC_PRUNE_RESULT_INIT;
    *st = rc_pruner_plan(p, r);
    for (uint64_t i = 0, k = 0; i < rc_pruner_count_groups(p); i++) {
        rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
        OK(rc_pruner_get_group(p, i, &info));
        if (info.may_cut)
            kept[k++] = info.kept;
    }
    rc_pruner_free(&p);
}

static void check_kept(const struct rc_graph *g, const rc_prune_options *o, uint64_t a, uint64_t b,
                       uint64_t c)
{
    uint64_t kept[GROUPS];
    rc_prune_result r;
    rc_status st;
    plan(g, o, &st, kept, &r);
    assert_int_equal(st, RC_OK);
    if (kept[A] != a || kept[B] != b || kept[C] != c)
        fail_msg("kept %d %d %d, wanted %d %d %d", (int) kept[A], (int) kept[B], (int) kept[C],
                 (int) a, (int) b, (int) c);
}

static void local_scope_takes_the_same_part_of_every_group(void **state)
{
    struct rc_graph *g = three_groups(*state);
    rc_prune_options o = by_scale();
    o.ratio = 0.75;
    check_kept(g, &o, 1, 16, 7); /* one ranking: "a" goes down to a tenth first */
    o.scope = "local";
    check_kept(g, &o, 6, 12, 6);
    rci_graph_free(g);
}

static void groups_of_a_kind_compete_in_isomorphic_scope(void **state)
{
    struct rc_graph *g = three_groups(*state);
    rc_prune_options o = by_scale();
    o.ratio = 0.75;
    o.scope = "isomorphic";
    check_kept(g, &o, 2, 16, 6); /* "a" and "b": 18 of 24 */
    rci_graph_free(g);
}

static void scopes_of_ones_own_share_a_ratio(void **state)
{
    struct rc_graph *g = three_groups(*state);
    const char *const half[] = {"b,c=0.5"}, *const apart[] = {"b,c"};
    rc_prune_options o = by_scale();
    uint64_t kept[GROUPS];
    rc_prune_result r;
    rc_status st;
    o.scopes = half;
    o.scope_count = 1;
    plan(g, &o, &st, kept, &r);
    assert_int_equal(st, RC_OK);
    assert_int_equal(kept[A], 8); /* no other target */
    assert_int_equal(kept[B] + kept[C], 12);
    o.scopes = apart;
    o.ratio = 0.75;
    plan(g, &o, &st, kept, &r);
    assert_int_equal(kept[A], 6);
    assert_int_equal(kept[B] + kept[C], 18);
    rci_graph_free(g);
}

static void layers_keep_the_ratio_of_the_first_pattern(void **state)
{
    struct rc_graph *g = three_groups(*state);
    const char *const ratios[] = {"b=0.25", "?=0.5"};
    rc_prune_options o = by_scale();
    uint64_t kept[GROUPS];
    rc_prune_result r;
    rc_status st;
    o.ratios = ratios;
    o.ratio_count = 2;
    check_kept(g, &o, 4, 4, 4);
    o.ratio_count = 1;
    check_kept(g, &o, 8, 4, 8);
    o.macs = 0.3; /* the others make up the rest */
    plan(g, &o, &st, kept, &r);
    assert_int_equal(st, RC_OK);
    assert_int_equal(kept[B], 4);
    assert_true((double) r.macs_after <= 0.3 * (double) r.macs_before);
    o.min_channels = 6;
    plan(g, &o, &st, kept, &r);
    assert_int_equal(st, RC_ERR_GOAL);
    assert_non_null(strstr(rc_last_error(), "\"b\": at least 0.3750 of the channels remain"));
    rci_graph_free(g);
}

static void weights_fit_into_bytes(void **state)
{
    struct rc_graph *g = three_groups(*state);
    rc_prune_options o = by_scale();
    uint64_t kept[GROUPS];
    rc_prune_result r;
    rc_status st;
    o.bytes = 6000;
    o.allocation = "per-cost";
    plan(g, &o, &st, kept, &r);
    assert_int_equal(st, RC_OK);
    assert_true(r.parameters_after * 4 <= 6000 && r.parameters_after * 4 > 4500);
    o.bytes = 64;
    plan(g, &o, &st, kept, &r);
    assert_int_equal(st, RC_ERR_GOAL);
    assert_non_null(strstr(rc_last_error(), "bytes of weights remain, 64 asked"));
    rci_graph_free(g);
}

static void wrong_scopes_are_refused(void **state)
{
    struct rc_graph *g = three_groups(*state);
    static const struct {
        const char *scope, *scopes, *ratios, *text;
    } t[] = {
        {"glob", NULL, NULL, "scope is \"glob\", allowed are global, local and isomorphic"},
        {NULL, "a,nobody", NULL, "scopes: \"nobody\" matches no layer"},
        {NULL, "a=2", NULL, "scopes: \"a=2\": the fraction to keep is above 0 up to 1"},
        {NULL, NULL, "a", "ratios: \"a\" is not PATTERN=FRACTION"},
        {NULL, NULL, "a=", "\"a=\": the fraction to keep"},
        {NULL, NULL, "a=0.5x", "\"a=0.5x\": the fraction to keep"},
        {NULL, NULL, "fc=0.5", "ratios: \"fc\" matches no layer that may be cut"},
    };
    for (uint32_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        rc_prune_options o = by_scale();
        rc_pruner *p;
        o.scope = t[i].scope;
        o.scopes = &t[i].scopes;
        o.scope_count = t[i].scopes != NULL;
        o.ratios = &t[i].ratios;
        o.ratio_count = t[i].ratios != NULL;
        REFUSED(rc_pruner_new(&p, g, &o), RC_ERR_ARG, t[i].text);
    }
    rci_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_scope_takes_the_same_part_of_every_group),
        cmocka_unit_test(groups_of_a_kind_compete_in_isomorphic_scope),
        cmocka_unit_test(scopes_of_ones_own_share_a_ratio),
        cmocka_unit_test(layers_keep_the_ratio_of_the_first_pattern),
        cmocka_unit_test(weights_fit_into_bytes),
        cmocka_unit_test(wrong_scopes_are_refused),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
