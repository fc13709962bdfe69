#ifndef RC_LIB_PRUNE_ACTIVATION_H
#define RC_LIB_PRUNE_ACTIVATION_H
/* Mean |x| and variance per channel of the values that the readers of the groups see, over a data
 * set. */
#include "prune/score.h"
#include <rescomp/dataset.h>

/* activity: [n_rows] of c->links. */
rc_status rci_activity_observe(struct rci_activity **activity, const struct rci_coupling *c,
                               const rc_dataset *d, uint64_t images, uint64_t batch);
void rci_activity_free(struct rci_activity *activity, const struct rci_coupling *c);
#endif
