/* Elimination of channels against direct solves; how layers' outputs are weighted. */
#include "check.h"
#include "handnets.h"
#include "noise.h"
#include "tiny.h"

#include "base/rng.h"
#include "prune/criterion.h"
#include "prune/sensitivity.h"
#include <rescomp/prune.h>

extern const struct rci_criterion rci_criterion_block_obs;

enum { C = 5, TAPS = 3, D = C * TAPS, O = 4 };

static double random_number(uint64_t i)
{
    struct rci_rng r = rci_rng_make(5, i, 0);
    return rci_rng_normal(&r);
}

/* Covariance of correlated data, weights and importance. */
static void make_problem(double gram[D * D], double weight[D * O], double importance[O])
{
    double x[40][D];
    for (int n = 0; n < 40; n++)
        for (int i = 0; i < D; i++) {
            const int j = n * D + i;
            x[n][i] = random_number((uint64_t) j) + (i ? 0.7 * x[n][i - 1] : 0);
        }
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) {
            gram[i * D + j] = 0;
            for (int n = 0; n < 40; n++)
                gram[i * D + j] += x[n][i] * x[n][j] / 40;
        }
    for (int i = 0; i < D * O; i++)
        weight[i] = random_number(10000 + (uint64_t) i);
    for (int k = 0; k < O; k++)
        importance[k] = 0.5 + k;
}

/* Least error without the channels of `gone`: w' (H_RR - H_RS H_SS^-1 H_SR) w over their rows R,
 * by eliminating the rows S that stay. */
static double direct_error(const double *gram, double ridge, const double *weight,
                           const double *importance, unsigned gone)
{
    double h[D][D], mean = 0, error = 0;
    for (int i = 0; i < D; i++)
        mean += gram[i * D + i] / D;
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++)
            h[i][j] = gram[i * D + j] + (i == j) * ridge * mean;
    for (int s = 0; s < D; s++) {
        if (gone >> s / TAPS & 1)
            continue;
        for (int i = 0; i < D; i++)
            if (i != s && (i > s || gone >> i / TAPS & 1))
                for (int j = D; j-- > 0;)
                    if (j > s || gone >> j / TAPS & 1)
                        h[i][j] -= h[i][s] / h[s][s] * h[s][j];
    }
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++)
            for (int k = 0; k < O && (gone >> i / TAPS & 1) && (gone >> j / TAPS & 1); k++)
                error += importance[k] * weight[i * O + k] * h[i][j] * weight[j * O + k];
    return error;
}

static void scores_add_up_to_the_least_error(void **state)
{
    double gram[D * D], weight[D * O], importance[O], score[C], g[D * D], w[D * O];
    const double ridge = 1e-4;
    make_problem(gram, weight, importance);
    memcpy(g, gram, sizeof(g));
    memcpy(w, weight, sizeof(w));
    const struct rci_readout r = {.ctx = *state,
                                  .channels = C,
                                  .taps = TAPS,
                                  .outputs = O,
                                  .gram = g,
                                  .weight = w,
                                  .importance = importance};
    OK(rci_criterion_block_obs.eliminate(&ridge, &r, score));
    unsigned gone = 0;
    double sum = 0;
    for (int step = 0; step < C; step++) {
        int next = -1, cheapest = -1;
        double least = INFINITY;
        for (int c = 0; c < C; c++) {
            if (gone >> c & 1)
                continue;
            if (next < 0 || score[c] < score[next])
                next = c;
            const double e = direct_error(gram, ridge, weight, importance, gone | 1u << c);
            if (e < least) {
                least = e;
                cheapest = c;
            }
        }
        assert_int_equal(next, cheapest);
        gone |= 1u << next;
        sum += score[next];
        bool pooled = false; /* the next one has this one's score: sums agree only behind it */
        for (int c = 0; c < C; c++)
            pooled |= !(gone >> c & 1) && score[c] < score[next] * (1 + 1e-6);
        if (!pooled)
            assert_near(sum, least, 1e-6);
    }
}

