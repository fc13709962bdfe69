#ifndef RC_LIB_DATA_FEED_H
#define RC_LIB_DATA_FEED_H
/* Images of a data set for the one input of a graph, batch by batch: what evaluation, calibration,
 * pruning and statistics share. Training, where every epoch has another order, draws its batches
 * itself (data/batches.h) after the same check. */
#include "data/batches.h"
#include "graph/graph.h"

struct rci_feed {
    struct rc_context *ctx;
    struct rci_batches *batches;
    float *x;       /* [batch, C, H, W], normalised */
    int32_t *label; /* [batch] */
    uint32_t batch; /* largest; the graph's own where that is fixed */
    uint32_t run;   /* images to run for the present batch: those of a fixed batch are always all */
    uint64_t index, left, seen; /* next batch; images to come and before */
    bool whole;
};

struct rci_feed_config {
    uint64_t batch;  /* wanted */
    uint64_t images; /* at most so many; 0: all */
    uint64_t seed;   /* of the order, with `shuffle` */
    bool shuffle;
    bool drop_last; /* whole batches only */
    bool prefetch;  /* a thread prepares the next batch */
};

/* Whether a data set can feed the graph: one input, f32, [N, C, H, W] or [N, H, W, C] of its images
 * or, with another rank, as many elements per image. `d` NULL: only that there is one input. */
rc_status rci_feed_check(const struct rc_graph *g, const struct rc_dataset *d);
/* Whether a graph that passed the check takes [N, H, W, C]; where both would do it takes channels
 * first. */
bool rci_feed_channels_last(const struct rc_graph *g, const struct rc_dataset *d);
/* Accepts anything that rci_feed_close() has to clean up after a failure. */
rc_status rci_feed_open(struct rci_feed *f, const struct rc_graph *g, const struct rc_dataset *d,
                        const struct rci_feed_config *o);
/* The next batch into x and label; *n: its images, 0 at the end. Asks for cancelling. */
rc_status rci_feed_next(struct rci_feed *f, uint32_t *n);
void rci_feed_close(struct rci_feed *f); /* accepts zeros and what a failed open left */
#endif
