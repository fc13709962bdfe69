/* High rank of feature maps: score of a channel = mean over images of the rank of its map
 * [height, width]: singular values above max(height, width) * 2^-23 times the largest one. */
#include "prune/criterion.h"
#include "tensor/symmetric.h"

#include <float.h>
#include <math.h>

static size_t shorter_side(const struct rci_map *m)
{
    return m->height < m->width ? m->height : m->width;
}

static size_t hrank_scratch(const struct rci_map *m)
{
    const size_t n = shorter_side(m);
    return n * n + 2 * n;
}

/* products of rows, or of columns where those are fewer */
static void products(const struct rci_map *m, const float *x, double *a)
{
    const size_t n = shorter_side(m), length = m->height * m->width / n;
    const size_t step = m->height <= m->width ? m->width : 1, next = step == 1 ? m->width : 1;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t k = 0; k < length; k++)
                sum += (double) x[i * step + k * next] * (double) x[j * step + k * next];
            a[i * n + j] = a[j * n + i] = sum;
        }
}

static void hrank_map(const void *params, const struct rci_map *m, double *score)
{
    const size_t n = shorter_side(m), size = m->height * m->width, longer = size / n;
    double *a = m->scratch, *value = a + n * n;
    (void) params;
    for (uint32_t c = 0; c < m->channels; c++) {
        double top = 0;
        products(m, m->data + c * size, a);
        rci_symmetric_eigenvalues(a, n, value, value + n); /* squares of singular values */
        for (size_t i = 0; i < n; i++)
            top = fmax(top, value[i]);
        const double least = pow((double) longer * (double) FLT_EPSILON, 2) * top;
        score[c] = 0;
        for (size_t i = 0; i < n; i++)
            score[c] += value[i] > least;
    }
}

const struct rci_criterion rci_criterion_hrank = {
    .m = {.name = "hrank",
          .summary = "mean rank of the channel's feature maps",
          .source = "Lin et al., HRank: Filter Pruning using High-Rank Feature Map, CVPR 2020"},
    .reads = RC_SLICE_IN,
    .needs_data = true,
    .without = "no layer that reads it",
    .map = hrank_map,
    .scratch = hrank_scratch,
};
