/* Widths for what goals allow. Costs of widths are predicted; a network of these widths, with the
 * weights as they are, is then made and measured, and the prediction corrected by what it missed
 * by, towards narrower and towards wider networks, until all costs fit and little is given away. */
#include "recipe/aim.h"

#include <math.h>
#include <string.h>

enum { MOST_TRIES = 6 };
static const double close_enough = 0.97; /* of the goal that is nearest to its limit */

static const enum rci_goal goal_of[RC_WIDTH_COSTS] = {
    [RC_WIDTH_MACS] = RC_GOAL_MACS,
    [RC_WIDTH_BYTES] = RC_GOAL_SIZE,
    [RC_WIDTH_MS] = RC_GOAL_LATENCY,
    [RC_WIDTH_JOULES] = RC_GOAL_ENERGY,
};

/* What is known of one goal: predicted and measured where it was missed and where it was met, in
 * parts of before; 0: not yet. */
struct bracket {
    double high[2], low[2];
    double next; /* to be predicted at most */
};

static double fit_before(const struct rci_aim *a, uint32_t cost)
{
    return cost == RC_WIDTH_BYTES ? (double) a->run->before.file_bytes : a->base[cost];
}

static void fit_budgets(const struct rci_aim *a, const struct bracket *b,
                        double budget[RC_WIDTH_COSTS])
{
    for (uint32_t k = 0; k < RC_WIDTH_COSTS; k++)
        budget[k] = a->fit[goal_of[k]] > 0 ? b[goal_of[k]].next * fit_before(a, k) : 0;
    /* nothing is known of the caller's cost but that it falls with the work */
    if (a->fit[RC_GOAL_COST] > 0) {
        const double macs = b[RC_GOAL_COST].next * a->base[RC_WIDTH_MACS];
        if (budget[RC_WIDTH_MACS] == 0 || macs < budget[RC_WIDTH_MACS])
            budget[RC_WIDTH_MACS] = macs;
    }
}

/* Between a miss and a hit the line through both is followed; outside, proportion. */
static void fit_learn(struct bracket *b, double limit, double predicted, double value)
{
    double *side = value > limit ? b->high : b->low;
    side[0] = predicted;
    side[1] = value;
    b->next = predicted * limit / value * (value > limit ? 0.99 : 1);
    const double span = b->high[1] - b->low[1];
    if (b->high[1] > 0 && b->low[1] > 0 && b->high[0] > b->low[0] && span > 0) {
        const double share = (0.99 * limit - b->low[1]) / span;
        b->next = b->low[0] + (b->high[0] - b->low[0]) * fmin(0.9, fmax(0.1, share));
    }
}

/* Predicted over before, as the widths of now are. */
static void fit_predicted(const struct rci_aim *a, double value[RC_GOALS])
{
    for (uint32_t k = 0; k < RC_WIDTH_COSTS; k++) {
        const double before = k == RC_WIDTH_BYTES ? (double) a->run->before.file_bytes : a->base[k];
        value[goal_of[k]] = before > 0 ? a->widths->cost[k] / before : 0;
    }
    value[RC_GOAL_COST] = value[RC_GOAL_MACS];
}

static rc_status fit_measure(struct rci_aim *a, uint64_t bits, double value[RC_GOALS])
{
    struct rc_graph *cut = NULL, *integers = NULL;
    struct rci_figures f = {0};
    rc_status st = RC_OK;
    for (uint32_t i = 0; i < a->widths->n_groups && st == RC_OK; i++)
        if (a->widths->group[i].may_cut)
            st = rc_pruner_set_kept(a->shapes, i, a->widths->group[i].kept);
    if (st == RC_OK)
        st = rc_pruner_apply(&cut, a->shapes, NULL);
    if (st == RC_OK)
        st = rci_aim_quantize(a, &integers, cut, bits, true);
    if (st == RC_OK)
        st = rci_aim_costs(a, integers, &f, value,
                           a->fit[RC_GOAL_LATENCY] > 0 || a->fit[RC_GOAL_ENERGY] > 0);
    rc_graph_free(&cut);
    rc_graph_free(&integers);
    return st;
}

/* The largest share of a limit that a cost takes. */
static double fit_fullest(const struct rci_aim *a, const double value[RC_GOALS])
{
    double most = 0;
    for (uint32_t i = RC_GOAL_SIZE; i < RC_GOALS; i++)
        if (a->fit[i] > 0)
            most = fmax(most, value[i] / a->fit[i]);
    return most;
}

static void fit_keep(const struct rci_widths *w, uint32_t *kept)
{
    for (uint32_t i = 0; i < w->n_groups; i++)
        kept[i] = w->group[i].kept;
}

static rc_status fit_restore(struct rci_aim *a, const uint32_t *kept)
{
    for (uint32_t i = 0; i < a->widths->n_groups; i++)
        a->widths->group[i].kept = kept[i];
    return rci_widths_set_bits(a->widths, a->widths->bits, a->widths->integers);
}

/* `kept`: of the best try so far. */
static rc_status fit_try(struct rci_aim *a, uint64_t bits, uint32_t *kept)
{
    double best_loss = INFINITY, best_miss = INFINITY;
    struct bracket b[RC_GOALS] = {0};
    for (uint32_t i = 0; i < RC_GOALS; i++)
        b[i].next = a->fit[i];
    for (uint32_t t = 0; t < MOST_TRIES; t++) {
        double budget[RC_WIDTH_COSTS], value[RC_GOALS] = {0}, predicted[RC_GOALS] = {0};
        bool met;
        RC_TRY(rci_check_cancel(a->run->ctx));
        rci_run_show(a->run, "widths", (double) t / MOST_TRIES);
        fit_budgets(a, b, budget);
        RC_TRY(rci_widths_solve(a->widths, budget, &met));
        fit_predicted(a, predicted);
        RC_TRY(fit_measure(a, bits, value));
        const double fullest = fit_fullest(a, value), loss = rci_widths_loss(a->widths);
        const double miss = fmax(0, fullest - 1);
        if (miss < best_miss || (miss == best_miss && loss < best_loss)) {
            best_miss = miss;
            best_loss = loss;
            fit_keep(a->widths, kept);
            memcpy(a->budget, budget, sizeof(a->budget));
        }
        rci_log(a->run->ctx, RC_LOG_INFO,
                "widths, try %u: size %.4f, latency %.4f, multiply-adds %.4f of before, loss %.4g",
                t + 1, value[RC_GOAL_SIZE], value[RC_GOAL_LATENCY], value[RC_GOAL_MACS], loss);
        if ((!met && fullest > 1) || (fullest <= 1 && fullest >= close_enough))
            break;
        for (uint32_t i = RC_GOAL_SIZE; i < RC_GOALS; i++)
            if (a->fit[i] > 0 && predicted[i] > 0 && value[i] > 0)
                fit_learn(&b[i], a->fit[i], predicted[i], value[i]);
    }
    return RC_OK;
}

rc_status rci_aim_fit(struct rci_aim *a, uint64_t bits)
{
    RC_TRY(rci_widths_set_bits(a->widths, (double) bits, true));
    uint32_t *kept = rci_alloc_array(a->run->ctx, a->widths->n_groups + 1, sizeof(*kept));
    if (!kept)
        return RC_ERR_MEMORY;
    rc_status st = fit_try(a, bits, kept);
    if (st == RC_OK)
        st = fit_restore(a, kept);
    rci_release(kept);
    return st;
}
