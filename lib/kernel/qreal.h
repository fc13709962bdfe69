#ifndef RC_LIB_KERNEL_QREAL_H
#define RC_LIB_KERNEL_QREAL_H
/* What stands around an integer convolution whose sums are computed in f32: its source as floats,
 * its sums requantized. Channels last. Vector code where the processor has it, plain loops
 * elsewhere, the same bits from both. */
#include "kernel/qkernel.h"

struct rc_qreal;
/* Weights and threads of the spec are not used; a residual is an argument of its own, and dst may
 * be F32 beside it. */
rc_status rc_qreal_create(struct rc_qreal **out, struct rc_context *c,
                          const struct rc_qkernel_spec *s);
void rc_qreal_destroy(struct rc_qreal *r);

/* Numbers of the source, and of the sums with room behind them for reading whole vectors. */
int64_t rc_qreal_in_count(const struct rc_qreal *r);
int64_t rc_qreal_sums_count(const struct rc_qreal *r);

/* For all threads of a parallel region to call; they return when this one has done its part. `res`
 * may be dst. */
void rc_qreal_share_in(const struct rc_qreal *r, const void *src, float *to);
void rc_qreal_share_out(const struct rc_qreal *r, const float *sums, const void *res, void *dst);
#endif
