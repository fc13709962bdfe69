#ifndef RC_LIB_TENSOR_CHOLESKY_H
#define RC_LIB_TENSOR_CHOLESKY_H
/* Symmetric positive definite systems in double precision: A = U'U. */
#include "base/context.h"

/* a: [n][n] row-major, only the upper triangle is read; becomes U, below it nothing changes.
 * RC_ERR_STATE: not positive definite to working precision; `a` is then spent. */
rc_status rci_cholesky(double *a, size_t n);

/* A X = B with the factor of A; b: [n][columns] row-major becomes X. */
void rci_cholesky_solve(const double *u, size_t n, double *b, size_t columns);
#endif
