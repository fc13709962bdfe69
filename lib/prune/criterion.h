#ifndef RC_LIB_PRUNE_CRITERION_H
#define RC_LIB_PRUNE_CRITERION_H
/* Criteria score the channels of one member of a group; higher = keep. They see plain arrays. */
#include "base/method.h"

/* What `data` of a slice is; bits, so that rci_criterion.reads can name several. */
enum rci_slice_kind {
    RC_SLICE_OUT = 1,    /* weights that make the channels */
    RC_SLICE_SCALE = 2,  /* BatchNormalization scale, one per channel */
    RC_SLICE_IN = 4,     /* weights that read the channels */
    RC_SLICE_NOTHING = 8 /* no data: called once per group */
};

/* Element (o, channel, i) is data[(o * channels + channel) * inner + i]. */
struct rci_slice {
    enum rci_slice_kind kind;
    const float *data;
    size_t outer, inner;
    uint32_t channels;
    const float *mean, *variance; /* RC_SLICE_IN of a criterion that needs data: mean |x| and
                                     variance of x over data, of the channels that are read */
    uint64_t seed, stream;        /* of this group, for random choices */

    /* Criteria with needs_gradient: called for every batch, scores are averaged. Gradients are of
     * the mean loss over the batch; shift goes with RC_SLICE_SCALE. */
    const float *gradient;
    const float *shift, *shift_gradient; /* [channels], NULL: none */
};

/* What one image gives in the channels: data[(c * height + y) * width + x]. */
struct rci_map {
    const float *data;
    uint32_t channels;
    size_t height, width;
    double *scratch; /* of the size that the criterion asked for */
};

/* A layer that reads the channels as one matrix per output position, and what it sees. */
struct rci_readout {
    struct rc_context *ctx;
    size_t channels, taps, outputs;
    double *gram;             /* [d][d] covariance of what is read; d = channels * taps, channel by
                                 channel; may be overwritten */
    double *weight;           /* [d][outputs]; may be overwritten */
    const double *importance; /* [outputs] what a squared error of 1 costs in the answers */
};

struct rci_criterion {
    struct rci_method m;
    uint32_t reads; /* kinds of slices it is called with */
    bool needs_data;
    bool absolute; /* scores are one loss for all groups: added up over members, not normalised, and
                      allocated per cost, unless the user says otherwise */
    const char *without; /* what to say when a group has none of them */
    bool needs_gradient; /* of the cross-entropy; score sees it */
    bool per_image;      /* with gradients of single images, not of batches */
    /* Write score[channels]. */
    void (*score)(const void *params, const struct rci_slice *s, double *score);
    /* Instead of score: of one image, as the layers that read the channels see it; averaged over
     * images and over layers. `scratch`: numbers that it needs; NULL: none. */
    void (*map)(const void *params, const struct rci_map *m, double *score);
    size_t (*scratch)(const struct rci_map *m);
    /* Instead of score, for reading layers. */
    rc_status (*eliminate)(const void *params, const struct rci_readout *r, double *score);
};

/* One number per channel out of the scores of all members. */
struct rci_reduction {
    struct rci_method m;
    /* score[n_members][n] -> out[n] */
    void (*reduce)(const double *score, uint32_t n_members, uint32_t n, double *out);
};

/* Make the scores of different groups comparable. */
struct rci_normalizer {
    struct rci_method m;
    /* scratch: room for n numbers */
    void (*normalize)(double *score, uint32_t n, double *scratch);
};

extern const struct rci_method_kind rci_kind_criterion, rci_kind_reduction, rci_kind_normalizer;
#endif
