/* Normalisation of rows: statistics in double precision, a row is one thread's. */
#include "op/norm/rows.h"

#include <math.h>

size_t rci_rows_saved(const struct rci_rows *r)
{
    return (size_t) r->rows * 2 * sizeof(double);
}

/* Two passes, so that nothing cancels; inverse = 1 / sqrt(variance + epsilon). */
static void statistics(const struct rci_rows *r, const float *x, double *mean, double *inverse)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < r->length; i++)
        sum += (double) x[i];
    *mean = sum / (double) r->length;
    for (int64_t i = 0; i < r->length; i++)
        square += ((double) x[i] - *mean) * ((double) x[i] - *mean);
    *inverse = 1 / sqrt(square / (double) r->length + r->epsilon);
}

/* A run of places that share their parameters. */
static int64_t run_end(const struct rci_rows *r, int64_t at, int64_t end)
{
    const int64_t next = (at / r->span + 1) * r->span;
    return next < end ? next : end;
}

/* y = x s + t with one s and t for each run of places that share scale and shift. */
static void forward_row(const struct rci_rows *r, int64_t row, const float *x, const float *scale,
                        const float *shift, float *y, double mean, double inverse)
{
    const int64_t end = (row + 1) * r->length;
    for (int64_t at = row * r->length; at < end;) {
        const int64_t stop = run_end(r, at, end), k = at / r->span % r->params;
        const double s = inverse * (double) scale[k];
        const double t = (shift ? (double) shift[k] : 0) - mean * s;
        for (; at < stop; at++)
            y[at] = (float) ((double) x[at] * s + t);
    }
}

void rci_rows_forward(const struct rci_rows *r, const float *x, const float *scale,
                      const float *shift, float *y, double *saved, float *means, float *inverses)
{
#pragma omp parallel for schedule(static) if (r->rows * r->length >= RC_PARALLEL_MIN)
    for (int64_t row = 0; row < r->rows; row++) {
        double mean, inverse;
        statistics(r, x + row * r->length, &mean, &inverse);
        forward_row(r, row, x, scale, shift, y, mean, inverse);
        if (saved) {
            saved[2 * row] = mean;
            saved[2 * row + 1] = inverse;
        }
        if (means)
            means[row] = (float) mean;
        if (inverses)
            inverses[row] = (float) inverse;
    }
}

/* With g = dy * scale: dx = inverse * (g - mean(g) - h * mean(g * h)) */
static void backward_row(const struct rci_rows *r, int64_t row, const float *x, const float *scale,
                         const double *saved, const float *dy, float *dx)
{
    const double mean = saved[2 * row], inverse = saved[2 * row + 1];
    const int64_t first = row * r->length, end = first + r->length;
    double sum = 0, dot = 0;
    for (int64_t at = first; at < end; at++) {
        const double g = (double) dy[at] * (double) scale[at / r->span % r->params];
        sum += g;
        dot += g * ((double) x[at] - mean) * inverse;
    }
    sum /= (double) r->length;
    dot /= (double) r->length;
    for (int64_t at = first; at < end; at++) {
        const double g = (double) dy[at] * (double) scale[at / r->span % r->params];
        dx[at] = (float) (inverse * (g - sum - ((double) x[at] - mean) * inverse * dot));
    }
}

/* All places with parameter k, in order. */
static void backward_parameter(const struct rci_rows *r, int64_t k, const float *x,
                               const double *saved, const float *dy, double *d_scale,
                               double *d_shift)
{
    const int64_t period = r->params * r->span, total = r->rows * r->length;
    *d_scale = *d_shift = 0;
    for (int64_t base = k * r->span; base < total; base += period)
        for (int64_t at = base; at < base + r->span && at < total; at++) {
            const double *s = saved + 2 * (at / r->length);
            *d_scale += (double) dy[at] * ((double) x[at] - s[0]) * s[1];
            *d_shift += (double) dy[at];
        }
}

void rci_rows_backward(const struct rci_rows *r, const float *x, const float *scale,
                       const double *saved, const float *dy, float *dx, float *d_scale,
                       float *d_shift)
{
    const bool parallel = r->rows * r->length >= RC_PARALLEL_MIN;
#pragma omp parallel for schedule(static) if (parallel)
    for (int64_t row = 0; row < (dx ? r->rows : 0); row++)
        backward_row(r, row, x, scale, saved, dy, dx);
#pragma omp parallel for schedule(static) if (parallel)
    for (int64_t k = 0; k < (d_scale || d_shift ? r->params : 0); k++) {
        double ds, dt;
        backward_parameter(r, k, x, saved, dy, &ds, &dt);
        if (d_scale)
            d_scale[k] = (float) ds;
        if (d_shift)
            d_shift[k] = (float) dt;
    }
}
