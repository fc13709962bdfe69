/* One point: cut and repaired, trained, quantized, measured. */
#include "recipe/aim.h"

#include "io/packed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void rci_aim_point_free(struct rci_aim_point *p)
{
    rc_graph_free(&p->reals);
    rc_graph_free(&p->result);
    rci_release(p->kept);
    memset(p, 0, sizeof(*p));
}

/* quick: only size and time matter. */
rc_status rci_aim_quantize(struct rci_aim *a, struct rc_graph **out, const struct rc_graph *reals,
                           uint64_t bits, bool quick)
{
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    struct rci_run *run = a->run;
    o.target = run->target->m.name;
    o.weight_bits = bits;
    o.images = quick ? 32 : 512;
    o.observer = quick ? "minmax" : "mse";
    o.rounding = bits < 8 && !quick ? "gptq+" : "nearest";
    o.flags = quick ? RC_QUANTIZE_NO_BIAS_CORRECTION : 0;
    rc_quantizer_free(&run->quantizer);
    RC_TRY(rc_quantizer_new(&run->quantizer, reals, &o));
    /* rounding that fits to images takes training images, so that calib stays unseen by weights */
    const rc_dataset *images = bits < 8 && !quick ? run->o->train : run->o->calib;
    RC_TRY(rc_quantizer_calibrate(run->quantizer, images));
    return rc_quantizer_apply(out, run->quantizer);
}

static rc_status point_file_bytes(const struct rci_aim *a, const struct rc_graph *g,
                                  uint64_t *bytes)
{
    struct rci_bytes file = {NULL, 0};
    const struct rci_packed_form form = {0};
    if (a->run->o->packed)
        RC_TRY(rci_packed_save_memory(&file, g, &form));
    else
        RC_TRY(rci_onnx_save_memory(&file, g));
    rci_release(file.data); /* only its size is wanted */
    *bytes = file.size;
    return RC_OK;
}

static rc_status point_own_cost(const struct rci_aim *a, const struct rc_graph *g, double *cost)
{
    *cost = 0;
    if (a->run->o->cost(a->run->o->cost_user, g, cost) != 0)
        return rci_fail(RC_ERR_DATA, "the caller's cost failed");
    if (!(*cost > 0 && isfinite(*cost)))
        return rci_fail(RC_ERR_DATA, "the caller's cost is %g, it must be above 0", *cost);
    return RC_OK;
}

/* Both timed in turns, or both predicted. */
static rc_status point_times(struct rci_aim *a, const struct rc_graph *g, struct rci_figures *f,
                             double value[RC_GOALS])
{
    struct rci_run *run = a->run;
    if (run->o->device) {
        rc_device_prediction p = RC_DEVICE_PREDICTION_INIT;
        RC_TRY(rc_device_predict(run->o->device, g, &p));
        f->median_ms = p.latency_ms;
        f->joules = p.joules;
    } else {
        struct rci_figures b = {0};
        RC_TRY(rci_run_speed(run, run->original, g, &b, f));
        run->before.median_ms = b.median_ms;
        run->before.joules = b.joules;
    }
    value[RC_GOAL_LATENCY] = f->median_ms / run->before.median_ms;
    value[RC_GOAL_ENERGY] = run->before.joules > 0 ? f->joules / run->before.joules : 1;
    return RC_OK;
}

rc_status rci_aim_costs(struct rci_aim *a, const struct rc_graph *g, struct rci_figures *f,
                        double value[RC_GOALS], bool times)
{
    struct rci_run *run = a->run;
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    RC_TRY(rc_graph_get_info(g, &info));
    f->macs = info.macs;
    f->parameters = info.parameters;
    f->weight_bytes = info.weight_bytes;
    RC_TRY(point_file_bytes(a, g, &f->file_bytes));
    value[RC_GOAL_SIZE] = (double) f->file_bytes / (double) run->before.file_bytes;
    value[RC_GOAL_MACS] = (double) f->macs / (double) run->before.macs;
    if (times)
        RC_TRY(point_times(a, g, f, value));
    if (run->o->cost_ratio > 0) {
        double cost;
        RC_TRY(point_own_cost(a, g, &cost));
        if (a->before_cost == 0)
            RC_TRY(point_own_cost(a, run->original, &a->before_cost));
        value[RC_GOAL_COST] = cost / a->before_cost;
    }
    return RC_OK;
}

