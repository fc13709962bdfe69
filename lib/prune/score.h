#ifndef RC_LIB_PRUNE_SCORE_H
#define RC_LIB_PRUNE_SCORE_H
/* Scores of the units of a group: criterion on every member, reduced and normalised. */
#include "prune/coupling.h"
#include "prune/criterion.h"
#include "prune/readings.h"

/* Per index of one observed axis; NULL where nothing reads a group. */
struct rc_activity {
    float *mean, *variance; /* of |x|, of x */
};

struct rc_scoring {
    const struct rc_coupling *c;
    const struct rc_criterion *criterion;
    const void *params; /* of the criterion */
    const struct rc_reduction *reduction;
    const struct rc_normalizer *normalizer;
    uint64_t seed;
    const struct rc_activity *activity; /* [n_rows]; NULL: the criterion needs no data */
    const struct rc_readings *readings; /* of criteria with eliminate */
};

/* score[n_units of the group] */
rc_status rc_score_group(const struct rc_scoring *s, uint32_t group, double *score);

/* The value whose row a reading member's layer sees the group in: row number, or RC_NONE. */
uint32_t rc_activation_row(const struct rc_coupling *c, const struct rc_prune_group *p,
                           const struct rc_member *m);
#endif
