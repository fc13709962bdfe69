/* What is measured after every stage, and how it is reported. */
#include "recipe/recipe.h"

#include "io/onnx.h"

rc_status rci_run_top1(const struct rc_dataset *d, const struct rc_graph *g, double *top1)
{
    rc_evaluate_result e = RC_EVALUATE_RESULT_INIT;
    RC_TRY(rc_evaluate(g, d, NULL, &e));
    *top1 = e.top1;
    return RC_OK;
}

/* In turns, so that a change of the processor's clock hits both. */
rc_status rci_run_speed(struct rci_run *run, const struct rc_graph *before,
                        const struct rc_graph *after, struct rci_figures *b, struct rci_figures *a)
{
    rc_session *s[2] = {NULL, NULL};
    rc_latency r[2] = {RC_LATENCY_INIT, RC_LATENCY_INIT};
    rc_latency_options o = RC_LATENCY_OPTIONS_INIT;
    o.seconds = run->seconds > 0 ? run->seconds : 1;
    rc_status st = rc_session_new(&s[0], before, NULL);
    if (st == RC_OK)
        st = rc_session_new(&s[1], after, NULL);
    if (st == RC_OK)
        st = rc_measure_latency(run->ctx, s, 2, &o, r);
    b->median_ms = r[0].median_ms;
    a->median_ms = r[1].median_ms;
    b->joules = r[0].joules_per_image;
    a->joules = r[1].joules_per_image;
    rc_session_free(&s[0]);
    rc_session_free(&s[1]);
    return st;
}

rc_status rci_run_measure(struct rci_run *run, const struct rc_graph *g, struct rci_figures *f)
{
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    struct rci_bytes file = {NULL, 0};
    struct rci_figures before;
    rci_run_show(run, "measuring", 1);
    RC_TRY(rc_graph_get_info(g, &info));
    RC_TRY(rci_onnx_save_memory(&file, g));
    /* only the size is wanted, as a file has it */
    rci_release(file.data);
    f->file_bytes = file.size;
    f->macs = info.macs;
    f->parameters = info.parameters;
    f->weight_bytes = info.weight_bytes;
    RC_TRY(rci_run_top1(run->o->calib, g, &f->calib_top1));
    /* test images are looked at once, at the end */
    f->top1 = f->calib_top1;
    return rci_run_speed(run, run->original, g, &before, f);
}

#define CALIB "held-out training images"

/* In a report 0 says "not measured". */
static double told(double top1)
{
    return top1 > 0 ? top1 : RC_ZERO_REAL;
}

static rc_report_step report_step(const char *name, const struct rci_figures *f)
{
    rc_report_step s = RC_REPORT_STEP_INIT;
    s.name = name;
    s.top1 = told(f->top1);
    s.median_ms = f->median_ms;
    s.file_bytes = f->file_bytes;
    s.weight_bytes = f->weight_bytes;
    s.macs = f->macs;
    s.parameters = f->parameters;
    return s;
}

rc_status rci_run_report(struct rci_run *run, const char *name, const struct rci_figures *f,
                         bool kept, double seconds, const char *note)
{
    if (!run->o->report)
        return RC_OK;
    rc_report_step s = report_step(name, f);
    s.top1 = told(f->calib_top1);
    s.top1_on = CALIB;
    s.seconds = seconds;
    s.kept = kept;
    s.note = note;
    return rc_report_add_step(run->o->report, &s);
}

rc_status rci_run_report_summary(struct rci_run *run)
{
    if (!run->o->report)
        return RC_OK;
    rc_report_step before = report_step("original", &run->before);
    rc_report_step after = report_step("result", &run->now);
    before.top1_on = after.top1_on = run->o->test ? "test images" : CALIB;
    RC_TRY(rc_report_set_summary(run->o->report, RC_REPORT_BEFORE, &before));
    RC_TRY(rc_report_set_summary(run->o->report, RC_REPORT_AFTER, &after));
    return rc_report_set_layers(run->o->report, run->original, run->best);
}

void rci_run_show(const struct rci_run *run, const char *detail, double fraction)
{
    if (!run->o->progress)
        return;
    const rc_compress_progress p = {
        .size = sizeof(p),
        .stage = run->stage_name,
        .detail = detail,
        .fraction = fraction,
        .index = run->stage_index,
        .stages = run->stages,
    };
    run->o->progress(run->o->progress_user, &p);
}
