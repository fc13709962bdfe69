/* Epochs: steps, validation of the weights that would be the result, checkpoints, progress. */
#include "train/run.h"
#include "base/compute.h"
#include "base/file.h"
#include "train/evaluate.h"

#include <math.h>
#include <string.h>

static double images_per_second(const struct rc_trainer *t)
{
    return (double) t->steps_here * (double) t->batch / fmax((double) t->step_ns * 1e-9, 1e-9);
}

static void report(const struct rc_trainer *t, const struct rci_train_step *s)
{
    if (!t->o.progress)
        return;
    const struct rci_train_count *c = &t->state.count;
    const double in_epoch = (double) (s->index + 1);
    const double each = (double) (rci_clock_ns() - t->started_ns) * 1e-9 / (double) t->steps_here;
    const rc_train_progress p = {
        .size = sizeof(p),
        .epoch = s->epoch + 1,
        .epochs = t->o.epochs,
        .step = c->step,
        .steps = t->steps,
        .loss = s->loss,
        .epoch_loss = c->loss_sum / in_epoch,
        .epoch_top1 = 100 * (double) c->correct / (in_epoch * (double) t->batch),
        .rate = s->rate,
        .images_per_second = images_per_second(t),
        .seconds_left = each * (double) (t->steps - c->step),
        .top1 = c->last_top1,
        .gradient_norm = t->gradient_norm,
    };
    t->o.progress(t->o.progress_user, &p);
}

static rc_status write_checkpoint(const struct rc_trainer *t)
{
    if (!t->checkpoint || t->sync.rank != 0)
        return RC_OK;
    return rci_checkpoint_write(&t->state, t->checkpoint, t->identity);
}

/* The weights become what the run would return now: average, then statistics that fit to it. */
static rc_status finish_weights(struct rc_trainer *t)
{
    const struct rci_train_state *s = &t->state;
    for (uint32_t i = 0; s->ema && i < s->n_params; i++)
        memcpy(rci_tape_param_data(t->tape, i), s->ema + s->offset[i],
               (s->offset[i + 1] - s->offset[i]) * sizeof(float));
    if (!t->o.bn_images)
        return RC_OK;
    return rci_bn_reestimate(t->graph, t->dataset, t->o.bn_images, (uint64_t) t->fit.batch,
                             (uint32_t) t->o.threads);
}

static rc_status validate(struct rc_trainer *t, double *top1)
{
    const rc_evaluate_options o = {
        .size = sizeof(o), .batch = (uint64_t) t->fit.batch, .threads = t->o.threads};
    rc_evaluate_result r;
    RC_TRY(finish_weights(t));
    if (!t->validator)
        RC_TRY(rci_evaluator_new(&t->validator, t->graph, t->o.validation, &o));
    RC_TRY(rci_evaluator_run(t->validator, t->graph, NULL, &r));
    *top1 = r.top1;
    return RC_OK;
}

/* Training goes on with the weights it had, whatever finish_weights() made of them. */
static rc_status validate_epoch(struct rc_trainer *t)
{
    struct rci_train_count *c = &t->state.count;
    double top1 = 0;
    rci_train_state_save(&t->state, t->state.kept);
    const rc_status st = validate(t, &top1);
    if (st == RC_OK) {
        c->last_top1 = top1;
        if (c->best_epoch == 0 || top1 > c->best_top1) {
            c->best_top1 = top1;
            c->best_epoch = c->closed + 1;
            if (t->state.best)
                rci_train_state_save(&t->state, t->state.best);
        }
    }
    rci_train_state_load(&t->state, t->state.kept);
    return st;
}

/* --- curves --- */

static rc_status record_step(struct rc_trainer *t, const struct rci_train_step *s)
{
    if (!t->events)
        return RC_OK;
    RC_TRY(rci_events_scalar(t->events, "train/loss", s->step, s->loss));
    RC_TRY(rci_events_scalar(t->events, "train/rate", s->step, s->rate));
    return rci_events_scalar(t->events, "train/gradient_norm", s->step, t->gradient_norm);
}

