#ifndef RC_LIB_PRUNE_SCORE_H
#define RC_LIB_PRUNE_SCORE_H
/* Scores of the units of a group: criterion on every member, reduced and normalised. */
#include "prune/coupling.h"
#include "prune/criterion.h"
#include "prune/readings.h"

/* Per index of one observed axis; NULL where nothing reads a group. */
struct rci_activity {
    float *mean, *variance; /* of |x|, of x */
};

struct rci_scoring {
    const struct rci_coupling *c;
    const struct rci_criterion *criterion;
    const void *params; /* of the criterion */
    const struct rci_reduction *reduction;
    const struct rci_normalizer *normalizer;
    uint64_t seed;
    const struct rci_activity *activity; /* [n_rows]; NULL: the criterion needs no data */
    const struct rci_readings *readings; /* of criteria with eliminate */
    double *const *observed;             /* [n_rows] of criteria with map or needs_gradient */
};

/* score[n_units of the group] */
rc_status rci_score_group(const struct rci_scoring *s, uint32_t group, double *score);

/* What criteria call the slices of such a member, an rci_slice_kind; 0: nothing that they read. */
uint32_t rci_slice_kind_of(enum rci_member_kind k);

/* The slice of one member that the criterion wants, and the row it lies in; false: none. */
bool rci_member_slice(const struct rci_coupling *c, const struct rci_criterion *criterion,
                      const struct rci_member *m, struct rci_slice *out, uint32_t *row);

/* The value whose row a reading member's layer sees the group in: row number, or RC_NONE. */
uint32_t rci_activation_row(const struct rci_coupling *c, const struct rci_prune_group *p,
                            const struct rci_member *m);
#endif
