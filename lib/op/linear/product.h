#ifndef RC_LIB_OP_LINEAR_PRODUCT_H
#define RC_LIB_OP_LINEAR_PRODUCT_H
/* y[m,n] = sum_k a[m,k] * w + bias[n] by oneDNN's inner product, forward and backward; the fast
 * path of Gemm and of MatMul with a matrix on the right. */
#include "kernel/prep.h"

struct rci_product {
    int64_t m, n, k;
    bool transposed; /* w is [n, k], else [k, n] */
    bool bias;       /* operand 2: n values */
};
rc_status rci_product_prepare(const struct rci_request *req, struct rci_prep *p,
                              const struct rci_product *q);

/* By a loop of ours, where it is small and nothing is trained or fused. */
bool rci_product_is_small(const struct rci_request *req, const struct rci_product *q);
rc_status rci_product_small(const struct rci_request *req, struct rci_prep *p,
                            const struct rci_product *q);
#endif
