/* Solving symmetric systems in double precision. */
#include "base/rng.h"
#include "check.h"
#include "tensor/cholesky.h"
#include "tensor/symmetric.h"

#include <stdlib.h>

/* A = R'R + I, positive definite, from random R. */
static double *random_matrix(struct rc_context *c, size_t n)
{
    double *a = rci_alloc_array(c, n * n, sizeof(double));
    double *r = rci_alloc_array(c, n * n, sizeof(double));
    struct rci_rng rng = rci_rng_make(3, n, 0);
    for (size_t i = 0; i < n * n; i++)
        r[i] = rci_rng_normal(&rng);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            a[i * n + j] = i == j;
            for (size_t k = 0; k < n; k++)
                a[i * n + j] += r[k * n + i] * r[k * n + j];
        }
    rci_release(r);
    return a;
}

static void solutions_satisfy_their_equations(void **state)
{
    const size_t sizes[] = {1, 2, 7, 61, 193}, columns = 11; /* 193: several threads */
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        const size_t n = sizes[s];
        double *a = random_matrix(*state, n), *u = random_matrix(*state, n);
        double *x = rci_alloc_array(*state, n * columns, sizeof(double));
        for (size_t i = 0; i < n * columns; i++)
            x[i] = cos((double) i);
        OK(rci_cholesky(u, n));
        rci_cholesky_solve(u, n, x, columns);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < columns; j++) {
                double b = 0;
                for (size_t k = 0; k < n; k++)
                    b += a[i * n + k] * x[k * columns + j];
                assert_true(fabs(b - cos((double) (i * columns + j))) < 1e-9);
            }
        rci_release(a);
        rci_release(u);
        rci_release(x);
    }
}

static void other_matrices_are_refused(void **state)
{
    (void) state;
    double singular[] = {1, 2, 2, 4}, negative[] = {-1}, nan[] = {1, 0, 0, NAN};
    REFUSED(rci_cholesky(singular, 2), RC_ERR_STATE, "row 1 of 2");
    REFUSED(rci_cholesky(negative, 1), RC_ERR_STATE, "not positive definite");
    REFUSED(rci_cholesky(nan, 2), RC_ERR_STATE, "row 1 of 2");
}

/* H D H with a reflection H = I - 2 vv'/v'v has the eigenvalues D. */
static void known_eigenvalues(double *a, size_t n, const double *d)
{
    double *v = a + n * n, norm = 0;
    for (size_t i = 0; i < n; i++) {
        v[i] = sin((double) (i + 1));
        norm += v[i] * v[i];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            a[i * n + j] = 0;
            for (size_t k = 0; k < n; k++)
                a[i * n + j] += ((i == k) - 2 * v[i] * v[k] / norm) * d[k] *
                                ((k == j) - 2 * v[k] * v[j] / norm);
        }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;
    return x < y ? -1 : x > y;
}

static void eigenvalues_are_those_it_was_made_of(void **state)
{
    const size_t sizes[] = {1, 2, 3, 8, 33, 64};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        const size_t n = sizes[s];
        double *a = rci_alloc_array(*state, n * n + n, sizeof(double));
        double *d = rci_alloc_array(*state, 3 * n, sizeof(double)), *got = d + n;
        for (size_t i = 0; i < n; i++)
            d[i] = i % 3 == 2 ? 0 : (double) i * (i % 2 ? 1 : -3) + 0.5; /* zeros, both signs */
        known_eigenvalues(a, n, d);
        rci_symmetric_eigenvalues(a, n, got, got + n);
        qsort(d, n, sizeof(*d), ascending);
        qsort(got, n, sizeof(*got), ascending);
        for (size_t i = 0; i < n; i++)
            assert_true(fabs(got[i] - d[i]) < 1e-13 * (double) (n * n + 10));
        rci_release(a);
        rci_release(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(solutions_satisfy_their_equations),
        cmocka_unit_test(eigenvalues_are_those_it_was_made_of),
        cmocka_unit_test(other_matrices_are_refused),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
