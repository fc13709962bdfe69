#ifndef RC_LIB_KERNEL_GRAM_H
#define RC_LIB_KERNEL_GRAM_H
/* Products of tall matrices with themselves and each other. */
#include "base/context.h"

/* c[m][n] = a'b with a: [rows][m], b: [rows][n], all row-major f32; by oneDNN where its self-test
 * passes and the context does not ask for plain C. */
rc_status rci_gram(struct rc_context *ctx, const float *a, size_t m, const float *b, size_t n,
                   size_t rows, float *c);
#endif
