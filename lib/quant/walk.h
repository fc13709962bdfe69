#ifndef RC_LIB_QUANT_WALK_H
#define RC_LIB_QUANT_WALK_H
/* Calibration images through a graph, batch by batch, with chosen values kept. */
#include "data/feed.h"
#include "exec/session.h"
#include "quant/quantizer.h"

struct rci_quant_walk {
    struct rc_context *ctx;
    struct rc_session *session;
    struct rci_feed feed; /* its x is what the graph sees */
    uint32_t n_out;
    float **out; /* [n_out] the graph's outputs, then the observed values */
};

/* Outputs of `g` with `observe` after them. Same images in the same order for every walk. */
rc_status rci_quant_walk_start(struct rci_quant_walk *w, const struct rc_quantizer *q,
                               const struct rc_dataset *d, const struct rc_graph *g,
                               const rci_id *observe, uint32_t n_observe);
/* Fill feed.x and out with the next batch; *n = 0 at the end. */
rc_status rci_quant_walk_next(struct rci_quant_walk *w, uint32_t *n);
void rci_quant_walk_end(struct rci_quant_walk *w);
#endif
