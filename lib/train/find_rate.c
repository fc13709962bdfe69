/* The range test: rates that grow by one factor a step from `first` to `last`, the loss of each,
 * and everything put back. Smoothed losses: s <- b s + (1 - b) l, divided by 1 - b^t. */
#include "base/compute.h"
#include "train/run.h"

#include <math.h>

enum { TEST_STEPS = 100 };
static const double SMOOTHING = 0.9, DIVERGED = 4;

struct range_test {
    rc_rate_test o;
    double *rates, *losses;    /* [o.steps] or NULL */
    uint64_t n;                /* steps done */
    double sum, smooth;        /* before and after the division */
    double least, least_at;    /* of the smoothed losses, and its rate */
    double steepest, steep_at; /* fall of the smoothed loss from one rate to the next */
};

static rc_status check_range(const struct rc_trainer *t, rc_rate_test *o)
{
    if (t->ran)
        return rci_fail(RC_ERR_STATE, "the trainer ran already; make a new one");
    o->steps = o->steps ? o->steps : TEST_STEPS;
    o->first = o->first > 0 ? o->first : 1e-5;
    o->last = o->last > 0 ? o->last : 10;
    if (o->steps < 10 || o->steps > 100000)
        return rci_fail(RC_ERR_ARG, "steps is %llu, allowed is 10..100000",
                        (unsigned long long) o->steps);
    if (!(o->first < o->last) || !(o->last <= 1000))
        return rci_fail(RC_ERR_ARG, "rates go from %g to %g, allowed is 0 < first < last <= 1000",
                        o->first, o->last);
    return RC_OK;
}

/* The first losses are noise around the start: a slope among them means nothing. */
static void note_loss(struct range_test *r, double rate, double loss)
{
    const double before = r->smooth;
    r->sum = SMOOTHING * r->sum + (1 - SMOOTHING) * loss;
    r->smooth = r->sum / (1 - pow(SMOOTHING, (double) r->n + 1));
    if (r->rates)
        r->rates[r->n] = rate;
    if (r->losses)
        r->losses[r->n] = loss;
    if (r->n > r->o.steps / 10 && before - r->smooth > r->steepest) {
        r->steepest = before - r->smooth;
        r->steep_at = rate;
    }
    if (r->n == 0 || r->smooth < r->least) {
        r->least = r->smooth;
        r->least_at = rate;
    }
    r->n++;
}

static rc_status range_steps(struct rc_trainer *t, void *user)
{
    struct range_test *r = user;
    const double grow = pow(r->o.last / r->o.first, 1 / (double) (r->o.steps - 1));
    struct rci_train_step s;
    for (uint64_t i = 0; i < r->o.steps; i++) {
        t->fixed_rate = r->o.first * pow(grow, (double) i);
        const rc_status st = rci_trainer_step(t, &s);
        if (st == RC_ERR_STATE && i > 0 && !isfinite(s.loss))
            return RC_OK; /* the end of the range */
        RC_TRY(st);
        RC_TRY(rci_check_cancel(t->ctx));
        note_loss(r, t->fixed_rate, s.loss);
        if (r->smooth > DIVERGED * r->least)
            return RC_OK;
    }
    return RC_OK;
}

rc_status rci_trainer_find_rate(struct rc_trainer *t, const rc_rate_test *o,
                                rc_rate_test_result *out, double *rates, double *losses)
{
    struct range_test r = {.o = *o, .rates = rates, .losses = losses};
    RC_TRY(check_range(t, &r.o));
    if (t->sync.all_reduce)
        return rci_fail(RC_ERR_UNSUPPORTED, "the range test is for one process");
    const struct rci_compute saved = rci_compute_enter(t->ctx, (uint32_t) t->o.threads);
    const rc_status st = rci_trainer_try(t, range_steps, &r);
    rci_compute_leave(saved);
    t->fixed_rate = 0;
    *out = (rc_rate_test_result){.size = sizeof(*out),
                                 .steps = r.n,
                                 .rate = r.least_at / 10,
                                 .least = r.least_at,
                                 .steepest = r.steep_at > 0 ? r.steep_at : r.least_at / 10};
    return st;
}
