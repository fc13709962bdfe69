/* top-k: share of images whose label has fewer than k classes before it; loss: mean of
 * log sum_j exp(z_j) - z_y. */
#include "train/evaluate.h"
#include "base/file.h"
#include "exec/session.h"
#include "train/fit.h"
#include "train/loss.h"

#include <math.h>
#include <string.h>

struct evaluation {
    struct rc_session *session;
    struct rc_batches *batches;
    struct rc_fit fit;
    float *x, *z;
    int32_t *y;
    void **outputs;
    uint64_t *confusion;
    uint64_t images, top1, top5;
    double loss, model_seconds;
};

static void count_image(struct evaluation *e, const float *z, uint32_t y)
{
    uint32_t before = 0, best = 0;
    for (uint32_t j = 0; j < e->fit.classes; j++) {
        const bool ahead = z[j] > z[y] || (z[j] == z[y] && j < y) || isnan(z[j]) || isnan(z[y]);
        before += j != y && ahead;
        best = z[j] > z[best] ? j : best;
    }
    const bool broken = isnan(z[y]);
    e->top1 += before == 0 && !broken;
    e->top5 += before < 5 && !broken;
    e->loss += rc_log_sum_exp(z, e->fit.classes, 1) - z[y];
    if (e->confusion)
        e->confusion[(size_t) y * e->fit.classes + best]++;
}

static void count_batch(struct evaluation *e, uint32_t n)
{
    const size_t count = (size_t) n * e->fit.classes;
    for (size_t i = 0; e->fit.softmax && i < count; i++)
        e->z[i] = logf(fmaxf(e->z[i], 1e-30f)); /* its softmax is the probability again */
    for (uint32_t i = 0; i < n; i++)
        count_image(e, e->z + (size_t) i * e->fit.classes, (uint32_t) e->y[i]);
    e->images += n;
}

static rc_status evaluation_open(struct evaluation *e, const struct rc_graph *g,
                                 struct rc_dataset *d, const rc_evaluate_options *o)
{
    RC_TRY(rc_fit_check(&e->fit, g, d, o->batch ? (int64_t) o->batch : 128));
    const uint64_t k = e->fit.classes;
    if (o->confusion && o->confusion_size != k * k)
        return rc_fail(RC_ERR_ARG, "confusion_size is %llu, must be %llu x %llu",
                       (unsigned long long) o->confusion_size, (unsigned long long) k,
                       (unsigned long long) k);
    e->confusion = o->confusion;
    if (e->confusion)
        memset(e->confusion, 0, k * k * sizeof(*e->confusion));
    const struct rc_session_config session = {.batch = e->fit.batch,
                                              .threads = (uint32_t) o->threads,
                                              .flags = o->flags & RC_EVALUATE_BF16 ? RC_SESSION_BF16
                                                                                   : 0};
    const struct rc_batches_config batches = {
        .batch = (uint32_t) e->fit.batch, .limit = o->images, .prefetch = true};
    RC_TRY(rc_session_create(&e->session, g, &session));
    RC_TRY(rc_batches_create(&e->batches, d, &batches));
    const size_t batch = (size_t) e->fit.batch;
    const size_t image = (size_t) (e->fit.chw[0] * e->fit.chw[1] * e->fit.chw[2]);
    e->x = rc_alloc_array(g->ctx, batch * image, sizeof(*e->x));
    e->z = rc_alloc_array(g->ctx, batch * k, sizeof(*e->z));
    e->y = rc_alloc_array(g->ctx, batch, sizeof(*e->y));
    e->outputs = rc_alloc_array(g->ctx, g->n_outputs, sizeof(*e->outputs));
    return e->x && e->z && e->y && e->outputs ? RC_OK : RC_ERR_MEMORY;
}

static void evaluation_close(struct evaluation *e)
{
    rc_session_destroy(e->session);
    rc_batches_destroy(e->batches);
    rc_release(e->x);
    rc_release(e->z);
    rc_release(e->y);
    rc_release(e->outputs);
}

static rc_status evaluation_run(struct evaluation *e, struct rc_context *c)
{
    const uint64_t batches = rc_batches_per_epoch(e->batches);
    const void *const inputs[] = {e->x};
    e->outputs[0] = e->z;
    for (uint64_t i = 0; i < batches; i++) {
        uint32_t n;
        RC_TRY(rc_check_cancel(c));
        RC_TRY(rc_batches_get(e->batches, 0, i, e->x, e->y, NULL, &n));
        const uint64_t start = rc_clock_ns();
        RC_TRY(rc_session_execute(e->session, n, inputs, e->outputs));
        e->model_seconds += (double) (rc_clock_ns() - start) * 1e-9;
        count_batch(e, n);
    }
    return RC_OK;
}

rc_status rc_evaluate_graph(const struct rc_graph *g, struct rc_dataset *d,
                            const rc_evaluate_options *o, rc_evaluate_result *r)
{
    static const rc_evaluate_options defaults = RC_EVALUATE_OPTIONS_INIT;
    struct evaluation e = {0};
    const uint64_t start = rc_clock_ns();
    rc_status st = evaluation_open(&e, g, d, o ? o : &defaults);
    if (st == RC_OK)
        st = evaluation_run(&e, g->ctx);
    evaluation_close(&e);
    RC_TRY(st);
    if (e.images == 0)
        return rc_fail(RC_ERR_DATA, "the data set has no images");
    const double n = (double) e.images;
    *r = (rc_evaluate_result){.size = sizeof(*r),
                              .images = e.images,
                              .classes = e.fit.classes,
                              .top1 = 100 * (double) e.top1 / n,
                              .top5 = 100 * (double) e.top5 / n,
                              .loss = e.loss / n,
                              .seconds = (double) (rc_clock_ns() - start) * 1e-9,
                              .images_per_second = n / fmax(e.model_seconds, 1e-9)};
    return RC_OK;
}
