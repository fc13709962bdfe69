/* One step of gradient descent: z = f(x), L(z, y), dL/dw, and the update (update.c). */
#include "train/run.h"

#include "base/file.h"

#include <math.h>
#include <string.h>

typedef rc_status (*hook_fn)(void *user, struct rci_train_step *s);

static hook_fn hook_at(const struct rci_train_hook *h, enum rci_hook_point p)
{
    const hook_fn at[] = {h->on_batch, h->on_logits, h->on_gradients, h->on_step, h->on_epoch};
    return at[p];
}

rc_status rci_trainer_call_hooks(struct rc_trainer *t, enum rci_hook_point p,
                                 struct rci_train_step *s)
{
    for (uint32_t i = 0; i < t->n_hooks; i++) {
        const hook_fn f = hook_at(&t->hooks[i], p);
        if (f)
            RC_TRY(f(t->hooks[i].user, s));
    }
    return RC_OK;
}

static bool hooks_have_loss(const struct rc_trainer *t)
{
    for (uint32_t i = 0; i < t->n_hooks; i++)
        if (t->hooks[i].on_logits)
            return true;
    return false;
}

static rc_status step_loss(struct rc_trainer *t, struct rci_train_step *s)
{
    const struct rci_loss_batch b = {s->n, s->classes, s->logits, s->labels, s->grad, s->target};
    if (hooks_have_loss(t))
        RC_TRY(rci_trainer_call_hooks(t, RC_HOOK_LOGITS, s));
    else
        s->loss = t->loss->value(t->loss_params, &b);
    if (!isfinite(s->loss) && t->fixed_rate > 0)
        return RC_ERR_STATE; /* what a range test looks for */
    if (!isfinite(s->loss))
        return rci_fail(RC_ERR_STATE,
                        "training diverged: the loss is %g at epoch %llu, step %llu; a lower "
                        "learning rate than %g may help",
                        s->loss, (unsigned long long) s->epoch + 1,
                        (unsigned long long) s->step + 1, t->o.lr);
    return RC_OK;
}

static void scale_floats(float *p, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++)
        p[i] *= factor;
}

static size_t tap_count(const struct rci_train_tap *tap)
{
    return (size_t) rci_shape_count(&tap->value->shape);
}

/* The loss of all ranks, and its gradient by this one's logits. */
static rc_status share_loss(struct rc_trainer *t, struct rci_train_step *s, rc_status own,
                            double *correct)
{
    const float part = 1 / (float) t->sync.ranks;
    const bool stop = t->sync.all_reduce && rci_check_cancel(t->ctx) != RC_OK;
    double v[] = {s->loss, *correct, stop};
    RC_TRY(rci_ranks_exchange(t, own, v, 3));
    s->loss = v[0] / t->sync.ranks;
    *correct = v[1];
    t->cancelled = v[2] > 0;
    if (t->sync.ranks > 1) {
        scale_floats(s->grad, (size_t) s->n * s->classes, part);
        for (uint32_t i = 0; i < t->n_taps; i++)
            scale_floats(t->taps[i].grad, tap_count(&t->taps[i]), part);
    }
    return RC_OK;
}

static uint64_t count_correct(const struct rci_train_step *s)
{
    uint64_t correct = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const float *z = s->logits + (size_t) i * s->classes;
        uint32_t best = 0;
        for (uint32_t j = 1; j < s->classes; j++)
            best = z[j] > z[best] ? j : best;
        correct += (int32_t) best == s->labels[i];
    }
    return correct;
}

static rc_status step_data(struct rc_trainer *t, struct rci_train_step *s)
{
    const uint64_t step = t->state.count.step, epoch = step / t->per_epoch;
    *s = (struct rci_train_step){.graph = t->graph,
                                 .tape = t->tape,
                                 .epoch = epoch,
                                 .step = step,
                                 .steps = t->steps,
                                 .pass = t->o.replays ? epoch % t->o.replays : epoch,
                                 .index = step % t->per_epoch,
                                 .classes = t->fit.classes,
                                 .x = t->x,
                                 .labels = t->labels,
                                 .target = t->target,
                                 .ids = t->ids,
                                 .taps = t->taps,
                                 .grad = t->grad};
    struct rci_batch to = {.x = t->x, .target = t->target, .y = t->labels, .id = t->ids};
    const rc_status st = rci_batches_fill(t->batches, s->pass, s->index, &to);
    s->n = to.n;
    return st;
}

/* Dropout takes other elements on every rank. */
static uint64_t rank_seed(const struct rc_trainer *t)
{
    return t->o.seed + UINT64_C(0xd1342543de82ef95) * t->sync.rank;
}

rc_status rci_trainer_step(struct rc_trainer *t, struct rci_train_step *s)
{
    const uint64_t start = rci_clock_ns();
    rc_status st = step_data(t, s);
    t->now = t->fixed_rate > 0 ? (struct rci_rate_now){t->fixed_rate, -1}
                               : rci_rate_at(t->rate, t->rate_params, t->o.lr, s->step, t->steps);
    s->rate = t->now.rate;
    if (st == RC_OK)
        st = rci_trainer_call_hooks(t, RC_HOOK_BATCH, s);
    t->now.rate = s->rate;
    RC_TRY(rci_ranks_exchange(t, st, NULL, 0)); /* nobody waits for a rank without images */
    const void *const inputs[] = {t->x};
    RC_TRY(rci_tape_forward(t->tape, inputs, rank_seed(t), s->step));
    s->logits = rci_tape_output(t->tape, 0)->data;
    for (uint32_t i = 0; i < t->n_taps; i++)
        memset(t->taps[i].grad, 0, tap_count(&t->taps[i]) * sizeof(float));
    st = step_loss(t, s);
    double correct = (double) count_correct(s);
    RC_TRY(share_loss(t, s, st, &correct));
    const float *const logits_only[] = {t->grad};
    if (t->n_taps)
        t->gradients[0] = t->grad;
    RC_TRY(rci_tape_backward(t->tape, t->n_taps ? t->gradients : logits_only));
    RC_TRY(rci_trainer_call_hooks(t, RC_HOOK_GRADIENTS, s));
    RC_TRY(rci_trainer_update_weights(t, s->index));
    RC_TRY(rci_trainer_call_hooks(t, RC_HOOK_STEP, s));
    t->state.count.loss_sum += s->loss;
    t->state.count.correct += (uint64_t) correct;
    t->state.count.step++;
    t->step_ns += rci_clock_ns() - start;
    t->steps_here++;
    return RC_OK;
}
