#ifndef RC_LIB_OP_QCONV_REAL_H
#define RC_LIB_OP_QCONV_REAL_H
/* A QConv whose sums are computed in f32 on the integers, channels last. By oneDNN or the direct
 * kernel they are exact up to 2^24 (beyond, the rounding is below one part in 2^24); Winograd's
 * round, so that an output can be off by one step. */
#include "kernel/qkernel.h"
#include "op/conv_own.h"

enum rc_qconv_real_kind { RC_QCONV_REAL_ONEDNN, RC_QCONV_REAL_OWN };

/* Whether there is one of RC_QCONV_REAL_OWN. */
rc_status rc_qconv_real_own_fits(bool *fits, struct rc_engine *e, const struct rc_qkernel_spec *s);

struct rc_qconv_real;
/* RC_ERR_UNSUPPORTED where there is no such kernel for the layer. The weights are copied. */
rc_status rc_qconv_real_create(struct rc_qconv_real **out, struct rc_engine *e,
                               enum rc_qconv_real_kind kind, const struct rc_qkernel_spec *s);
void rc_qconv_real_destroy(struct rc_qconv_real *r);
size_t rc_qconv_real_scratch(const struct rc_qconv_real *r); /* [bytes] */
const char *rc_qconv_real_name(const struct rc_qconv_real *r);
/* src and dst are different memory; `res`, a residual, may be dst. */
struct rc_qconv_args {
    const void *src, *res;
    void *dst, *scratch;
};
rc_status rc_qconv_real_run(struct rc_qconv_real *r, const struct rc_qconv_args *a);
bool rc_qconv_real_shares(const struct rc_qconv_real *r); /* has: */
/* For all threads of a parallel region to call; returns when this one has done its part. */
void rc_qconv_real_share(const struct rc_qconv_real *r, const struct rc_qconv_args *a);
#endif
