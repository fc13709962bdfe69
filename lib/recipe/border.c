/* The public functions of recipes. */
#include "api/check.h"
#include "data/source.h"
#include "graph/graph.h"
#include "recipe/aim.h"
#include "report/report.h"
#include "search/device.h"
#include "search/searcher.h"

RC_ABI_NO_TAIL(rc_compress_options, evaluations);
RC_ABI_NO_TAIL(rc_compress_result, joules_after);
RC_ABI_NO_TAIL(rc_compress_progress, stages);

const char *rc_recipe_get_default(void)
{
    return rci_recipe_default_text();
}

rc_status rc_recipe_check(rc_context *context, const char *recipe)
{
    struct rci_recipe r;
    RC_CHECK(context, context);
    RC_CHECK_SET(recipe);
    RC_TRY(rci_recipe_parse(&r, context, recipe));
    rci_recipe_clear(&r);
    return RC_OK;
}

static rc_status check_ratio(const char *name, double v)
{
    if (!(v >= 0 && v <= 1))
        return rci_fail(RC_ERR_ARG, "%s is %g, allowed is (0, 1], or 0 for none", name, v);
    return RC_OK;
}

static rc_status check_handles(const rc_compress_options *o)
{
    /* the loop trains on one and judges on the other, so neither has a default */
    if (!o->train || !o->calib)
        return rci_fail(RC_ERR_ARG, "%s must be set", o->train ? "calib" : "train");
    RC_CHECK_OPTIONAL(dataset, o->train, "train");
    RC_CHECK_OPTIONAL(dataset, o->calib, "calib");
    RC_CHECK_OPTIONAL(dataset, o->test, "test");
    RC_CHECK_OPTIONAL(graph, o->teacher, "teacher");
    RC_CHECK_OPTIONAL(report, o->report, "report");
    RC_CHECK_OPTIONAL(device, o->device, "device");
    return RC_OK;
}

static rc_status compress_options_read(rc_compress_options *o, const rc_compress_options *caller)
{
    RC_TRY(rci_abi_read(o, sizeof(*o), caller, "rc_compress_options"));
    RC_TRY(check_handles(o));
    /* percentage points; 0 is "not set" and means 1 */
    o->max_drop = o->max_drop == RC_ZERO_REAL ? 0 : o->max_drop == 0 ? 1 : o->max_drop;
    if (!(o->max_drop >= 0 && o->max_drop <= 100))
        return rci_fail(RC_ERR_ARG, "max_drop is %g, allowed is (0, 100]", o->max_drop);
    RC_TRY(check_ratio("size_ratio", o->size_ratio));
    RC_TRY(check_ratio("latency_ratio", o->latency_ratio));
    RC_TRY(check_ratio("macs_ratio", o->macs_ratio));
    RC_TRY(check_ratio("energy_ratio", o->energy_ratio));
    RC_TRY(check_ratio("cost_ratio", o->cost_ratio));
    if (!(o->minutes >= 0 && o->minutes <= 1e6))
        return rci_fail(RC_ERR_ARG, "minutes is %g, allowed is 0..1000000", o->minutes);
    if ((o->cost_ratio > 0) != (o->cost != NULL))
        return rci_fail(RC_ERR_ARG, "cost and cost_ratio go together: only %s is set",
                        o->cost ? "cost" : "cost_ratio");
    if (o->evaluations > 1000000)
        return rci_fail(RC_ERR_ARG, "evaluations is %llu, at most 1,000,000",
                        (unsigned long long) o->evaluations);
    const struct rci_method *searcher;
    if (o->search)
        RC_TRY(rci_method_find(&searcher, &rci_kind_searcher, o->search));
    if (o->packed > 1)
        return rci_fail(RC_ERR_ARG, "packed is %llu, allowed are 0 and 1",
                        (unsigned long long) o->packed);
    const char *alone = o->minutes > 0        ? "minutes"
                        : o->energy_ratio > 0 ? "energy_ratio"
                        : o->cost_ratio > 0   ? "cost_ratio"
                        : o->device           ? "device"
                        : o->points           ? "points"
                        : o->search           ? "search"
                                              : NULL;
    if (o->recipe && alone)
        return rci_fail(RC_ERR_ARG,
                        "%s is for goals that are reached for, not with a recipe of one's own",
                        alone);
    return RC_OK;
}

/* RC_ERR_GOAL gives the best graph all the same, and so does being cancelled while goals are
 * reached for; every other failure none. */
static rc_status run_on_copy(struct rci_run *run, rc_graph **out)
{
    RC_TRY(rci_graph_clone(&run->best, run->original));
    const bool aim = rci_aim_wanted(run->o);
    const rc_status st = aim ? rci_aim_run(run) : rci_run_all(run);
    const bool some = aim && run->kept && st != RC_ERR_ARG; /* a point was measured before */
    if (st == RC_OK || st == RC_ERR_GOAL || (st == RC_ERR_CANCELLED && some))
        *out = run->best;
    else
        rci_graph_free(run->best);
    return st;
}

static rc_status compress_write_result(rc_compress_result *result, const struct rci_run *run,
                                       double seconds)
{
    const struct rci_figures *b = &run->before, *a = &run->now;
    const rc_compress_result r = {
        .size = sizeof(r),
        .top1_before = b->top1,
        .top1_after = a->top1,
        .calib_top1_before = b->calib_top1,
        .calib_top1_after = a->calib_top1,
        .median_ms_before = b->median_ms,
        .median_ms_after = a->median_ms,
        .file_bytes_before = b->file_bytes,
        .file_bytes_after = a->file_bytes,
        .weight_bytes_before = b->weight_bytes,
        .weight_bytes_after = a->weight_bytes,
        .macs_before = b->macs,
        .macs_after = a->macs,
        .parameters_before = b->parameters,
        .parameters_after = a->parameters,
        .attempts = run->attempts,
        .kept = run->kept,
        .seconds = seconds,
        .joules_before = b->joules,
        .joules_after = a->joules,
    };
    return rci_abi_write(result, &r, sizeof(r), "rc_compress_result");
}

rc_status rc_compress(rc_graph **out, const rc_graph *graph, const rc_compress_options *options,
                      rc_compress_result *result)
{
    const uint64_t began = rci_clock_ns();
    rc_compress_options o;
    RC_CHECK_OUT(out);
    RC_CHECK(graph, graph);
    RC_TRY(compress_options_read(&o, options));
    if (result)
        RC_TRY(rci_abi_clear(result, "rc_compress_result"));
    struct rci_run run = {.ctx = graph->ctx, .original = graph, .o = &o, .stage_name = ""};
    const struct rci_method *target; /* each target starts with its struct rci_method */
    RC_TRY(rci_method_find(&target, &rci_kind_target, o.target ? o.target : "cpu"));
    run.target = (const struct rci_quant_target *) target;
    if (o.points)
        RC_TRY(rci_run_make_folder(o.points));
    if (!o.recipe && !rci_aim_wanted(&o))
        o.recipe = rci_recipe_default_text();
    if (o.recipe)
        RC_TRY(rci_recipe_parse(&run.recipe, run.ctx, o.recipe));
    else if (o.minutes == 0)
        o.minutes = 10;
    const rc_status st = run_on_copy(&run, out);
    rci_recipe_clear(&run.recipe);
    if (result && *out)
        RC_TRY(compress_write_result(result, &run, (double) (rci_clock_ns() - began) * 1e-9));
    return st;
}
