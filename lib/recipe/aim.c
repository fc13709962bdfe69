/* The loop that reaches for goals. With a goal of cost, the widths that just fit it are looked for
 * and training takes the time that is left; without one, the strength of the cut is bisected,
 * harder while accuracy is there and milder where it is not. */
#include "recipe/aim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* For the figures at the end. [s] */
static double reserve(const struct rci_aim *a)
{
    return fmin(20, 3 * a->run->o->minutes); /* a twentieth of the time */
}

bool rci_aim_wanted(const rc_compress_options *o)
{
    return !o->recipe && (o->size_ratio > 0 || o->latency_ratio > 0 || o->energy_ratio > 0 ||
                          o->macs_ratio > 0 || o->cost_ratio > 0 || o->minutes > 0);
}

double rci_aim_seconds_left(const struct rci_aim *a)
{
    const double gone = a->spent + (double) (rci_clock_ns() - a->began) * 1e-9;
    return a->run->o->minutes * 60 - gone - reserve(a);
}

/* --- what the loop works with --- */

static void on_profile(void *user, const char *what, double fraction)
{
    rci_run_show(user, what, fraction);
}

static rc_status aim_open_device(struct rci_aim *a)
{
    const rc_graph *const graphs[] = {a->run->original};
    rc_device_options o = RC_DEVICE_OPTIONS_INIT;
    a->device = a->run->o->device;
    if (a->device || (a->limit[RC_GOAL_LATENCY] == 0 && a->limit[RC_GOAL_ENERGY] == 0))
        return RC_OK;
    o.cuts = 10;
    o.seconds = 0.1;
    o.progress = on_profile;
    o.progress_user = a->run;
    a->run->stage_name = "timing layers";
    RC_TRY(rc_device_profile(&a->profiled, a->run->ctx, graphs, 1, &o));
    a->device = a->profiled;
    return RC_OK;
}

static rc_status aim_open_pruners(struct rci_aim *a)
{
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    a->run->stage_name = "what channels are worth";
    rci_run_show(a->run, "", 0);
    o.criterion = "l2";
    o.repair = "none";
    o.max_cut = 0.99;
    RC_TRY(rc_pruner_new(&a->shapes, a->run->original, &o));
    o.criterion = o.repair = NULL; /* the best there is for this network */
    o.dataset = a->run->o->train;
    return rc_pruner_new(&a->scored, a->run->original, &o);
}

/* Trunks are cut where the rest cannot be narrow enough: they cost more accuracy. */
static rc_status aim_open_widths(struct rci_aim *a, bool trunks)
{
    const struct rci_width_limits limits = {.max_cut = 0.9,
                                            .round_to =
                                                a->run->target->widths ? a->run->target->widths : 1,
                                            .trunks = trunks};
    rci_widths_free(a->widths);
    a->widths = NULL;
    RC_TRY(rci_widths_new(&a->widths, a->scored, a->device, &limits));
    memcpy(a->base, a->widths->cost, sizeof(a->base));
    return RC_OK;
}

static rc_status aim_needs_trunks(struct rci_aim *a, bool *needed)
{
    static const enum rci_goal goal_of[RC_WIDTH_COSTS] = {RC_GOAL_MACS, RC_GOAL_SIZE,
                                                          RC_GOAL_LATENCY, RC_GOAL_ENERGY};
    *needed = false;
    RC_TRY(rci_widths_set_bits(a->widths, a->run->o->packed ? 4 : 8, true));
    RC_TRY(rci_widths_reset(a->widths, true));
    for (uint32_t k = 0; k < RC_WIDTH_COSTS; k++) {
        const double limit = a->limit[goal_of[k]];
        const double before = k == RC_WIDTH_BYTES ? (double) a->run->before.file_bytes : a->base[k];
        *needed = *needed || (limit > 0 && a->widths->cost[k] > 0.9 * limit * before);
    }
    return rci_widths_reset(a->widths, false);
}

static rc_status aim_open(struct rci_aim *a)
{
    struct rci_run *run = a->run;
    bool trunks;
    a->began = rci_clock_ns();
    rci_aim_limits(a);
    run->seconds = fmin(1, 0.6 * run->o->minutes); /* of a hundredth of the time */
    run->stage_name = "measuring the original";
    RC_TRY(rci_run_measure(run, run->original, &run->before));
    run->now = run->before;
    if (run->o->device) {
        rc_device_prediction p = RC_DEVICE_PREDICTION_INIT;
        RC_TRY(rc_device_predict(run->o->device, run->original, &p));
        run->before.median_ms = p.latency_ms;
        run->before.joules = p.joules;
    }
    RC_TRY(rci_run_report(run, "original", &run->before, true, 0, NULL));
    RC_TRY(aim_open_device(a));
    RC_TRY(aim_open_pruners(a));
    RC_TRY(aim_open_widths(a, false));
    RC_TRY(aim_needs_trunks(a, &trunks));
    if (trunks)
        RC_TRY(aim_open_widths(a, true));
    RC_TRY(rci_aim_check_possible(a));
    return rci_aim_load(a);
}

static void aim_close(struct rci_aim *a)
{
    rci_aim_point_free(&a->best);
    rci_aim_point_free(&a->last);
    rci_widths_free(a->widths);
    rc_pruner_free(&a->scored);
    rc_pruner_free(&a->shapes);
    rc_device_free(&a->profiled);
    rc_quantizer_free(&a->run->quantizer);
}

/* --- points --- */

static void aim_begin_stage(struct rci_aim *a, const char *name)
{
    a->run->stage_index = a->points + 1;
    a->run->stages = 0;
    a->run->stage_name = name;
}

