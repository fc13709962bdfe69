/* Row by row: every inner loop runs along a row of both operands, without a reduction, so that the
 * compiler vectorises it and the result does not depend on the number of threads. */
#include "tensor/cholesky.h"

#include <math.h>

enum { PARALLEL_MIN = 128 }; /* rows below which a second thread does not pay */

/* y -= a * x */
static void subtract_row(double *restrict y, const double *restrict x, double a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] -= a * x[i];
}

rc_status rci_cholesky(double *a, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        double *row = a + k * n;
        if (!(row[k] > 0 && isfinite(row[k])))
            return rci_fail(RC_ERR_STATE, "matrix is not positive definite at row %zu of %zu", k,
                            n);
        const double scale = 1 / sqrt(row[k]);
        for (size_t j = k; j < n; j++)
            row[j] *= scale;
#pragma omp parallel for schedule(static) if (n - k > PARALLEL_MIN)
        for (size_t i = k + 1; i < n; i++)
            subtract_row(a + i * n + i, row + i, row[i], n - i);
    }
    return RC_OK;
}

void rci_cholesky_solve(const double *u, size_t n, double *b, size_t columns)
{
    for (size_t k = 0; k < n; k++) { /* U' Y = B */
        double *row = b + k * columns;
        const double scale = 1 / u[k * n + k];
        for (size_t j = 0; j < columns; j++)
            row[j] *= scale;
#pragma omp parallel for schedule(static) if (n - k > PARALLEL_MIN && columns > 8)
        for (size_t i = k + 1; i < n; i++)
            subtract_row(b + i * columns, row, u[k * n + i], columns);
    }
    for (size_t k = n; k-- > 0;) { /* U X = Y */
        double *row = b + k * columns;
        const double scale = 1 / u[k * n + k];
        for (size_t j = 0; j < columns; j++)
            row[j] *= scale;
#pragma omp parallel for schedule(static) if (k > PARALLEL_MIN && columns > 8)
        for (size_t i = 0; i < k; i++)
            subtract_row(b + i * columns, row, u[i * n + k], columns);
    }
}
