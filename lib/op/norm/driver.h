#ifndef RC_LIB_OP_NORM_DRIVER_H
#define RC_LIB_OP_NORM_DRIVER_H
/* The fast path of BatchNormalization, the same for f32 and bf16 images: which runs there are, how
 * their sums become statistics and coefficients in double, and what of them all ranks share. A
 * format only visits the memory of one run: an image and the channels of one block. */
#include "kernel/prep.h"
#include "op/norm/sums.h"

struct rci_norm_format;

struct rci_norm_driver {
    const struct rci_norm_format *format;
    const void *kernels;   /* of the format */
    bool batch_statistics; /* else the running ones are used and left alone */
    bool relu, training;
    const struct rci_sync *sync; /* statistics are those of all ranks; NULL: of one */
    double momentum, epsilon;
    int64_t images, channels, area;
    int64_t lanes, blocks;       /* channels in a run; runs per image */
    size_t stride, block, image; /* elements to the next pixel, block, image; bf16 only */
};

/* Per channel, padded to whole blocks: y = x slope + offset. */
struct rci_norm_coefficients {
    double *mean, *slope, *offset, *inverse; /* inverse: 1 / sqrt(variance + epsilon) */
};

struct rci_norm_format {
    /* out[lanes]: sum, and squares around the run's own mean */
    void (*statistics)(const struct rci_norm_driver *d, const void *x, int64_t run,
                       struct rci_norm_part *out);
    void (*apply)(const struct rci_norm_driver *d, const struct rci_norm_coefficients *k,
                  const void *x, int64_t run, void *y);
    /* out[lanes]: sum g, sum g (x - mean); g is dy, or what of it passes the ReLU */
    void (*sums)(const struct rci_norm_driver *d, const struct rci_norm_coefficients *k,
                 const void *const *x_dy, int64_t run, struct rci_norm_part *out);
    /* dx = slope (g - first - (x - mean) second); first and second per channel, as in k */
    void (*gradient)(const struct rci_norm_driver *d, const struct rci_norm_coefficients *k,
                     const void *const *x_dy, int64_t run, const double *first, void *dx);
};

/* Channels of all blocks, those beyond the last one included. */
static inline int64_t rci_norm_padded(const struct rci_norm_driver *d)
{
    return d->lanes * d->blocks;
}

/* The formats settle kernels, lanes, blocks and the layout p->want[0]. */
rc_status rci_norm_f32_format(const struct rci_request *req, struct rci_prep *p,
                              struct rci_norm_driver *d);
rc_status rci_norm_bf16_format(const struct rci_request *req, struct rci_prep *p,
                               struct rci_norm_driver *d);

/* The slot `prepare`: plain and channel-blocked layouts, f32 or bf16; a ReLU behind it is fused.
 * Ours, because oneDNN computes in float throughout, which makes gradients wrong in the fourth
 * digit. */
rc_status rci_norm_prepare(const struct rci_request *req, struct rci_prep *p);
#endif
