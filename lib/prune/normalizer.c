/* Normalisation of the scores inside a group, so that groups can be ranked together. */
#include "prune/criterion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double total(const double *x, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

/* A group of zeros stays a group of zeros. */
static void divide(double *x, uint32_t n, double by)
{
    for (uint32_t i = 0; by != 0 && i < n; i++)
        x[i] /= by;
}

static void none_normalize(double *x, uint32_t n, double *scratch)
{
    (void) x, (void) n, (void) scratch;
}

static void mean_normalize(double *x, uint32_t n, double *scratch)
{
    (void) scratch;
    divide(x, n, total(x, n) / n);
}

static void sum_normalize(double *x, uint32_t n, double *scratch)
{
    (void) scratch;
    divide(x, n, total(x, n));
}

static void max_normalize(double *x, uint32_t n, double *scratch)
{
    (void) scratch;
    double top = x[0];
    for (uint32_t i = 1; i < n; i++)
        top = fmax(top, x[i]);
    divide(x, n, top);
}

/* (x - min) / (max - min) */
static void range_normalize(double *x, uint32_t n, double *scratch)
{
    (void) scratch;
    double low = x[0], high = x[0];
    for (uint32_t i = 1; i < n; i++) {
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
    }
    for (uint32_t i = 0; i < n; i++)
        x[i] = (x[i] - low) / (high - low + 1e-8);
}

/* (x - mean) / deviation, unbiased */
static void gaussian_normalize(double *x, uint32_t n, double *scratch)
{
    (void) scratch;
    const double mean = total(x, n) / n;
    double square = 0;
    for (uint32_t i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean);
    const double deviation = n > 1 ? sqrt(square / (n - 1)) : 0;
    for (uint32_t i = 0; i < n; i++)
        x[i] = (x[i] - mean) / (deviation + 1e-8);
}

static int descending(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* x / (sum of all scores that are not smaller) */
static void lamp_normalize(double *x, uint32_t n, double *scratch)
{
    memcpy(scratch, x, n * sizeof(*x));
    qsort(scratch, n, sizeof(*scratch), descending);
    for (uint32_t i = 0; i < n; i++) {
        double sum = 0;
        for (uint32_t j = 0; j < n && scratch[j] >= x[i]; j++)
            sum += scratch[j];
        if (sum != 0)
            x[i] /= sum;
    }
}

#define SOURCE "Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023"
static const struct rci_normalizer
    none = {{"none", "scores as they are", "", 0, NULL, 0}, none_normalize},
    mean = {{"mean", "divide by the group's mean", SOURCE, 0, NULL, 0}, mean_normalize},
    sum = {{"sum", "divide by the group's sum", "", 0, NULL, 0}, sum_normalize},
    max = {{"max", "divide by the group's largest", SOURCE, 0, NULL, 0}, max_normalize},
    range = {{"range", "shift and scale to 0..1", "", 0, NULL, 0}, range_normalize},
    gaussian = {{"gaussian", "mean 0, deviation 1", "", 0, NULL, 0}, gaussian_normalize},
    lamp = {{"lamp", "divide by the sum of all that are not smaller",
             "Lee et al., Layer-adaptive Sparsity for the Magnitude-based Pruning, ICLR 2021", 0,
             NULL, 0},
            lamp_normalize};

static const struct rci_method *const table[] = {&none.m,  &mean.m,     &sum.m, &max.m,
                                                 &range.m, &gaussian.m, &lamp.m};
const struct rci_method_kind rci_kind_normalizer = {
    "normalizer", "makes the scores of different groups comparable", table,
    sizeof(table) / sizeof(table[0])};
