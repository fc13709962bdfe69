#ifndef RC_LIB_OP_NORM_ROWS_H
#define RC_LIB_OP_NORM_ROWS_H
/* Normalisation of rows, what InstanceNormalization, GroupNormalization and LayerNormalization
 * have in common: the elements of x are `rows` rows of `length` neighbours,
 *   h = (x - mean of its row) / sqrt(variance of its row + epsilon),
 *   y = h * scale[k] + shift[k] with k = place / span % params. */
#include "op/common.h"

struct rci_rows {
    int64_t rows, length, span, params;
    double epsilon;
};

/* saved: mean and 1 / sqrt(variance + epsilon) of each row, two doubles, or NULL; means and
 * inverses of each row as f32 where asked for. shift may be NULL. */
void rci_rows_forward(const struct rci_rows *r, const float *x, const float *scale,
                      const float *shift, float *y, double *saved, float *means, float *inverses);
/* Gradients where asked for. */
void rci_rows_backward(const struct rci_rows *r, const float *x, const float *scale,
                       const double *saved, const float *dy, float *dx, float *d_scale,
                       float *d_shift);
size_t rci_rows_saved(const struct rci_rows *r);
#endif
