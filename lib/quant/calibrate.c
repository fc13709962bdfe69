/* Ranges of all observed values from one pass over the calibration images. */
#include "base/compute.h"
#include "kernel/onednn/engine.h"
#include "quant/moments.h"
#include "quant/reconstruct.h"
#include "quant/trainable.h"
#include "quant/walk.h"

#include <math.h>

/* The graph's input is not an output of any step, but the batch itself. */
static uint32_t given(const struct rc_quantizer *q)
{
    return q->g->values[q->entry[0]].flags & RC_VALUE_INPUT ? 1 : 0;
}

static rc_status observe_entry(struct rc_quantizer *q, struct rci_observation *seen, uint32_t i,
                               const struct rci_quant_walk *w, uint32_t n)
{
    const struct rci_tensor *t = &q->g->values[q->entry[i]].tensor;
    const size_t elements = (size_t) (rci_shape_count(&t->shape) / q->g->batch) * n;
    const uint32_t first = w->n_out - (q->n_entries - given(q));
    const float *x = i < given(q) ? w->feed.x : w->out[first + i - given(q)];
    return rci_observation_add(&seen[i], q->observer, q->params, x, elements);
}

/* One value per thread; a failure is told again on the caller's thread, whose message it is. */
static rc_status observe_batch(struct rc_quantizer *q, struct rci_observation *seen,
                               const struct rci_quant_walk *w, uint32_t n)
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
        return rci_fail(failed, "value \"%s\" is NaN or infinite on calibration images",
                        q->g->values[q->entry[at]].name);
    return failed == RC_OK ? RC_OK : rci_fail(failed, "out of memory during calibration");
}

static rc_status observe_all(struct rc_quantizer *q, struct rci_observation *seen,
                             const struct rc_dataset *d)
{
    struct rci_quant_walk w;
    RC_TRY(rci_quant_walk_start(&w, q, d, q->g, q->entry + given(q), q->n_entries - given(q)));
    rc_status st = RC_OK;
    uint32_t n;
    q->seen = 0;
    while ((st = rci_quant_walk_next(&w, &n)) == RC_OK && n) {
        if ((st = observe_batch(q, seen, &w, n)) != RC_OK)
            break;
        q->seen += n;
    }
    rci_quant_walk_end(&w);
    return st;
}

static rc_status choose_thresholds(struct rc_quantizer *q, struct rci_observation *seen)
{
    for (uint32_t i = 0; i < q->n_entries; i++) {
        q->plan.value[q->entry[i]].low = seen[i].low;
        q->plan.value[q->entry[i]].high = seen[i].high;
    }
    rci_quant_plan_types(&q->plan, q->g);
    rc_status failed = RC_OK;
#pragma omp parallel for schedule(dynamic)
    for (uint32_t i = 0; i < q->n_entries; i++) {
        struct rci_quant_value *v = &q->plan.value[q->entry[i]];
        int32_t low, high;
        rci_quant_range(v, &low, &high);
        const rc_status st =
            rci_observation_clip(&seen[i], q->observer, q->params, (uint32_t) high, &v->amax);
        if (st != RC_OK) {
#pragma omp critical
            failed = st;
        }
    }
    if (failed != RC_OK)
        return rci_fail(failed, "choosing ranges failed");
    rci_quantizer_settle(q);
    return RC_OK;
}

/* Does a layer have 8-bit weights, whose pairs may be unsafe? */
static bool some_full(const struct rc_quantizer *q)
{
    for (rci_id i = 0; i < q->g->n_nodes; i++)
        if (rci_quant_takes(&q->plan, q->g, i) && q->plan.layer[i].weight_bits == 8)
            return true;
    return false;
}

static rc_status calibrate_run(struct rc_quantizer *q, const struct rc_dataset *d)
{
    q->ready = false;
    rci_quant_kept_free(q->kept, q->g->n_nodes);
    q->kept = NULL;
    for (uint32_t v = 0; v < q->plan.n; v++)
        q->plan.value[v].absent = false;
    rci_quantizer_forget_biases(q);
    rci_quantizer_forget_moments(q);
    rci_quantizer_forget_rounded(q);
    struct rci_observation *seen = rci_alloc_array(q->ctx, q->n_entries, sizeof(*seen));
    if (!seen)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < q->n_entries; i++)
        rci_observation_init(&seen[i], q->ctx);
    rc_status st = observe_all(q, seen, d);
    if (st == RC_OK)
        st = choose_thresholds(q, seen);
    for (uint32_t i = 0; i < q->n_entries; i++)
        rci_observation_free(&seen[i]);
    rci_release(seen);
    RC_TRY(st);
    if (q->qat && q->norm != RC_NORM_FOLDED)
        RC_TRY(rci_quantizer_take_statistics(q, d));
    if (q->rounding->round)
        return rci_quantizer_reconstruct(q, d);
    if (q->qat && q->norm == RC_NORM_BATCH)
        return RC_OK; /* shifts are learned, and pairs become safe in the end */
    if (!(q->flags & (RC_QUANTIZE_FULL_RANGE | RC_QUANTIZE_REDUCE_RANGE | RC_QUANTIZE_QAT)) &&
        some_full(q))
        RC_TRY(rci_quantizer_take_moments(q, d));
    const uint64_t never = RC_QUANTIZE_NO_BIAS_CORRECTION | RC_QUANTIZE_QAT;
    return q->flags & never ? RC_OK : rci_quantizer_correct(q, d);
}

rc_status rci_quantizer_calibrate(struct rc_quantizer *q, const struct rc_dataset *d)
{
    RC_TRY(rci_compute_check_fork());
    const struct rci_compute saved = rci_compute_enter(q->ctx, 0);
    const rc_status st = calibrate_run(q, d);
    rci_compute_leave(saved);
    return st;
}
