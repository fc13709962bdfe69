/* The closed loop: attempt a stage, measure, keep it when it is good enough, else try milder. */
#include "recipe/recipe.h"

#include <stdio.h>
#include <string.h>

static const char *kind_name(enum rci_recipe_kind k)
{
    static const char *const names[] = {"", "fuse", "prune", "train", "quantize"};
    return names[k];
}

static void name_stage(const struct rci_run *run, const struct rci_stage *stage, char *text,
                       size_t n)
{
    size_t used = 0;
    for (uint32_t i = 0; i < stage->count && used < n; i++)
        used += (size_t) snprintf(text + used, n - used, "%s%s", i ? " + " : "",
                                  kind_name(run->recipe.step[stage->first + i].kind));
    if (run->attempt && used < n)
        snprintf(text + used, n - used, ", attempt %u", run->attempt + 1);
}

/* Good enough: within max_drop of the original on the calib images. */
static bool acceptable(const struct rci_run *run, const struct rci_figures *f)
{
    return run->before.calib_top1 - f->calib_top1 <= run->o->max_drop + 1e-9;
}

/* Measures *g. A graph that is good enough becomes run->best, and *g NULL. */
static rc_status judge(struct rci_run *run, struct rc_graph **g, uint64_t began, bool *kept)
{
    struct rci_figures f = {0};
    char note[128];
    RC_TRY(rci_run_measure(run, *g, &f));
    const double drop = run->before.calib_top1 - f.calib_top1;
    *kept = acceptable(run, &f);
    snprintf(note, sizeof(note), "%.2f points %s than the original, allowed is %.2f",
             drop < 0 ? -drop : drop, drop < 0 ? "better" : "worse", run->o->max_drop);
    RC_TRY(rci_run_report(run, run->stage_name, &f, *kept, (double) (rci_clock_ns() - began) * 1e-9,
                          note));
    rci_log(run->ctx, RC_LOG_INFO, "%s: top-1 %.2f, %llu multiply-adds, %llu bytes, %.3f ms; %s",
            run->stage_name, f.calib_top1, (unsigned long long) f.macs,
            (unsigned long long) f.file_bytes, f.median_ms, *kept ? "kept" : "not kept");
    if (!*kept)
        return RC_OK;
    if (run->quantizer && run->o->table)
        RC_TRY(rc_quantizer_save_table(run->quantizer, run->o->table, "json"));
    rc_graph_free(&run->best);
    run->best = *g;
    *g = NULL;
    run->now = f;
    return RC_OK;
}

/* Attempts until one is good enough or there is no milder one. A stage that is given up leaves
 * run->best as it was; the run goes on. */
static rc_status run_stage(struct rci_run *run, const struct rci_stage *stage)
{
    char name[160];
    bool kept = false;
    for (run->attempt = 0; !kept; run->attempt++) {
        rc_graph *g = NULL;
        const uint64_t began = rci_clock_ns();
        name_stage(run, stage, name, sizeof(name));
        run->stage_name = name;
        rc_status st = rci_run_attempt(run, stage, &g);
        if (st == RC_OK)
            st = judge(run, &g, began, &kept);
        rc_graph_free(&g);
        rc_quantizer_free(&run->quantizer);
        RC_TRY(st);
        run->attempts++;
        if (!kept && !rci_stage_can_retry(run, stage))
            break;
    }
    run->kept += kept;
    run->gave_up = run->gave_up || !kept;
    run->stage_name = "";
    return RC_OK;
}

/* Final figures: test accuracy of both, and latencies from one interleaved run. */
static rc_status recipe_finish(struct rci_run *run)
{
    run->stage_name = "final measurement";
    rci_run_show(run, "", 0);
    RC_TRY(rci_run_measure(run, run->best, &run->now));
    RC_TRY(rci_run_speed(run, run->original, run->best, &run->before, &run->now));
    if (run->o->test) {
        RC_TRY(rci_run_top1(run->o->test, run->original, &run->before.top1));
        RC_TRY(rci_run_top1(run->o->test, run->best, &run->now.top1));
    }
    RC_TRY(rci_run_report_summary(run));
    return RC_OK;
}

/* Layer times for the report's bars. */
static rc_status profile(struct rci_run *run, const struct rc_graph *g, int32_t which)
{
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    rc_latency_options l = RC_LATENCY_OPTIONS_INIT;
    rc_latency r = RC_LATENCY_INIT;
    rc_session *s = NULL;
    o.flags = RC_SESSION_PROFILE;
    l.seconds = 0.5;
    rc_status st = rc_session_new(&s, g, &o);
    if (st == RC_OK)
        st = rc_measure_latency(run->ctx, &s, 1, &l, &r);
    if (st == RC_OK)
        st = rc_report_set_times(run->o->report, which, s);
    rc_session_free(&s);
    return st;
}

rc_status rci_run_profile(struct rci_run *run)
{
    RC_TRY(profile(run, run->original, RC_REPORT_BEFORE));
    return profile(run, run->best, RC_REPORT_AFTER);
}

/* Accuracy was guarded stage by stage; size and latency are of the end. */
static rc_status check_goals(const struct rci_run *run)
{
    const struct rci_figures *b = &run->before, *a = &run->now;
    /* ratios: below 1 is smaller, faster */
    const double size = (double) a->file_bytes / (double) b->file_bytes;
    const double latency = a->median_ms / b->median_ms;
    if (run->o->size_ratio > 0 && size > run->o->size_ratio)
        return rci_fail(RC_ERR_GOAL, "the file is %.3f of its size before, the goal was %.3f", size,
                        run->o->size_ratio);
    if (run->o->latency_ratio > 0 && latency > run->o->latency_ratio)
        return rci_fail(RC_ERR_GOAL, "latency is %.3f of that before, the goal was %.3f", latency,
                        run->o->latency_ratio);
    const double macs = (double) a->macs / (double) b->macs;
    if (run->o->macs_ratio > 0 && macs > run->o->macs_ratio)
        return rci_fail(RC_ERR_GOAL, "multiply-adds are %.3f of those before, the goal was %.3f",
                        macs, run->o->macs_ratio);
    if (run->gave_up)
        return rci_fail(RC_ERR_GOAL,
                        "a step lost more than %.2f points in every attempt and was "
                        "left out",
                        run->o->max_drop);
    return RC_OK;
}

rc_status rci_run_all(struct rci_run *run)
{
    struct rci_stage stage[RC_RECIPE_MAX_STEPS];
    const uint32_t n = rci_recipe_stages(&run->recipe, stage);
    uint32_t done;
    run->stages = n;
    run->stage_name = "measuring the original";
    RC_TRY(rci_run_load_stages(run, n, &done));
    RC_TRY(rci_run_measure(run, run->original, &run->before));
    /* a run without any kept stage ends as it began */
    run->now = run->before;
    RC_TRY(rci_run_report(run, "original", &run->before, true, 0, NULL));
    for (uint32_t i = done; i < n; i++) {
        run->stage_index = i + 1;
        RC_TRY(rci_check_cancel(run->ctx));
        RC_TRY(run_stage(run, &stage[i]));
        RC_TRY(rci_run_save_stage(run, i));
    }
    RC_TRY(recipe_finish(run));
    if (run->o->report)
        RC_TRY(rci_run_profile(run));
    return check_goals(run);
}
