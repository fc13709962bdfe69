#ifndef RC_LIB_PRUNE_PROBE_H
#define RC_LIB_PRUNE_PROBE_H
/* Values inside graphs over the images of a data set: the same batches for every graph that is
 * watched. */
#include "data/feed.h"
#include "exec/session.h"

enum { RC_PROBE_GRAPHS = 2 };

struct rci_probe_view { /* of one graph, which runs only as far as the values need */
    struct rc_session *session;
    uint32_t n;
    const float **value; /* [n] this batch, plain */
    void **out;          /* per session output, owned */
};

struct rci_probe {
    struct rc_context *ctx;
    struct rci_feed feed;
    uint32_t n_views;
    struct rci_probe_view view[RC_PROBE_GRAPHS];
};

/* Images like those `g` takes, at most `images` of them. */
rc_status rci_probe_open(struct rci_probe *p, const struct rc_graph *g, const rc_dataset *d,
                         uint64_t images, uint64_t batch);
/* Look at these values of `g` (same input as the one of open) from the next batch on. */
rc_status rci_probe_watch(struct rci_probe *p, const struct rc_graph *g, const rci_id *value,
                          uint32_t n);
/* The next batch through all graphs; *n: its images, 0 at the end. */
rc_status rci_probe_next(struct rci_probe *p, uint32_t *n);
void rci_probe_close(struct rci_probe *p);
#endif
