#ifndef RC_LIB_DATA_PREPROCESS_H
#define RC_LIB_DATA_PREPROCESS_H
/* Preprocessing: which resize, crop, channel order, mean and std, and its JSON text. */
#include "tensor/tensor.h"
#include <rescomp/dataset.h>

enum { RC_PREPROCESS_CHANNELS = 4, RC_PREPROCESS_SIDE_MAX = 4096 };

struct rci_preprocess {
    double mean[RC_PREPROCESS_CHANNELS], std[RC_PREPROCESS_CHANNELS];
    uint32_t n_stats;      /* entries of mean and std: 0 not given, 1 for all channels */
    uint32_t resize, crop; /* 0: none */
    bool bgr;
};

/* options > metadata text > *p as it is (the kind's defaults). Ranges are checked. */
rc_status rci_preprocess_choose(struct rci_preprocess *p, struct rc_context *c,
                                const rc_dataset_options *o);
/* Mean and std that were not given become the kind's `defaults`, or general ones when it has none;
 * RC_ERR_ARG unless there is one value, or one per channel. */
rc_status rci_preprocess_fit(struct rci_preprocess *p, const struct rci_preprocess *defaults,
                             uint32_t channels, bool is_f32);
rc_status rci_preprocess_text(char **out, struct rc_context *c, const struct rci_preprocess *p);
#endif
