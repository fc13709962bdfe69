#include "recipe/recipe.h"
#include "base/abi.h"
#include "graph/graph.h"

#include <string.h>

RC_ABI_NO_TAIL(rc_compress_options, progress_user);
RC_ABI_NO_TAIL(rc_compress_result, seconds);
RC_ABI_NO_TAIL(rc_compress_progress, stages);

const char *rc_recipe_default(void)
{
    return rci_recipe_default_text();
}

rc_status rc_recipe_check(rc_context *context, const char *recipe)
{
    struct rci_recipe r;
    if (!rci_context_valid(context) || !recipe)
        return rci_fail(RC_ERR_ARG, "%s is NULL", recipe ? "context" : "recipe");
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

static rc_status resolve(rc_compress_options *o, const rc_compress_options *caller)
{
    RC_TRY(rci_abi_read(o, sizeof(*o), sizeof(*o), caller, "rc_compress_options"));
    if (!o->train || !o->calib)
        return rci_fail(RC_ERR_ARG, "%s must be set", o->train ? "calib" : "train");
    if (o->max_drop == 0)
        o->max_drop = 1;
    if (!(o->max_drop > 0 && o->max_drop <= 100))
        return rci_fail(RC_ERR_ARG, "max_drop is %g, allowed is (0, 100]", o->max_drop);
    RC_TRY(check_ratio("size_ratio", o->size_ratio));
    RC_TRY(check_ratio("latency_ratio", o->latency_ratio));
    if (!o->recipe)
        o->recipe = rci_recipe_default_text();
    return RC_OK;
}

static rc_status run_on_copy(struct rci_run *run, rc_graph **out)
{
    const uint64_t began = rci_clock_ns();
    RC_TRY(rci_graph_clone(&run->best, run->original));
    rc_status st = rci_run_all(run);
    run->result.seconds = (double) (rci_clock_ns() - began) * 1e-9;
    if (st == RC_OK || st == RC_ERR_GOAL)
        *out = run->best;
    else
        rci_graph_destroy(run->best);
    return st;
}

rc_status rc_compress(rc_graph **out, const rc_graph *graph, const rc_compress_options *options,
                      rc_compress_result *result)
{
    rc_compress_options o;
    if (!out)
        return rci_fail(RC_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!rci_graph_valid(graph))
        return rci_fail(RC_ERR_ARG, "graph is NULL or was freed");
    RC_TRY(resolve(&o, options));
    struct rci_run run = {.ctx = graph->ctx, .original = graph, .o = &o, .stage_name = ""};
    RC_TRY(rci_target_find(&run.target, o.target));
    RC_TRY(rci_recipe_parse(&run.recipe, run.ctx, o.recipe));
    const rc_status st = run_on_copy(&run, out);
    rci_recipe_clear(&run.recipe);
    run.result.size = sizeof(run.result);
    if (result && (st == RC_OK || st == RC_ERR_GOAL)) {
        const rc_status written = rci_abi_write(result, sizeof(run.result), &run.result,
                                                sizeof(run.result), "rc_compress_result");
        if (written != RC_OK) {
            rc_graph_free(out);
            return written;
        }
    }
    return st;
}
