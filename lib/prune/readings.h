#ifndef RC_LIB_PRUNE_READINGS_H
#define RC_LIB_PRUNE_READINGS_H
/* What the layers that read groups see over a data set, for criteria with `eliminate`. */
#include "prune/coupling.h"
#include "prune/criterion.h"
#include <rescomp/dataset.h>

struct rci_readings {
    const struct rci_coupling *c;
    const rc_dataset *data;
    uint64_t images, batch;
    rci_id *node; /* [n] layers */
    double **importance;
    uint32_t n;
};

rc_status rci_readings_create(struct rci_readings **out, const struct rci_coupling *c,
                              const rc_dataset *d, uint64_t images, uint64_t batch, uint64_t seed);
void rci_readings_destroy(struct rci_readings *r);
/* Is every group that may be cut read by such a layer, and none too large? protect: [n_groups]
 * groups that stay whole. */
bool rci_readings_cover(const struct rci_coupling *c, const bool *protect);
/* by_index: [channels of the member's axis]; false in *scored: the member is no such layer. */
rc_status rci_readings_score(const struct rci_readings *r, const struct rci_criterion *criterion,
                             const void *params, const struct rci_member *m, double *by_index,
                             bool *scored);
#endif
