/* Ranges of all observed values from one pass over the calibration images. */
#include "kernel/engine.h"
#include "base/compute.h"
#include "quant/walk.h"

#include <math.h>

/* The graph's input is not an output of any step, but the batch itself. */
static uint32_t given(const struct rc_quantizer *q)
{
    return q->g->values[q->entry[0]].flags & RC_VALUE_INPUT ? 1 : 0;
}

static rc_status observe_entry(struct rc_quantizer *q, struct rc_observation *seen, uint32_t i,
                               const struct rc_quant_walk *w, uint32_t n)
{
    const struct rc_tensor *t = &q->g->values[q->entry[i]].tensor;
    const size_t elements = (size_t) (rc_shape_count(&t->shape) / q->g->batch) * n;
    const uint32_t first = w->n_out - (q->n_entries - given(q));
    const float *x = i < given(q) ? w->x : w->out[first + i - given(q)];
    return rc_observation_add(&seen[i], q->observer, q->params, x, elements);
}

/* One value per thread; a failure is told again on the caller's thread, whose message it is. */
static rc_status observe_batch(struct rc_quantizer *q, struct rc_observation *seen,
                               const struct rc_quant_walk *w, uint32_t n)
{
    rc_status failed = RC_OK;
    uint32_t at = 0;
#pragma omp parallel for schedule(dynamic)
    for (uint32_t i = 0; i < q->n_entries; i++) {
        const rc_status st = observe_entry(q, seen, i, w, n);
        if (st != RC_OK) {
#pragma omp critical
            if (failed == RC_OK || i < at) {
                failed = st;
                at = i;
            }
        }
    }
    if (failed == RC_ERR_DATA)
        return rc_fail(failed, "value \"%s\" is NaN or infinite on calibration images",
                       q->g->values[q->entry[at]].name);
    return failed == RC_OK ? RC_OK : rc_fail(failed, "out of memory during calibration");
}

static rc_status observe_all(struct rc_quantizer *q, struct rc_observation *seen,
                             struct rc_dataset *d)
{
    struct rc_quant_walk w;
    RC_TRY(rc_quant_walk_start(&w, q, d, q->g, q->entry + given(q), q->n_entries - given(q)));
    rc_status st = RC_OK;
    uint32_t n;
    q->seen = 0;
    while ((st = rc_quant_walk_next(&w, &n)) == RC_OK && n) {
        if ((st = observe_batch(q, seen, &w, n)) != RC_OK)
            break;
        q->seen += n;
    }
    rc_quant_walk_end(&w);
    return st;
}

static rc_status choose_thresholds(struct rc_quantizer *q, struct rc_observation *seen)
{
    for (uint32_t i = 0; i < q->n_entries; i++) {
        q->plan.value[q->entry[i]].low = seen[i].low;
        q->plan.value[q->entry[i]].high = seen[i].high;
    }
    rc_quant_plan_types(&q->plan, q->g);
    rc_status failed = RC_OK;
#pragma omp parallel for schedule(dynamic)
    for (uint32_t i = 0; i < q->n_entries; i++) {
        struct rc_quant_value *v = &q->plan.value[q->entry[i]];
        const rc_status st = rc_observation_clip(&seen[i], q->observer, q->params,
                                                 v->type == RC_U8 ? 255 : 127, &v->amax);
        if (st != RC_OK) {
#pragma omp critical
            failed = st;
        }
    }
    if (failed != RC_OK)
        return rc_fail(failed, "choosing ranges failed");
    rc_quantizer_settle(q);
    return RC_OK;
}

static rc_status run(struct rc_quantizer *q, struct rc_dataset *d)
{
    q->ready = false;
    rc_quantizer_forget_biases(q);
    struct rc_observation *seen = rc_alloc_array(q->ctx, q->n_entries, sizeof(*seen));
    if (!seen)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < q->n_entries; i++)
        rc_observation_init(&seen[i], q->ctx);
    rc_status st = observe_all(q, seen, d);
    if (st == RC_OK)
        st = choose_thresholds(q, seen);
    for (uint32_t i = 0; i < q->n_entries; i++)
        rc_observation_free(&seen[i]);
    rc_release(seen);
    RC_TRY(st);
    const uint64_t never = RC_QUANTIZE_NO_BIAS_CORRECTION | RC_QUANTIZE_QAT;
    return q->flags & never ? RC_OK : rc_quantizer_correct(q, d);
}

rc_status rc_quantizer_run(struct rc_quantizer *q, struct rc_dataset *d)
{
    RC_TRY(rc_compute_check_fork());
    const struct rc_compute saved = rc_compute_enter(q->ctx, 0);
    const rc_status st = run(q, d);
    rc_compute_leave(saved);
    return st;
}
