#ifndef RC_LIB_TENSOR_SYMMETRIC_H
#define RC_LIB_TENSOR_SYMMETRIC_H
/* Eigenvalues of real symmetric matrices in double precision. */
#include <stddef.h>

/* a: [n][n] row-major, both triangles, spent afterwards; values: [n], in no order; off: [n]
 * scratch. Householder tridiagonalisation, then implicit QL: errors are some n * 1e-16 of the
 * largest eigenvalue. */
void rci_symmetric_eigenvalues(double *a, size_t n, double *values, double *off);
#endif