rc_status rci_aim_cut(struct rci_aim *a, struct rci_aim_point *p, uint64_t bits)
{
    const struct rci_widths *w = a->widths;
    p->bits = bits;
    p->kept = rci_alloc_array(a->run->ctx, w->n_groups + 1, sizeof(*p->kept));
    if (!p->kept)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < w->n_groups; i++) {
        p->kept[i] = w->group[i].kept;
        if (w->group[i].may_cut)
            RC_TRY(rc_pruner_set_kept(a->scored, i, p->kept[i]));
    }
    rci_run_show(a->run, "cutting", 0);
    return rc_pruner_apply(&p->reals, a->scored, NULL);
}

/* --- training --- */

static void on_train(void *user, const rc_train_progress *p)
{
    char text[128];
    snprintf(text, sizeof(text), "epoch %llu/%llu, loss %.4f, %.0f images/s",
             (unsigned long long) p->epoch, (unsigned long long) p->epochs, p->epoch_loss,
             p->images_per_second);
    rci_run_show(user, text, (double) p->step / (double) p->steps);
}

static rc_status train_once(struct rci_aim *a, struct rc_graph *g, uint64_t epochs, uint64_t images,
                            const char *checkpoint, rc_train_result *result)
{
    struct rci_run *run = a->run;
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    rc_distill_options d = RC_DISTILL_OPTIONS_INIT;
    rc_trainer *trainer = NULL;
    rc_distiller *distiller = NULL;
    rc_status st = RC_OK;
    o.epochs = epochs;
    o.images = images;
    /* a few steps at a large rate only undo what the repair has done */
    const double passes = images ? (double) images / (double) rc_dataset_count_images(run->o->train)
                                 : (double) epochs;
    o.lr = fmax(0.001, fmin(0.02, 0.02 * passes));
    o.rate = "one-cycle";
    o.augmentation = "crop+flip";
    o.checkpoint = checkpoint;
    o.resume = checkpoint && run->o->resume;
    o.progress = on_train;
    o.progress_user = run;
    RC_TRY_OUT(st, rc_trainer_new(&trainer, g, run->o->train, &o));
    RC_TRY_OUT(st,
               rc_distiller_new(&distiller, run->o->teacher ? run->o->teacher : run->original, &d));
    RC_TRY_OUT(st, rc_distiller_attach(distiller, trainer));
    st = rc_trainer_run(trainer, result);
out:
    rc_trainer_free(&trainer);
    rc_distiller_free(&distiller);
    return st;
}

/* A short training of a copy says how many epochs the seconds are worth. */
static rc_status train_plan(struct rci_aim *a, struct rci_aim_point *p, double seconds)
{
    enum { SAMPLE = 1024 };
    const uint64_t all = rc_dataset_count_images(a->run->o->train);
    const uint64_t sample = all < SAMPLE ? all : SAMPLE;
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    rc_graph *copy = NULL;
    RC_TRY(rc_graph_clone(&copy, p->reals));
    const uint64_t began = rci_clock_ns();
    const rc_status st = train_once(a, copy, 1, sample, NULL, &r);
    rc_graph_free(&copy);
    RC_TRY(st);
    const double spent = (double) (rci_clock_ns() - began) * 1e-9;
    const double fit = (seconds - spent) / spent * (double) sample; /* images */
    p->epochs = fit >= (double) all ? (uint64_t) (fit / (double) all) : 1;
    p->images = fit >= (double) all ? 0 : (uint64_t) fmax(fit, 0);
    if (p->epochs > 200)
        p->epochs = 200;
    return RC_OK;
}

