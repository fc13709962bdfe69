#include "tensor/symmetric.h"

#include <float.h>
#include <math.h>

enum { SWEEPS = 60 }; /* per eigenvalue; three are usual */

/* Row i of `a` left of the diagonal becomes (0 .. 0, off[i]) by a reflection of rows and columns
 * below i. v = that row, p = A v / h, A -= v q' + q v' with q = p - (v'p / 2h) v. */
static void reflect(double *a, size_t n, size_t i, double *off)
{
    double *v = a + i * n, scale = 0, h = 0;
    for (size_t k = 0; k < i; k++)
        scale += fabs(v[k]);
    off[i] = i ? v[i - 1] : 0;
    if (i < 2 || scale == 0)
        return;
    for (size_t k = 0; k < i; k++) {
        v[k] /= scale;
        h += v[k] * v[k];
    }
    const double g = v[i - 1] >= 0 ? -sqrt(h) : sqrt(h);
    off[i] = scale * g;
    h -= v[i - 1] * g;
    v[i - 1] -= g;
    double half = 0, *p = off; /* off[0 .. i) is not in use yet */
    for (size_t j = 0; j < i; j++)
        p[j] = 0;
    for (size_t j = 0; j < i; j++)
        for (size_t k = 0; k < i; k++)
            p[k] += a[j * n + k] * v[j] / h;
    for (size_t j = 0; j < i; j++)
        half += p[j] * v[j] / (2 * h);
    for (size_t j = 0; j < i; j++)
        p[j] -= half * v[j];
    for (size_t j = 0; j < i; j++)
        for (size_t k = 0; k < i; k++)
            a[j * n + k] -= v[j] * p[k] + p[j] * v[k];
}

/* One implicit QL step on rows l .. m of the tridiagonal matrix (d, e), e[i] beside d[i], d[i+1].
 */
static void ql_step(double *d, double *e, size_t l, size_t m)
{
    double g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypot(g, 1), s = 1, c = 1, p = 0;
    g = d[m] - d[l] + e[l] / (g + copysign(r, g));
    for (size_t i = m; i-- > l;) {
        const double f = s * e[i], b = c * e[i];
        r = hypot(f, g);
        e[i + 1] = r;
        if (r == 0) {
            d[i + 1] -= p;
            e[m] = 0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
    }
    d[l] -= p;
    e[l] = g;
    e[m] = 0;
}

void rci_symmetric_eigenvalues(double *a, size_t n, double *values, double *off)
{
    for (size_t i = n; i-- > 0;) {
        reflect(a, n, i, off);
        values[i] = a[i * n + i];
    }
    for (size_t i = 1; i < n; i++)
        off[i - 1] = off[i];
    if (n)
        off[n - 1] = 0;
    for (size_t l = 0; l < n; l++)
        for (int sweep = 0; sweep < SWEEPS; sweep++) {
            size_t m = l;
            while (m + 1 < n &&
                   fabs(off[m]) > DBL_EPSILON * (fabs(values[m]) + fabs(values[m + 1])))
                m++;
            if (m == l)
                break;
            ql_step(values, off, l, m);
        }
}
