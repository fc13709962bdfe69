#ifndef RC_LIB_PRUNE_OBSERVE_H
#define RC_LIB_PRUNE_OBSERVE_H
/* Scores that come out of running the network over a data set: by index of an axis, for all groups
 * in one go. */
#include "prune/coupling.h"
#include "prune/criterion.h"
#include <rescomp/dataset.h>

struct rci_observation {
    const struct rci_coupling *c;
    const struct rci_criterion *criterion;
    const void *params;
    const rc_dataset *data;
    uint64_t images, batch;
};

/* row: [n_rows] of c->links, each [length of the axis] or NULL. Of criteria with `map`: rows of
 * values, see rci_map_row(). */
rc_status rci_observe_maps(double ***row, const struct rci_observation *what);
/* Of criteria with needs_gradient: rows of the members' constants. */
rc_status rci_observe_gradients(double ***row, const struct rci_observation *o);
void rci_observed_free(double **row, const struct rci_coupling *c);

/* Row of the value in which a reading member's layer sees the group as maps: what it reads, before
 * it is flattened; RC_NONE: none. */
uint32_t rci_map_row(const struct rci_coupling *c, const struct rci_prune_group *p,
                     const struct rci_member *m);
#endif