rc_status rci_aim_train(struct rci_aim *a, struct rci_aim_point *p, double seconds)
{
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    char *checkpoint = NULL;
    if (!p->epochs) /* a run that goes on has them from the one before */
        RC_TRY(train_plan(a, p, seconds));
    if (p->images && p->images < 256) { /* no time for anything that would help */
        p->epochs = 0;
        return RC_OK;
    }
    if (a->run->o->folder) {
        checkpoint = rci_format(a->run->ctx, "%s/round-%u.ckpt", a->run->o->folder, a->points);
        if (!checkpoint)
            return RC_ERR_MEMORY;
    }
    const rc_status st = train_once(a, p->reals, p->epochs, p->images, checkpoint, &r);
    rci_release(checkpoint);
    return st;
}

/* --- measuring --- */

static rc_status point_write(const struct rci_aim *a, const struct rci_aim_point *p)
{
    if (!a->run->o->points)
        return RC_OK;
    char *path = rci_format(a->run->ctx, "%s/point-%u.onnx", a->run->o->points, a->points);
    if (!path)
        return RC_ERR_MEMORY;
    const rc_status st = rci_onnx_save(p->result, path);
    rci_release(path);
    return st;
}

/* The point's place among the others: best is replaced when this one misses less, or as much with
 * more accuracy. */
static rc_status point_rank(struct rci_aim *a, struct rci_aim_point *p, bool *nearer)
{
    const double miss = rci_aim_miss(a, p->value);
    const double best = a->best.result ? rci_aim_miss(a, a->best.value) : INFINITY;
    *nearer = miss < best || (miss == best && p->value[RC_GOAL_DROP] < a->best.value[RC_GOAL_DROP]);
    if (miss == 0 && best == 0 && !rci_aim_has_costs(a)) /* the smallest within max_drop */
        *nearer = p->f.macs < a->best.f.macs;
    if (!*nearer)
        return RC_OK;
    struct rci_aim_point copy = *p;
    copy.reals = copy.result = NULL;
    copy.kept = NULL;
    RC_TRY(rc_graph_clone(&copy.reals, p->reals));
    rc_status st = rc_graph_clone(&copy.result, p->result);
    if (st != RC_OK) {
        rci_aim_point_free(&copy);
        return st;
    }
    rci_aim_point_free(&a->best);
    a->best = copy;
    a->best_index = a->points;
    /* what a call gives when it is cancelled from here on */
    rc_graph *given = NULL;
    RC_TRY(rc_graph_clone(&given, p->result));
    rc_graph_free(&a->run->best);
    a->run->best = given;
    a->run->now = p->f;
    a->run->kept++;
    if (a->run->quantizer && a->run->o->table)
        return rc_quantizer_save_table(a->run->quantizer, a->run->o->table, "json");
    return RC_OK;
}

rc_status rci_aim_measure(struct rci_aim *a, struct rci_aim_point *p)
{
    char note[256];
    bool nearer;
    const uint64_t began = rci_clock_ns();
    rc_graph_free(&p->result);
    rci_run_show(a->run, "quantizing and measuring", 1);
    RC_TRY(rci_aim_quantize(a, &p->result, p->reals, p->bits, false));
    RC_TRY(rci_run_top1(a->run->o->calib, p->result, &p->f.calib_top1));
    RC_TRY(rci_aim_costs(a, p->result, &p->f, p->value, true));
    p->f.top1 = p->f.calib_top1;
    p->value[RC_GOAL_DROP] = a->run->before.calib_top1 - p->f.calib_top1;
    p->seconds += (double) (rci_clock_ns() - began) * 1e-9;
    a->points++;
    a->run->attempts++;
    RC_TRY(point_write(a, p));
    RC_TRY(point_rank(a, p, &nearer));
    rci_aim_describe(a, p->value, note, sizeof(note));
    rci_log(a->run->ctx, RC_LOG_INFO, "point %u, %s: %s", a->points, p->name, note);
    RC_TRY(rci_run_report(a->run, p->name, &p->f, nearer, p->seconds, note));
    return rci_aim_save(a, p);
}
