/* top-k: share of images whose label has fewer than k classes before it; loss: mean of
 * log sum_j exp(z_j) - z_y. */
#include "train/evaluate.h"
#include "base/file.h"
#include "data/feed.h"
#include "exec/session.h"
#include "train/fit.h"
#include "train/loss.h"

#include <math.h>
#include <string.h>

struct rci_evaluator {
    struct rc_context *ctx;
    struct rc_session *session;
    const struct rc_dataset *dataset;
    struct rci_fit fit;
    float *z;
    void **outputs;
    uint64_t limit;
    bool refresh; /* weights may have changed since the session was made */
};

struct evaluation {
    const struct rci_evaluator *of;
    struct rci_feed feed;
    uint64_t *confusion;
    uint64_t images, top1, top5;
    double loss, model_seconds;
};

static void count_image(struct evaluation *e, const float *z, uint32_t y)
{
    uint32_t before = 0, best = 0;
    for (uint32_t j = 0; j < e->of->fit.classes; j++) {
        const bool ahead = z[j] > z[y] || (z[j] == z[y] && j < y) || isnan(z[j]) || isnan(z[y]);
        before += j != y && ahead;
        best = z[j] > z[best] ? j : best;
    }
    const bool broken = isnan(z[y]);
    e->top1 += before == 0 && !broken;
    e->top5 += before < 5 && !broken;
    e->loss += rci_log_sum_exp(z, e->of->fit.classes, 1) - z[y];
    if (e->confusion)
        e->confusion[(size_t) y * e->of->fit.classes + best]++;
}

static void count_batch(struct evaluation *e, uint32_t n)
{
    const size_t count = (size_t) n * e->of->fit.classes;
    for (size_t i = 0; e->of->fit.softmax && i < count; i++)
        e->of->z[i] = logf(fmaxf(e->of->z[i], 1e-30f)); /* its softmax is the probability again */
    for (uint32_t i = 0; i < n; i++)
        count_image(e, e->of->z + (size_t) i * e->of->fit.classes, (uint32_t) e->feed.label[i]);
    e->images += n;
}

static rc_status evaluator_open(struct rci_evaluator *e, const struct rc_graph *g,
                                const struct rc_dataset *d, const rc_evaluate_options *o)
{
    e->ctx = g->ctx;
    e->dataset = d;
    e->limit = o->images;
    RC_TRY(rci_fit_check(&e->fit, g, d, o->batch ? (int64_t) o->batch : 128));
    const struct rci_session_config session = {
        .batch = e->fit.batch,
        .threads = (uint32_t) o->threads,
        .flags = (o->flags & RC_EVALUATE_BF16 ? RC_SESSION_BF16 : 0) |
                 (o->flags & RC_EVALUATE_MIXED ? RC_SESSION_MIXED : 0)};
    RC_TRY(rci_session_new(&e->session, g, &session));
    const size_t batch = (size_t) e->fit.batch;
    e->z = rci_alloc_array(g->ctx, batch * e->fit.classes, sizeof(*e->z));
    e->outputs = rci_alloc_array(g->ctx, g->n_outputs, sizeof(*e->outputs));
    return e->z && e->outputs ? RC_OK : RC_ERR_MEMORY;
}

void rci_evaluator_free(struct rci_evaluator *e)
{
    if (!e)
        return;
    rci_session_free(e->session);
    rci_release(e->z);
    rci_release(e->outputs);
    rci_release(e);
}

rc_status rci_evaluator_new(struct rci_evaluator **out, const struct rc_graph *g,
                            const struct rc_dataset *d, const rc_evaluate_options *o)
{
    struct rci_evaluator *e = RC_NEW(g->ctx, struct rci_evaluator);
    *out = NULL;
    if (!e)
        return RC_ERR_MEMORY;
    const rc_status st = evaluator_open(e, g, d, o);
    if (st != RC_OK) {
        rci_evaluator_free(e);
        return st;
    }
    *out = e;
    return RC_OK;
}

static rc_status run_batches(struct evaluation *e)
{
    const struct rci_evaluator *of = e->of;
    const void *const inputs[] = {e->feed.x};
    uint32_t n;
    of->outputs[0] = of->z;
    for (;;) {
        RC_TRY(rci_feed_next(&e->feed, &n));
        if (!n)
            return RC_OK;
        const uint64_t start = rci_clock_ns();
        RC_TRY(rci_session_run(of->session, e->feed.run, inputs, of->outputs));
        e->model_seconds += (double) (rci_clock_ns() - start) * 1e-9;
        count_batch(e, n);
    }
}

rc_status rci_evaluator_run(struct rci_evaluator *of, const struct rc_graph *g, uint64_t *confusion,
                            rc_evaluate_result *r)
{
    const uint64_t start = rci_clock_ns();
    const struct rci_feed_config data = {
        .batch = (uint64_t) of->fit.batch, .images = of->limit, .prefetch = true};
    struct evaluation e = {.of = of, .confusion = confusion};
    if (of->refresh)
        RC_TRY(rci_session_refresh(of->session, g));
    of->refresh = true;
    rc_status st = rci_feed_open(&e.feed, g, of->dataset, &data);
    if (st == RC_OK)
        st = run_batches(&e);
    rci_feed_close(&e.feed);
    RC_TRY(st);
    const double n = (double) e.images;
    *r = (rc_evaluate_result){.size = sizeof(*r),
                              .images = e.images,
                              .classes = of->fit.classes,
                              .top1 = 100 * (double) e.top1 / n,
                              .top5 = 100 * (double) e.top5 / n,
                              .loss = e.loss / n,
                              .seconds = (double) (rci_clock_ns() - start) * 1e-9,
                              .images_per_second = n / fmax(e.model_seconds, 1e-9)};
    return RC_OK;
}

static rc_status clear_confusion(const struct rci_evaluator *e, const rc_evaluate_options *o)
{
    const uint64_t k = e->fit.classes;
    if (!o->confusion)
        return RC_OK;
    if (o->confusion_size != k * k)
        return rci_fail(RC_ERR_ARG, "confusion_size is %llu, must be %llu x %llu",
                        (unsigned long long) o->confusion_size, (unsigned long long) k,
                        (unsigned long long) k);
    memset(o->confusion, 0, k * k * sizeof(*o->confusion));
    return RC_OK;
}

rc_status rci_evaluate_graph(const struct rc_graph *g, const struct rc_dataset *d,
                             const rc_evaluate_options *o, rc_evaluate_result *r)
{
    static const rc_evaluate_options defaults = RC_EVALUATE_OPTIONS_INIT;
    struct rci_evaluator *e;
    const uint64_t start = rci_clock_ns();
    o = o ? o : &defaults;
    rc_status st = rci_evaluator_new(&e, g, d, o);
    if (st == RC_OK)
        st = clear_confusion(e, o);
    if (st == RC_OK)
        st = rci_evaluator_run(e, g, o->confusion, r);
    if (st == RC_OK)
        r->seconds = (double) (rci_clock_ns() - start) * 1e-9;
    rci_evaluator_free(e);
    return st;
}
