/* Geometric median: score of a channel = sum over all channels j of the distance |W_c - W_j|
 * between the weights that make them. What lies near the middle can be replaced by the others. */
#include "prune/criterion.h"

#include <math.h>

static double distance(const struct rci_slice *s, uint32_t a, uint32_t b)
{
    double sum = 0;
    for (size_t o = 0; o < s->outer; o++) {
        const float *x = s->data + (o * s->channels + a) * s->inner;
        const float *y = s->data + (o * s->channels + b) * s->inner;
        for (size_t i = 0; i < s->inner; i++)
            sum += ((double) x[i] - (double) y[i]) * ((double) x[i] - (double) y[i]);
    }
    return sqrt(sum);
}

static void fpgm_score(const void *params, const struct rci_slice *s, double *score)
{
    (void) params;
    for (uint32_t c = 0; c < s->channels; c++)
        score[c] = 0;
    for (uint32_t a = 0; a < s->channels; a++)
        for (uint32_t b = a + 1; b < s->channels; b++) {
            const double d = distance(s, a, b);
            score[a] += d;
            score[b] += d;
        }
}

const struct rci_criterion rci_criterion_fpgm = {
    .m = {.name = "fpgm",
          .summary = "sum of the distances to all filters of the same layer",
          .source = "He et al., Filter Pruning via Geometric Median, CVPR 2019"},
    .reads = RC_SLICE_OUT,
    .without = "no layer that makes it",
    .score = fpgm_score,
};
