#ifndef RC_LIB_PRUNE_REFIT_H
#define RC_LIB_PRUNE_REFIT_H
/* One layer of a cut network, fitted anew to what the uncut network computes in its place. */
#include "fit/linear.h"
#include "fit/moments.h"

/* The layer's results are compared where they can be: behind the BatchNormalization that follows
 * alone, and in front of the residual Add that follows alone, where what the other branch lost is
 * part of what is wanted (error feedback). */
struct rci_refit {
    struct rci_linear layer; /* in the cut graph */
    rci_id norm;             /* node, or RC_NONE */
    rci_id target;           /* value to reproduce, in the uncut graph */
    rci_id other;            /* value that Add adds, in the cut graph, or RC_NONE */
    double *scale;           /* [o] of the BatchNormalization; 1 */
};

/* RC_OK with layer.node == RC_NONE: not a layer that can be fitted. */
rc_status rci_refit_of(struct rci_refit *r, const struct rc_graph *g, rci_id node);
void rci_refit_free(struct rci_refit *r);

/* Least-squares weights and shift from moments of (what the layer reads, target - other). Where a
 * BatchNormalization follows, its statistics become those of the new results, so that training
 * starts from the same function. */
rc_status rci_refit_apply(const struct rci_refit *r, struct rc_graph *g,
                          const struct rci_moments *m, double ridge);
#endif
