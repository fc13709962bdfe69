/* BatchNormalization statistics as exact averages over training images: mean = sum x / n, variance
 * of all of them, every layer in the same forwards; the weights do not change. */
#include "data/feed.h"
#include "train/fit.h"
#include "train/trainer.h"

enum { DEFAULT_IMAGES = 2048, DEFAULT_BATCH = 128 };

static bool graph_has_bn(const struct rc_graph *g)
{
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && g->nodes[i].op->as_norm)
            return true;
    return false;
}

static rc_status walk(struct rci_tape *tape, struct rci_feed *f)
{
    const void *const inputs[] = {f->x};
    uint32_t n;
    RC_TRY(rci_tape_bn_begin(tape));
    for (;;) {
        RC_TRY(rci_feed_next(f, &n));
        if (!n)
            return rci_tape_bn_end(tape);
        RC_TRY(rci_tape_forward(tape, inputs, 0, f->index - 1));
    }
}

rc_status rci_bn_reestimate(struct rc_graph *g, const struct rc_dataset *d, uint64_t images,
                            uint64_t batch, uint32_t threads)
{
    struct rci_fit fit;
    struct rci_feed feed;
    struct rci_tape *tape = NULL;
    if (!graph_has_bn(g))
        return RC_OK;
    RC_TRY(rci_fit_check(&fit, g, d, batch ? (int64_t) batch : DEFAULT_BATCH));
    const uint64_t all = rci_dataset_images(d);
    images = images ? images : DEFAULT_IMAGES;
    images = images < all ? images : all;
    if ((uint64_t) fit.batch > images && g->dynamic_batch && images > 1)
        fit.batch = (int64_t) images;
    const struct rci_feed_config data = {
        .batch = (uint64_t) fit.batch, .images = images, .shuffle = true, .drop_last = true};
    const struct rci_tape_config config = {.batch = fit.batch, .threads = threads, .no_grad = true};
    rc_status st = rci_feed_open(&feed, g, d, &data);
    if (st == RC_OK)
        st = rci_tape_new(&tape, g, &config);
    if (st == RC_OK)
        st = walk(tape, &feed);
    rci_tape_free(tape);
    rci_feed_close(&feed);
    return st;
}
