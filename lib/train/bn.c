/* BatchNormalization statistics as exact averages over training images: mean = sum x / n, variance
 * of all of them, every layer in the same forwards; the weights do not change. */
#include "train/fit.h"
#include "train/trainer.h"

#include <string.h>

enum { DEFAULT_IMAGES = 2048, DEFAULT_BATCH = 128 };

struct estimation {
    struct rci_tape *tape;
    struct rci_batches *batches;
    float *x;
    int32_t *y;
    uint64_t runs;
};

static bool graph_has_bn(const struct rc_graph *g)
{
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && !strcmp(g->nodes[i].op->name, "BatchNormalization"))
            return true;
    return false;
}

static rc_status estimation_open(struct estimation *e, struct rc_graph *g,
                                 const struct rc_dataset *d, const struct rci_fit *fit,
                                 uint32_t threads)
{
    const struct rci_tape_config tape = {.batch = fit->batch, .threads = threads, .no_grad = true};
    const struct rci_batches_config batches = {
        .batch = (uint32_t) fit->batch, .shuffle = true, .drop_last = true};
    const size_t image = (size_t) (fit->chw[0] * fit->chw[1] * fit->chw[2]);
    RC_TRY(rci_batches_create(&e->batches, d, &batches));
    RC_TRY(rci_tape_create(&e->tape, g, &tape));
    e->x = rci_alloc_array(g->ctx, (size_t) fit->batch * image, sizeof(*e->x));
    e->y = rci_alloc_array(g->ctx, (size_t) fit->batch, sizeof(*e->y));
    return e->x && e->y ? RC_OK : RC_ERR_MEMORY;
}

static rc_status estimation_run(struct estimation *e, struct rc_context *c)
{
    const void *const inputs[] = {e->x};
    RC_TRY(rci_tape_bn_begin(e->tape));
    for (uint64_t i = 0; i < e->runs; i++) {
        uint32_t n;
        RC_TRY(rci_check_cancel(c));
        RC_TRY(rci_batches_get(e->batches, 0, i, e->x, e->y, NULL, &n));
        RC_TRY(rci_tape_forward(e->tape, inputs, 0, i));
    }
    return rci_tape_bn_end(e->tape);
}

rc_status rci_bn_reestimate(struct rc_graph *g, const struct rc_dataset *d, uint64_t images,
                            uint64_t batch, uint32_t threads)
{
    struct rci_fit fit;
    if (!graph_has_bn(g))
        return RC_OK;
    RC_TRY(rci_fit_check(&fit, g, d, batch ? (int64_t) batch : DEFAULT_BATCH));
    const uint64_t all = rci_dataset_images(d);
    images = images ? images : DEFAULT_IMAGES;
    images = images < all ? images : all;
    if ((uint64_t) fit.batch > images && g->dynamic_batch && images > 1)
        fit.batch = (int64_t) images;
    struct estimation e = {.runs = images / (uint64_t) fit.batch};
    if (e.runs == 0)
        return rci_fail(RC_ERR_DATA, "%llu images are fewer than one batch of %lld",
                        (unsigned long long) images, (long long) fit.batch);
    rc_status st = estimation_open(&e, g, d, &fit, threads);
    if (st == RC_OK)
        st = estimation_run(&e, g->ctx);
    rci_tape_destroy(e.tape);
    rci_batches_destroy(e.batches);
    rci_release(e.x);
    rci_release(e.y);
    return st;
}
