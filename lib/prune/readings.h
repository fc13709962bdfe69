#ifndef RC_LIB_PRUNE_READINGS_H
#define RC_LIB_PRUNE_READINGS_H
/* What the layers that read groups see over a data set, for criteria with `eliminate`. */
#include "prune/coupling.h"
#include "prune/criterion.h"
#include <rescomp/dataset.h>

struct rc_readings {
    const struct rc_coupling *c;
    rc_dataset *data;
    uint64_t images, batch;
    rc_id *node; /* [n] layers */
    double **importance;
    uint32_t n;
};

rc_status rc_readings_create(struct rc_readings **out, const struct rc_coupling *c, rc_dataset *d,
                             uint64_t images, uint64_t batch, uint64_t seed);
void rc_readings_destroy(struct rc_readings *r);
/* by_index: [channels of the member's axis]; false in *scored: the member is no such layer. */
rc_status rc_readings_score(const struct rc_readings *r, const struct rc_criterion *criterion,
                            const void *params, const struct rc_member *m, double *by_index,
                            bool *scored);
#endif