static rc_status record_epoch(struct rc_trainer *t)
{
    const struct rci_train_count *c = &t->state.count;
    if (!t->events)
        return RC_OK;
    RC_TRY(rci_events_scalar(t->events, "epoch/loss", c->step, c->epoch_loss));
    RC_TRY(rci_events_scalar(t->events, "epoch/top1", c->step, c->epoch_top1));
    if (t->o.validation)
        RC_TRY(rci_events_scalar(t->events, "validation/top1", c->step, c->last_top1));
    return rci_events_flush(t->events);
}

/* --- epochs --- */

static rc_status close_epoch(struct rc_trainer *t)
{
    struct rci_train_count *c = &t->state.count;
    struct rci_train_step s = {.graph = t->graph,
                               .tape = t->tape,
                               .epoch = c->closed,
                               .step = c->step,
                               .steps = t->steps,
                               .classes = t->fit.classes};
    RC_TRY(rci_trainer_call_hooks(t, RC_HOOK_EPOCH, &s));
    if (t->o.swa > 0)
        rci_train_average_epoch(t, c->closed);
    if (t->o.validation)
        RC_TRY(validate_epoch(t));
    c->epoch_loss = c->loss_sum / (double) t->per_epoch;
    c->epoch_top1 = 100 * (double) c->correct / ((double) t->per_epoch * (double) t->batch);
    c->loss_sum = 0;
    c->correct = 0;
    c->closed++;
    rci_log(t->ctx, RC_LOG_INFO, "epoch %llu of %llu: loss %.4f, training top-1 %.2f %%",
            (unsigned long long) c->closed, (unsigned long long) t->o.epochs, c->epoch_loss,
            c->epoch_top1);
    if (t->o.validation)
        rci_log(t->ctx, RC_LOG_INFO, "validation top-1 %.2f %%", c->last_top1);
    RC_TRY(record_epoch(t));
    return write_checkpoint(t);
}

/* `patience` epochs without a better validation. */
static bool is_stale(const struct rc_trainer *t)
{
    const struct rci_train_count *c = &t->state.count;
    if (!t->o.patience || c->closed < c->best_epoch + t->o.patience)
        return false;
    rci_log(t->ctx, RC_LOG_INFO, "no better validation since epoch %llu: stopping",
            (unsigned long long) c->best_epoch);
    return true;
}

static rc_status check_stop(struct rc_trainer *t)
{
    if (t->cancelled)
        return RC_ERR_CANCELLED;
    if (!t->sync.all_reduce)
        RC_TRY(rci_check_cancel(t->ctx));
    if (t->o.checkpoint_steps && t->state.count.step % t->o.checkpoint_steps == 0)
        return write_checkpoint(t);
    return RC_OK;
}

static rc_status run_epochs(struct rc_trainer *t)
{
    struct rci_train_step s;
    struct rci_train_count *c = &t->state.count;
    while (c->closed < t->o.epochs && !is_stale(t)) {
        while (c->step < (c->closed + 1) * t->per_epoch) {
            RC_TRY(rci_trainer_step(t, &s));
            RC_TRY(record_step(t, &s));
            report(t, &s);
            RC_TRY(check_stop(t));
        }
        RC_TRY(close_epoch(t));
    }
    return RC_OK;
}

static rc_status training_start(struct rc_trainer *t)
{
    bool found = false;
    if (t->ran)
        return rci_fail(RC_ERR_STATE, "the trainer ran already; make a new one");
    t->ran = true;
    if (t->checkpoint && t->o.resume)
        RC_TRY(rci_checkpoint_read(&t->state, t->checkpoint, t->identity, &found));
    if (found)
        rci_log(t->ctx, RC_LOG_INFO, "%s: continuing after step %llu of %llu", t->checkpoint,
                (unsigned long long) t->state.count.step, (unsigned long long) t->steps);
    RC_TRY(rci_ranks_agree(t)); /* before rank 0 writes what another might look for */
    t->started_ns = rci_clock_ns();
    return found ? RC_OK : write_checkpoint(t); /* a path that cannot be written fails now */
}

