#ifndef RC_LIB_KERNEL_INT8_QREAL_H
#define RC_LIB_KERNEL_INT8_QREAL_H
/* What stands around an integer convolution whose sums are computed in f32: its source as floats,
 * its sums requantized. Channels last. Vector code where the processor has it, plain loops
 * elsewhere, the same bits from both. */
#include "kernel/int8/qkernel.h"

struct rci_qreal;
/* Weights and threads of the spec are not used; a residual is an argument of its own, and dst may
 * be F32 beside it. */
rc_status rci_qreal_new(struct rci_qreal **out, struct rc_context *c,
                        const struct rci_conv_spec *s);
void rci_qreal_free(struct rci_qreal *r);

/* Numbers of the source, and of the sums with room behind them for reading whole vectors. */
int64_t rci_qreal_in_count(const struct rci_qreal *r);
int64_t rci_qreal_sums_count(const struct rci_qreal *r);

/* For all threads of a parallel region to call; they return when this one has done its part. `res`
 * may be dst. */
void rci_qreal_share_in(const struct rci_qreal *r, const void *src, float *to);
void rci_qreal_share_out(const struct rci_qreal *r, const float *sums, const void *res, void *dst);
#endif
