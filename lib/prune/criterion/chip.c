/* Channel independence: with A the [channels, positions] matrix of a layer's maps for one image,
 * score of channel c = mean over images of |A|_* - |A without row c|_*, |.|_* the sum of singular
 * values. These are the roots of the eigenvalues of AA', or A'A where that is smaller. */
#include "prune/criterion.h"
#include "tensor/symmetric.h"

#include <math.h>
#include <string.h>

static size_t chip_side(const struct rci_map *m)
{
    const size_t positions = m->height * m->width;
    return m->channels < positions ? m->channels : positions;
}

static size_t chip_scratch(const struct rci_map *m)
{
    const size_t n = chip_side(m);
    return 2 * n * n + 2 * n;
}

static double nuclear_norm(double *a, size_t n, double *value)
{
    double sum = 0;
    rci_symmetric_eigenvalues(a, n, value, value + n);
    for (size_t i = 0; i < n; i++)
        sum += sqrt(fmax(value[i], 0));
    return sum;
}

/* AA', or A'A of positions; both in full. */
static void chip_products(const struct rci_map *m, double *to)
{
    const size_t n = chip_side(m), positions = m->height * m->width;
    const bool by_channel = n == m->channels;
    const size_t step = by_channel ? positions : 1, next = by_channel ? 1 : positions;
    const size_t length = by_channel ? positions : m->channels;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            const float *x = m->data + i * step, *y = m->data + j * step;
            double sum = 0;
            for (size_t k = 0; k < length; k++)
                sum += (double) x[k * next] * (double) y[k * next];
            to[i * n + j] = to[j * n + i] = sum;
        }
}

/* The products without row c of A. */
static void leave_out(const struct rci_map *m, const double *products, uint32_t c, double *a)
{
    const size_t n = chip_side(m), positions = m->height * m->width;
    const float *x = m->data + c * positions;
    memcpy(a, products, n * n * sizeof(*a));
    if (n == m->channels)
        for (size_t i = 0; i < n; i++)
            a[i * n + c] = a[c * n + i] = 0;
    else
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                a[i * n + j] -= (double) x[i] * (double) x[j];
}

static void chip_map(const void *params, const struct rci_map *m, double *score)
{
    const size_t n = chip_side(m);
    double *all = m->scratch, *a = all + n * n, *value = a + n * n;
    (void) params;
    chip_products(m, all);
    memcpy(a, all, n * n * sizeof(*a));
    const double whole = nuclear_norm(a, n, value);
    for (uint32_t c = 0; c < m->channels; c++) {
        leave_out(m, all, c, a);
        score[c] = whole - nuclear_norm(a, n, value);
    }
}

const struct rci_criterion rci_criterion_chip = {
    .m = {.name = "chip",
          .summary = "what the nuclear norm of a layer's maps loses with the channel",
          .source = "Sui et al., CHIP: CHannel Independence-based Pruning, NeurIPS 2021"},
    .reads = RC_SLICE_IN,
    .needs_data = true,
    .without = "no layer that reads it",
    .map = chip_map,
    .scratch = chip_scratch,
};
