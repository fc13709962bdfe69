#ifndef RC_LIB_KERNEL_BF16_H
#define RC_LIB_KERNEL_BF16_H
/* Loops over bfloat16, the upper half of a float: read, computed in float, rounded to nearest even.
 * Lengths are in elements. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rci_cpu;

/* --- whole tensors, by all threads; `to` may be an operand --- */
/* to = a + b */
void rci_bf16_add(const struct rci_cpu *cpu, const uint16_t *a, const uint16_t *b, size_t n,
                  uint16_t *to);
/* to = max(a + b, 0); b may be NULL. */
void rci_bf16_join(const struct rci_cpu *cpu, const uint16_t *a, const uint16_t *b, size_t n,
                   uint16_t *to);
/* to = y > 0 ? a + b : 0 of a_b_y; b may be NULL. */
void rci_bf16_mask(const struct rci_cpu *cpu, const uint16_t *const *a_b_y, size_t n, uint16_t *to);

/* --- normalization over channels, one image and up to 16 channels at a time --- */
enum { RC_BF16_LANES = 16 };

/* Pixel i holds its `lanes` channels at i * stride: stride is 16 in blocked layouts and the number
 * of channels where those come last. */
struct rci_bf16_run {
    size_t pixels, stride, lanes;
};
/* Per channel, RC_BF16_LANES each. */
struct rci_bf16_channels {
    const float *mean, *slope, *offset; /* y = x * slope + offset */
    const float *first, *second;        /* dx = g * slope - x * second - first */
};
struct rci_bf16_norm {
    const char *name;
    /* sum[l] = sum of x */
    void (*sum)(const uint16_t *x, const struct rci_bf16_run *r, double *sum);
    /* sum[l] = sum of (x - mean)^2 */
    void (*squares)(const uint16_t *x, const struct rci_bf16_run *r, const float *mean,
                    double *sum);
    /* y, or max(y, 0) */
    void (*apply)(const uint16_t *x, const struct rci_bf16_run *r,
                  const struct rci_bf16_channels *c, bool relu, uint16_t *y);
    /* g = dy, or 0 where y <= 0: sum[l] = sum of g, sum[16 + l] = sum of g * (x - mean) */
    void (*reduce)(const uint16_t *const *x_dy, const struct rci_bf16_run *r,
                   const struct rci_bf16_channels *c, bool relu, double *sum);
    void (*gradient)(const uint16_t *const *x_dy, const struct rci_bf16_run *r,
                     const struct rci_bf16_channels *c, bool relu, uint16_t *dx);
};
/* The best for this processor, chosen once. */
const struct rci_bf16_norm *rci_bf16_norm(const struct rci_cpu *cpu);
#endif
