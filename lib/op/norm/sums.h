#ifndef RC_LIB_OP_NORM_SUMS_H
#define RC_LIB_OP_NORM_SUMS_H
/* BatchNormalization in double: what f32 and bf16 images have in common. */
#include <stdint.h>

/* Two sums of one run (an image's pixels of one channel) or of one channel. */
struct rci_norm_part {
    double a, b;
};
/* Where the runs of one channel lie: `images` parts, `step` apart, `area` pixels each. */
struct rci_norm_runs {
    int64_t images, step, area;
};
/* Mean and sum of squares around it, from the runs' sums and squares around their own means. */
struct rci_norm_part rci_norm_pool(const struct rci_norm_runs *r,
                                   const struct rci_norm_part *parts);
/* Plain sums, in the order of the images. */
struct rci_norm_part rci_norm_total(const struct rci_norm_runs *r,
                                    const struct rci_norm_part *parts);

/* Mean and variance of a pooled channel of `count` elements; the running ones follow. */
struct rci_norm_part rci_norm_moments(const struct rci_norm_part *pooled, double count,
                                      double momentum, float *running_mean,
                                      float *running_variance);
#endif
