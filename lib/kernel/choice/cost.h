#ifndef RC_LIB_KERNEL_CHOICE_COST_H
#define RC_LIB_KERNEL_CHOICE_COST_H
/* What a kernel is expected to take: multiply-adds at the processor's peak and bytes at the rates
 * of its caches, as they were measured, times the efficiency of each kernel (docs/execution.md). */
#include "kernel/kernel.h"

struct rci_peaks {
    double macs; /* f32 multiply-adds per ns, of one thread */
    double l3;   /* bytes per ns that one thread reads from beyond L2 */
};
/* Measured once per process, or read from the file of choices. NULL: no vector code here, or no
 * memory to measure in. */
const struct rci_peaks *rci_peaks_of(struct rci_engine *e, struct rci_peaks *out);

/* Nanoseconds of multiply-adds in f32 at a part of the peak, and of reading bytes from beyond L2,
 * when all threads share the work. */
static inline double rci_cost_macs(const struct rci_conv_spec *s, const struct rci_peaks *p,
                                   double macs, double efficiency)
{
    return macs / (p->macs * efficiency * s->threads);
}
static inline double rci_cost_read(const struct rci_conv_spec *s, const struct rci_peaks *p,
                                   double bytes)
{
    return bytes / (p->l3 * s->threads);
}
static inline double rci_conv_pixels(const struct rci_conv_geometry *g)
{
    return (double) (g->batch * g->out[0] * g->out[1]);
}
static inline double rci_conv_taps(const struct rci_conv_geometry *g)
{
    return (double) (g->kernel[0] * g->kernel[1]);
}

/* The same of oneDNN's f32 convolutions. */
double rci_onednn_conv_cost(const struct rci_conv_spec *s, const struct rci_peaks *p);
#endif
