#ifndef RC_LIB_PRUNE_ACTIVATION_H
#define RC_LIB_PRUNE_ACTIVATION_H
/* Mean |x| per channel of the values that the readers of the groups see, over a data set. */
#include "prune/score.h"
#include <rescomp/dataset.h>

/* means[row]: array of the row's length, NULL where nothing reads a group. */
rc_status rc_activation_means(float ***means, const struct rc_coupling *c, rc_dataset *d,
                              uint64_t images, uint64_t batch);
void rc_activation_means_free(float **means, const struct rc_coupling *c);
#endif
