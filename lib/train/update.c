/* From gradients to weights: the mean over accumulated batches, the global norm and its clip, the
 * optimiser, and the moving average e <- d e + (1 - d) w with d = min(ema, (1 + t) / (10 + t)).
 * Sums go over pieces of fixed size in their order: the same bits for any number of threads. */
#include "train/run.h"

#include <math.h>

/* --- accumulation --- */

/* Batches of the running update with this one, and whether it is the update's last. The last update
 * of an epoch may have fewer. */
static uint32_t batches_of_update(const struct rc_trainer *t, uint64_t index, bool *last)
{
    const uint64_t each = t->o.accumulate, in = index % each;
    *last = in + 1 == each || index + 1 == t->per_epoch;
    return (uint32_t) in + 1;
}

uint64_t rci_train_updates(const struct rc_trainer *t, uint64_t step)
{
    const uint64_t each = t->o.accumulate, per_epoch = (t->per_epoch + each - 1) / each;
    return step / t->per_epoch * per_epoch + step % t->per_epoch / each;
}

/* `done` batches with this one; after the last one their mean takes the gradient's place. */
static void accumulate_piece(struct rc_trainer *t, const struct rci_piece *p, uint32_t done,
                             bool last)
{
    float *grad = rci_tape_param_grad(t->tape, p->param);
    if (!grad)
        return;
    float *restrict sum = t->sums + t->state.offset[p->param] + p->from;
    float *restrict g = grad + p->from;
    for (uint32_t i = 0; i < p->n; i++) {
        sum[i] = done == 1 ? g[i] : sum[i] + g[i];
        g[i] = last ? sum[i] / (float) done : g[i];
    }
}

/* --- norms --- */

static double sum_of_squares(const float *x, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double) x[i] * (double) x[i];
    return sum;
}

static bool piece_trains(const struct rc_trainer *t, const struct rci_piece *p)
{
    return rci_tape_param_grad(t->tape, p->param) && (!t->factor || t->factor[p->param] > 0);
}

/* Of all gradients that change weights. */
static double gradient_norm(struct rc_trainer *t)
{
    double sum = 0;
#pragma omp parallel for schedule(static)
    for (uint32_t i = 0; i < t->n_pieces; i++) {
        struct rci_piece *p = &t->pieces[i];
        p->norm[0] = piece_trains(t, p)
                         ? sum_of_squares(rci_tape_param_grad(t->tape, p->param) + p->from, p->n)
                         : 0;
    }
    for (uint32_t i = 0; i < t->n_pieces; i++)
        sum += t->pieces[i].norm[0];
    return sqrt(sum);
}

static rc_status clip_gradients(struct rc_trainer *t)
{
    t->gradient_norm = gradient_norm(t);
    if (!(t->o.clip > 0))
        return RC_OK;
    if (!isfinite(t->gradient_norm))
        return rci_fail(RC_ERR_STATE,
                        "training diverged: the gradient's norm is %g at step %llu; a lower "
                        "learning rate than %g may help",
                        t->gradient_norm, (unsigned long long) t->state.count.step + 1, t->o.lr);
    if (t->gradient_norm <= t->o.clip)
        return RC_OK;
    const float factor = (float) (t->o.clip / t->gradient_norm);
#pragma omp parallel for schedule(static)
    for (uint32_t i = 0; i < t->n_pieces; i++) {
        const struct rci_piece *p = &t->pieces[i];
        float *g = rci_tape_param_grad(t->tape, p->param);
        for (uint32_t k = 0; g && k < p->n; k++)
            g[p->from + k] *= factor;
    }
    return RC_OK;
}

/* --- the optimiser --- */

static struct rci_optim_step piece_step(struct rc_trainer *t, const struct rci_piece *p)
{
    const struct rci_train_state *st = &t->state;
    const size_t at = st->offset[p->param] + p->from;
    float *grad = rci_tape_param_grad(t->tape, p->param) + p->from;
    return (struct rci_optim_step){
        .w = rci_tape_param_data(t->tape, p->param) + p->from,
        .grad = grad,
        .direction = grad,
        .trust = 1,
        .state = {st->optim[0] ? st->optim[0] + at : NULL, st->optim[1] ? st->optim[1] + at : NULL},
        .n = p->n,
        .rate = t->now.rate * (t->factor ? t->factor[p->param] : 1),
        .momentum = t->now.momentum,
        .step = rci_train_updates(t, st->count.step) + 1,
        .decays = rci_tape_param_decays(t->tape, p->param),
    };
}