/* What a reader sees as constant it can do without. */
static void silent_channels_cost_nothing(void **state)
{
    double gram[D * D] = {0}, weight[D * O], importance[O] = {1, 1, 1, 1}, score[C];
    const double ridge = 1e-4;
    for (int i = 0; i < D * O; i++)
        weight[i] = random_number((uint64_t) i);
    for (int i = 0; i < D; i++) /* channel 2 is silent */
        gram[i * D + i] = i / TAPS == 2 ? 0 : 1;
    const struct rci_readout r = {.ctx = *state,
                                  .channels = C,
                                  .taps = TAPS,
                                  .outputs = O,
                                  .gram = gram,
                                  .weight = weight,
                                  .importance = importance};
    OK(rci_criterion_block_obs.eliminate(&ridge, &r, score));
    for (int c = 0; c < C; c++)
        assert_true(c == 2 ? score[c] < 1e-2 : score[c] > 0.1);
}

/* --- in networks --- */

enum { IMAGES = 64, SIDE = 5 };

static struct net small_net(struct rc_context *c)
{
    struct net n = net_new(c);
    rci_id x =
        net_cbr(&n, "wide", net_input(&n, 2, SIDE, SIDE), (struct net_conv){.out = 7, .k = 3});
    x = net_conv(&n, "reader", x, (struct net_conv){.out = 5, .k = 3});
    x = net_flatten(&n, net_unary(&n, "GlobalAveragePool", x));
    net_done(&n, net_gemm(&n, "fc", x, 3));
    return n;
}

/* logits = F mean(reader): of channel k F[:,k] counts, squared. */
static void outputs_weigh_as_much_as_the_answers_move(void **state)
{
    struct net n = small_net(*state);
    rc_dataset *d = noise_images(*state, IMAGES, 2, SIDE);
    double reader[5], fc[3], *weight[] = {reader, fc};
    const rci_id nodes[] = {rci_graph_find_node(n.g, "reader"), rci_graph_find_node(n.g, "fc")};
    const rci_id fw = rci_graph_find_value(n.g, "fc.weight");
    float *f = n.g->values[fw].tensor.data;
    assert_int_equal(n.g->values[fw].tensor.shape.dim[1], 5);
    for (int o = 0; o < 3; o++) { /* channel 1 twice channel 0, channel 2 unread */
        f[o * 5 + 1] = 2 * f[o * 5];
        f[o * 5 + 2] = 0;
    }
    memset(reader, 0, sizeof(reader));
    memset(fc, 0, sizeof(fc));
    OK(rci_sensitivity_measure(n.g, nodes, 2, d, IMAGES, 1, weight));
    assert_near(reader[1], 4 * reader[0], 1e-4);
    assert_true(reader[2] == 0 && reader[0] > 0);
    for (int k = 0; k < 3; k++) /* the answers themselves: the mean of 64 squares of a normal */
        assert_true(fc[k] > 0.5 && fc[k] < 1.7);
    rc_dataset_free(&d);
    rci_graph_free(n.g);
}

static const double *scores_of(rc_pruner *p, const char *group, uint64_t *n)
{
    const double *score = NULL;
    for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
        rc_prune_group_info g = RC_PRUNE_GROUP_INFO_INIT;
        OK(rc_pruner_get_group(p, i, &g));
        if (!strcmp(g.name, group))
            OK(rc_pruner_get_scores(p, i, &score, n));
    }
    assert_non_null(score);
    return score;
}

/* Channel 4 repeats channel 1: one of them can go for nothing, both cannot. */
static void a_repeated_channel_is_free(void **state)
{
    struct net n = small_net(*state);
    rc_pruner *p;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    uint64_t channels;
    const struct rci_node *conv = &n.g->nodes[rci_graph_find_node(n.g, "wide")];
    const struct rci_node *bn = &n.g->nodes[rci_graph_single_reader(n.g, conv->out[0])];
    float *w = n.g->values[conv->in[1]].tensor.data;
    memcpy(w + 4 * 18, w + 1 * 18, 18 * sizeof(*w));
    for (uint32_t i = 1; i < 5; i++) {
        float *v = n.g->values[bn->in[i]].tensor.data;
        v[4] = v[1];
    }
    o.criterion = "block-obs:ridge=1e-6";
    rc_dataset *data = noise_images(*state, IMAGES, 2, SIDE);
    o.dataset = data;
    o.batch = 24;
    OK(rc_pruner_new(&p, n.g, &o));
    const double *s = scores_of(p, "wide", &channels);
    assert_int_equal(channels, 7);
    const uint32_t first = s[1] < s[4] ? 1 : 4, second = 5 - first;
    for (uint32_t k = 0; k < 7; k++)
        assert_true(k == first ? s[k] < 1e-3 * s[second] : s[k] > 10 * s[first]);
    rc_pruner_free(&p);
    rc_dataset_free(&data);
    rci_graph_free(n.g);
}