/* --- epochs that fit into a time --- */

/* Seconds of a step, the first ones (caches, choices of kernels) apart. */
static rc_status time_steps(struct rc_trainer *t, void *seconds)
{
    enum { WARM = 2, TIMED = 8 };
    struct rci_train_step s;
    uint64_t start = 0;
    const uint64_t n = t->per_epoch < WARM + TIMED ? t->per_epoch : WARM + TIMED;
    const uint64_t warm = n > WARM ? WARM : 0;
    for (uint64_t i = 0; i < n; i++) {
        if (i == warm)
            start = rci_clock_ns();
        RC_TRY(rci_trainer_step(t, &s));
        RC_TRY(rci_check_cancel(t->ctx));
    }
    *(double *) seconds = (double) (rci_clock_ns() - start) * 1e-9 / (double) (n - warm);
    return RC_OK;
}

static rc_status choose_epochs(struct rc_trainer *t)
{
    double each = 0;
    const uint64_t began = rci_clock_ns();
    t->steps = t->per_epoch * RC_TRAIN_TIMED_EPOCHS; /* rates of the timed steps do not matter */
    RC_TRY(rci_trainer_try(t, time_steps, &each));
    const double left = t->o.seconds - (double) (rci_clock_ns() - began) * 1e-9;
    const double epochs = floor(left / fmax(each * (double) t->per_epoch, 1e-9));
    t->o.epochs = (uint64_t) fmin(fmax(epochs, 1), RC_TRAIN_MAX_EPOCHS);
    t->steps = t->per_epoch * t->o.epochs;
    rci_log(t->ctx, RC_LOG_INFO, "an epoch takes %.1f s: %llu epochs in %.0f s",
            each * (double) t->per_epoch, (unsigned long long) t->o.epochs, t->o.seconds);
    return RC_OK;
}

static rc_status training_finish(struct rc_trainer *t, rc_train_result *r)
{
    const struct rci_train_count *c = &t->state.count;
    if (t->state.best && c->best_epoch)
        rci_train_state_load(&t->state, t->state.best);
    else
        RC_TRY(finish_weights(t));
    *r = (rc_train_result){.size = sizeof(*r),
                           .epochs = c->closed,
                           .steps = c->step,
                           .best_epoch = c->best_epoch,
                           .loss = c->epoch_loss,
                           .train_top1 = c->epoch_top1,
                           .top1 = t->state.best ? c->best_top1 : c->last_top1,
                           .seconds = (double) (rci_clock_ns() - t->started_ns) * 1e-9,
                           .images_per_second = t->steps_here ? images_per_second(t) : 0,
                           .activation_bytes = rci_tape_activation_bytes(t->tape)};
    return RC_OK;
}

/* A cancelled run leaves a checkpoint from which it continues to the same bytes. */
static rc_status leave_cancelled(const struct rc_trainer *t)
{
    RC_TRY(write_checkpoint(t));
    return rci_fail(RC_ERR_CANCELLED, "cancelled after step %llu of %llu",
                    (unsigned long long) t->state.count.step, (unsigned long long) t->steps);
}

rc_status rci_trainer_run(struct rc_trainer *t, rc_train_result *r)
{
    RC_TRY(training_start(t));
    const struct rci_compute saved = rci_compute_enter(t->ctx, (uint32_t) t->o.threads);
    rc_status st = t->o.seconds > 0 ? choose_epochs(t) : RC_OK;
    if (st == RC_OK)
        st = run_epochs(t);
    if (st == RC_OK)
        st = training_finish(t, r);
    else if (st == RC_ERR_CANCELLED)
        st = leave_cancelled(t);
    rci_compute_leave(saved);
    return st;
}
