#ifndef RC_LIB_PRUNE_READINGS_H
#define RC_LIB_PRUNE_READINGS_H
/* What the layers that read groups see over a data set, for criteria with `eliminate`. */
#include "prune/coupling.h"
#include "prune/observe.h"

struct rci_readings {
    const struct rci_coupling *c;
    rci_id *node; /* [n] layers */
    double **importance;
    double **score; /* [n][channels that the layer reads] */
    uint32_t n;
};

/* leave: [n_groups] groups whose scores nobody asks for. One layer after the other, with one
 * layer's matrices in memory. */
rc_status rci_readings_new(struct rci_readings **out, const struct rci_coupling *c,
                           const struct rci_observation *o, const bool *leave, uint64_t seed);
void rci_readings_free(struct rci_readings *r);
/* Is every group that may be cut read by such a layer, and none too large? protect: [n_groups]
 * groups that stay whole. */
bool rci_readings_cover(const struct rci_coupling *c, const bool *protect);
/* [channels of the member's axis]; NULL: the member is no such layer. */
const double *rci_readings_score(const struct rci_readings *r, const struct rci_member *m);
#endif