static void direct_piece(struct rc_trainer *t, struct rci_piece *p)
{
    const struct rci_optim_step s = piece_step(t, p);
    p->norm[0] = sum_of_squares(s.w, p->n);
    p->norm[1] = sum_of_squares(s.grad, p->n);
    t->optimizer->direct(t->optimizer_params, &s);
    p->norm[2] = sum_of_squares(s.direction, p->n);
}

/* The trust of every parameter, in its first piece. */
static void settle_trust(struct rc_trainer *t)
{
    for (uint32_t i = 0, next; i < t->n_pieces; i = next) {
        struct rci_piece *p = &t->pieces[i];
        double sum[3] = {0};
        for (next = i; next < t->n_pieces && t->pieces[next].param == p->param; next++)
            for (int k = 0; k < 3; k++)
                sum[k] += t->pieces[next].norm[k];
        const struct rci_optim_norms n = {sqrt(sum[0]), sqrt(sum[1]), sqrt(sum[2]),
                                          rci_tape_param_decays(t->tape, p->param)};
        const double trust = t->optimizer->trust(t->optimizer_params, &n);
        for (uint32_t k = i; k < next; k++)
            t->pieces[k].trust = trust;
    }
}

static void update_piece(struct rc_trainer *t, const struct rci_piece *p, float keep)
{
    struct rci_train_state *st = &t->state;
    struct rci_optim_step s = piece_step(t, p);
    if (t->optimizer->direct)
        s.trust = p->trust;
    t->optimizer->step(t->optimizer_params, &s);
    if (!t->o.ema)
        return;
    float *restrict e = st->ema + st->offset[p->param] + p->from;
    for (size_t i = 0; i < s.n; i++)
        e[i] += (1 - keep) * (s.w[i] - e[i]);
}

static void update_weights(struct rc_trainer *t)
{
    const double age = (double) rci_train_updates(t, t->state.count.step);
    const float keep = (float) fmin(t->o.ema, (1 + age) / (10 + age));
    if (t->optimizer->direct) {
#pragma omp parallel for schedule(static)
        for (uint32_t i = 0; i < t->n_pieces; i++)
            if (piece_trains(t, &t->pieces[i]))
                direct_piece(t, &t->pieces[i]);
        settle_trust(t);
    }
#pragma omp parallel for schedule(static)
    for (uint32_t i = 0; i < t->n_pieces; i++)
        if (piece_trains(t, &t->pieces[i]))
            update_piece(t, &t->pieces[i], keep);
}

rc_status rci_trainer_update_weights(struct rc_trainer *t, uint64_t index)
{
    bool last;
    const uint32_t done = batches_of_update(t, index, &last);
    if (t->sums) {
#pragma omp parallel for schedule(static)
        for (uint32_t i = 0; i < t->n_pieces; i++)
            accumulate_piece(t, &t->pieces[i], done, last);
    }
    if (!last)
        return RC_OK;
    if (t->o.clip > 0 || t->events)
        RC_TRY(clip_gradients(t));
    update_weights(t);
    return RC_OK;
}

void rci_trainer_update(const struct rc_trainer *t, const struct rci_train_update *u)
{
    struct rci_optim_step s = {.w = u->w,
                               .grad = u->grad,
                               .direction = u->grad,
                               .trust = 1,
                               .state = {u->state[0], u->state[1]},
                               .n = u->n,
                               .rate = t->now.rate,
                               .momentum = t->now.momentum,
                               .step = t->state.count.step + 1,
                               .decays = u->decays};
    if (t->optimizer->direct) {
        const uint32_t n = (uint32_t) u->n;
        struct rci_optim_norms norms = {sqrt(sum_of_squares(u->w, n)),
                                        sqrt(sum_of_squares(u->grad, n)), 0, u->decays};
        t->optimizer->direct(t->optimizer_params, &s);
        norms.direction = sqrt(sum_of_squares(s.direction, n));
        s.trust = t->optimizer->trust(t->optimizer_params, &norms);
    }
    t->optimizer->step(t->optimizer_params, &s);
}

/* --- equal averages --- */

/* SWA: from the epoch `first` on, the mean of the weights at the ends of epochs; before it, the
 * weights themselves. `epoch` counts from 0. */
void rci_train_average_epoch(struct rc_trainer *t, uint64_t epoch)
{
    struct rci_train_state *s = &t->state;
    const uint64_t first = (uint64_t) floor(t->o.swa * (double) t->o.epochs);
    const float share = 1 / (float) (epoch > first ? epoch - first + 1 : 1);
    for (uint32_t i = 0; i < s->n_params; i++) {
        const float *w = rci_tape_param_data(t->tape, i);
        float *e = s->ema + s->offset[i];
        for (size_t k = 0; k < s->offset[i + 1] - s->offset[i]; k++)
            e[k] += share * (w[k] - e[k]);
    }
}