/* Losses are compared as they are, unless the user says otherwise. */
static void losses_are_not_normalised(void **state)
{
    struct net n = small_net(*state);
    rc_dataset *d = noise_images(*state, IMAGES, 2, SIDE);
    double largest[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        rc_pruner *p;
        rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
        uint64_t channels;
        o.criterion = "block-obs";
        o.normalizer = i ? "max" : NULL;
        o.dataset = d;
        OK(rc_pruner_new(&p, n.g, &o));
        const double *s = scores_of(p, "wide", &channels);
        for (uint64_t k = 0; k < channels; k++)
            largest[i] = fmax(largest[i], s[k]);
        rc_pruner_free(&p);
    }
    assert_near(largest[1], 1, 1e-12);
    assert_true(fabs(largest[0] - 1) > 1e-3);
    rc_dataset_free(&d);
    rci_graph_free(n.g);
}

static void data_is_needed(void **state)
{
    struct net n = small_net(*state);
    rc_pruner *p;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    o.criterion = "block-obs";
    REFUSED(rc_pruner_new(&p, n.g, &o), RC_ERR_ARG, "criterion block-obs needs a data set");
    rc_dataset *data = noise_images(*state, IMAGES, 2, SIDE);
    o.dataset = data;
    o.criterion = "block-obs:ridge=2";
    REFUSED(rc_pruner_new(&p, n.g, &o), RC_ERR_ARG, "ridge");
    rc_dataset_free(&data);
    rci_graph_free(n.g);
}

/* Trunks are scored only when they are needed, and then the plan is the same. */
static void late_scores_of_trunks_change_nothing(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    rc_graph *g = tiny_network(c, 0, 3);
    rc_dataset *d = tiny_dataset(c, 64);
    for (int deep = 0; deep < 2; deep++) {
        rc_prune_result r[2] = {RC_PRUNE_RESULT_INIT, RC_PRUNE_RESULT_INIT};
        uint64_t kept[2][64] = {{0}};
        for (int first = 0; first < 2; first++) {
            rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
            rc_pruner *p;
            const double *s;
            o.dataset = d;
            o.criterion = "block-obs";
            o.macs = deep ? 0.15 : 0.7;
            OK(rc_pruner_new(&p, g, &o));
            if (first)
                OK(rc_pruner_get_scores(p, 0, &s, NULL)); /* of all groups */
            OK(rc_pruner_plan(p, &r[first]));
            for (uint64_t i = 0; i < rc_pruner_count_groups(p); i++) {
                rc_prune_group_info info = RC_PRUNE_GROUP_INFO_INIT;
                OK(rc_pruner_get_group(p, i, &info));
                kept[first][i] = info.kept;
            }
            rc_pruner_free(&p);
        }
        assert_memory_equal(kept[0], kept[1], sizeof(kept[0]));
        assert_int_equal(r[0].macs_after, r[1].macs_after);
    }
    rc_dataset_free(&d);
    rc_graph_free(&g);
    test_context_done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_add_up_to_the_least_error),
        cmocka_unit_test(silent_channels_cost_nothing),
        cmocka_unit_test(outputs_weigh_as_much_as_the_answers_move),
        cmocka_unit_test(a_repeated_channel_is_free),
        cmocka_unit_test(losses_are_not_normalised),
        cmocka_unit_test(data_is_needed),
        cmocka_unit_test(late_scores_of_trunks_change_nothing),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
