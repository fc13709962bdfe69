#ifndef RC_LIB_KERNEL_NORM_NORM_H
#define RC_LIB_KERNEL_NORM_NORM_H
/* Normalization over channels, on rows of memory. The memory of one image and one block of
 * channels is a run of floats whose channel is its index modulo `lanes` (1: plain layout, 8 or 16:
 * blocked layouts). Parameters per channel are repeated to RC_NORM_LANES, so that every layout is
 * the same loop over vectors. Sums run in float over short stretches and in double over those:
 * a float sum over a whole batch would lose four digits. */
#include <stdbool.h>
#include <stddef.h>

struct rci_cpu;

enum { RC_NORM_LANES = 16 };

/* Per channel of the run, repeated. pre = x * slope + offset is computed in double, so that a ReLU
 * behind it falls on the right side of zero as often as the data allows. */
struct rci_norm_lanes {
    double slope[RC_NORM_LANES], offset[RC_NORM_LANES];
    float mean[RC_NORM_LANES];
    float scale[RC_NORM_LANES], first[RC_NORM_LANES], second[RC_NORM_LANES]; /* of the gradient */
};

/* One implementation per instruction set. n: floats of the run. `relu`: what is behind. */
struct rci_norm_kernels {
    const char *name;
    /* sum[l] = sum of x over lane l */
    void (*sum)(const float *x, size_t n, double *sum);
    /* sum[l] = sum of (x - mean)^2 */
    void (*squares)(const float *x, size_t n, const struct rci_norm_lanes *p, double *sum);
    /* y = pre, or max(pre, 0) */
    void (*apply)(const float *x, size_t n, const struct rci_norm_lanes *p, bool relu, float *y);
    /* g = dy, or 0 where pre <= 0: sum[l] = sum of g, sum[LANES + l] = sum of g * (x - mean) */
    void (*reduce)(const float *x, const float *dy, size_t n, const struct rci_norm_lanes *p,
                   bool relu, double *sum);
    /* dx = scale * (g - first - (x - mean) * second) */
    void (*gradient)(const float *const *x_dy, size_t n, const struct rci_norm_lanes *p, bool relu,
                     float *dx);
};

/* The best for this processor, chosen once. */
const struct rci_norm_kernels *rci_norm_kernels(const struct rci_cpu *cpu);
#endif
