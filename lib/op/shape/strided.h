#ifndef RC_LIB_OP_SHAPE_STRIDED_H
#define RC_LIB_OP_SHAPE_STRIDED_H
/* dst[sum i_k*to_k] = src[sum i_k*from_k] for all i: what Transpose, Slice, Expand, Pad, Split and
 * Gather do in the end. Strides are in elements and may be zero (source) or negative. */
#include "tensor/tensor.h"

struct rci_strided {
    uint32_t rank;
    int64_t dim[RC_MAX_DIMS], from[RC_MAX_DIMS], to[RC_MAX_DIMS];
};

/* Target positions must differ. Runs on several threads when big; no element is converted. */
void rci_strided_copy(const struct rci_strided *s, size_t element, const void *src, void *dst);

/* Row-major strides of a shape. */
void rci_row_major(const struct rci_shape *s, int64_t *stride);
#endif