/* Widths that fit (of now, unless the goals say otherwise), cut, repaired, quantized, measured. */
static rc_status aim_new_point(struct rci_aim *a, uint64_t bits, bool fit, double train_seconds)
{
    struct rci_aim_point p = {0};
    const uint64_t began = rci_clock_ns();
    char stage[64];
    snprintf(stage, sizeof(stage), "point %u, %llu bits", a->points + 1, (unsigned long long) bits);
    aim_begin_stage(a, stage);
    rc_status st = fit ? rci_aim_fit(a, bits) : rci_widths_reset(a->widths, false);
    if (st == RC_OK && fit)
        st = rci_aim_search(a, bits);
    if (st == RC_OK)
        st = rci_aim_cut(a, &p, bits);
    if (st == RC_OK && train_seconds > 0)
        st = rci_aim_train(a, &p, train_seconds);
    p.seconds = (double) (rci_clock_ns() - began) * 1e-9;
    snprintf(p.name, sizeof(p.name), "%s%llu bits%s", fit ? "cut, " : "", (unsigned long long) bits,
             p.epochs ? ", trained" : "");
    if (st == RC_OK)
        st = rci_aim_measure(a, &p);
    rci_aim_point_free(&p);
    a->run->stage_name = "";
    return st;
}

/* Training of the nearest point goes on for so many seconds. */
static rc_status aim_train_best(struct rci_aim *a, double seconds)
{
    struct rci_aim_point p = a->best;
    const uint64_t began = rci_clock_ns();
    char stage[64];
    p.reals = p.result = NULL;
    p.epochs = p.images = 0;
    p.kept = NULL;
    snprintf(stage, sizeof(stage), "point %u, training", a->points + 1);
    aim_begin_stage(a, stage);
    rc_status st = rc_graph_clone(&p.reals, a->best.reals);
    if (st == RC_OK)
        st = rci_aim_train(a, &p, seconds);
    p.seconds = (double) (rci_clock_ns() - began) * 1e-9;
    if (p.images)
        snprintf(p.name, sizeof(p.name), "%llu bits, trained on %llu images",
                 (unsigned long long) p.bits, (unsigned long long) p.images);
    else
        snprintf(p.name, sizeof(p.name), "%llu bits, %llu epochs", (unsigned long long) p.bits,
                 (unsigned long long) p.epochs);
    if (st == RC_OK && p.epochs)
        st = rci_aim_measure(a, &p);
    rci_aim_point_free(&p);
    a->run->stage_name = "";
    return st;
}

static bool aim_done(const struct rci_aim *a)
{
    return a->best.result && rci_aim_miss(a, a->best.value) == 0;
}

/* 8 bits, and where files are packed 4, which leaves room for wider layers; then training in two
 * rounds, of which the first is short: it is often enough. */
static rc_status aim_with_costs(struct rci_aim *a)
{
    static const double share[] = {0.3, 1};
    if (a->points < 1)
        RC_TRY(aim_new_point(a, 8, true, 0));
    if (!aim_done(a) && a->run->o->packed && a->limit[RC_GOAL_SIZE] > 0 && a->points < 2)
        RC_TRY(aim_new_point(a, 4, true, 0));
    for (uint32_t i = 0; i < 2 && !aim_done(a); i++) {
        const double left = rci_aim_seconds_left(a);
        if (left < 1)
            break;
        RC_TRY(aim_train_best(a, left * share[i]));
    }
    return RC_OK;
}

/* The multiply-adds that are left are halved, in the logarithm, between what was too much and what
 * was enough. The network without cuts comes first: there is always something to give. */
static rc_status aim_without_costs(struct rci_aim *a)
{
    enum { TRIALS = 4 };
    double strength = a->points > 1 ? sqrt(a->hard * a->mild) : 0.5;
    if (a->points < 1)
        RC_TRY(aim_new_point(a, 8, false, 0));
    for (uint32_t i = 0; i < TRIALS; i++) {
        const double left = rci_aim_seconds_left(a);
        if (left < 1 || a->mild / a->hard < 1.05)
            break;
        a->fit[RC_GOAL_MACS] = strength;
        RC_TRY(aim_new_point(a, 8, true, 0));
        if (a->last.value[RC_GOAL_DROP] > a->limit[RC_GOAL_DROP] && left > 2)
            RC_TRY(aim_new_point(a, 8, true, rci_aim_seconds_left(a) / (TRIALS - i)));
        const bool met = a->last.value[RC_GOAL_DROP] <= a->limit[RC_GOAL_DROP] + 1e-9;
        *(met ? &a->mild : &a->hard) = strength;
        strength = sqrt(a->hard * a->mild);
    }
    return RC_OK;
}

static rc_status aim_finish(struct rci_aim *a)
{
    struct rci_run *run = a->run;
    run->stage_name = "final measurement";
    rci_run_show(run, "", 0);
    RC_TRY(rci_aim_costs(a, a->best.result, &a->best.f, a->best.value, true));
    run->now = a->best.f;
    if (run->o->test) {
        RC_TRY(rci_run_top1(run->o->test, run->original, &run->before.top1));
        RC_TRY(rci_run_top1(run->o->test, run->best, &run->now.top1));
    }
    RC_TRY(rci_run_report_summary(run));
    if (run->o->report)
        RC_TRY(rci_run_profile(run));
    return rci_aim_verdict(a, a->best.value);
}

rc_status rci_aim_run(struct rci_run *run)
{
    struct rci_aim a = {.run = run};
    rc_status st = aim_open(&a);
    if (st == RC_OK)
        st = rci_aim_has_costs(&a) ? aim_with_costs(&a) : aim_without_costs(&a);
    if (st == RC_OK)
        st = aim_finish(&a);
    aim_close(&a);
    return st;
}
