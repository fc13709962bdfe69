#ifndef RC_LIB_OP_QUANT_QCONV_REAL_H
#define RC_LIB_OP_QUANT_QCONV_REAL_H
/* A QConv whose sums are computed in f32 on the integers, channels last. By oneDNN or the direct
 * kernel they are exact up to 2^24 (beyond, the rounding is below one part in 2^24); Winograd's
 * round, so that an output can be off by one step. */
#include "kernel/choice/choose.h"

enum rci_qconv_real_kind { RC_QCONV_REAL_ONEDNN, RC_QCONV_REAL_OWN };

/* Whether there is one of RC_QCONV_REAL_OWN. */
rc_status rci_qconv_real_own_fits(bool *fits, struct rci_engine *e, const struct rci_conv_spec *s);

struct rci_qconv_real;
/* RC_ERR_UNSUPPORTED where there is no such kernel for the layer. The weights are copied. */
rc_status rci_qconv_real_new(struct rci_qconv_real **out, struct rci_engine *e,
                             enum rci_qconv_real_kind kind, const struct rci_conv_spec *s);
void rci_qconv_real_free(struct rci_qconv_real *r);
size_t rci_qconv_real_scratch(const struct rci_qconv_real *r); /* [bytes] */
const char *rci_qconv_real_name(const struct rci_qconv_real *r);
/* src and dst are different memory; `res`, a residual, may be dst. */
struct rci_qconv_args {
    const void *src, *res;
    void *dst, *scratch;
};
rc_status rci_qconv_real_run(struct rci_qconv_real *r, const struct rci_qconv_args *a);
bool rci_qconv_real_shares(const struct rci_qconv_real *r); /* has: */
/* For all threads of a parallel region to call; returns when this one has done its part. */
void rci_qconv_real_share(const struct rci_qconv_real *r, const struct rci_qconv_args *a);
#endif
