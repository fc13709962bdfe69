#ifndef RC_LIB_FIT_FRONTIER_H
#define RC_LIB_FIT_FRONTIER_H
/* Values inside a graph over the images of a data set, for those who look at one layer after the
 * other in order of execution. What the layers ahead still read is kept for all images, so that
 * every node runs once and not once per layer behind it; where that does not fit into `room`, the
 * last values that did are run on from again. The same images in the same order for every graph. */
#include "data/feed.h"
#include "exec/session.h"

struct rci_frontier {
    struct rc_context *ctx;
    const struct rc_graph *g; /* weights may change where no node has run yet */
    const rc_dataset *data;
    struct rci_feed_config config;
    struct rci_feed feed;
    size_t room;     /* for kept values. [bytes] */
    uint64_t images; /* in all */
    uint64_t at;     /* next image */
    struct rci_kept_value *kept;
    uint32_t n_kept;
    struct rc_session *session; /* of what is watched; NULL: nothing has to run */
    uint32_t n, n_out;
    rci_id *watched;     /* [n] */
    const float **value; /* [n] this batch, plain */
    void **out;          /* [n_out] of the session, owned */
    const void **in;     /* [inputs of the session] */
    rci_id *in_of;       /* [inputs of the session] value of `g` that it is */
};

/* Images like those `g` takes, at most `images` of them. The graph is borrowed. */
rc_status rci_frontier_open(struct rci_frontier *f, const struct rc_graph *g, const rc_dataset *d,
                            uint64_t images, uint64_t batch);
/* Keep what `node` and everything behind it in `order` read. */
rc_status rci_frontier_move(struct rci_frontier *f, const rci_id *order, uint32_t n, rci_id node);
/* Look at these values from the first image on; of the layer that was moved to or behind it. */
rc_status rci_frontier_watch(struct rci_frontier *f, const rci_id *value, uint32_t n);
/* The next batch; *n: its images, 0 at the end. */
rc_status rci_frontier_next(struct rci_frontier *f, uint32_t *n);
void rci_frontier_close(struct rci_frontier *f); /* accepts zeros and what a failed open left */
#endif
