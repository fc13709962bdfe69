/* Contribution: score of a channel = variance(x) * sum of w^2 over the weights that read it, which
 * is the variance of their outputs that goes with the channel while a shift makes up for its mean
 * (were positions and channels uncorrelated). */
#include "prune/criterion.h"

static void contribution_score(const void *params, const struct rci_slice *s, double *score)
{
    (void) params;
    for (uint32_t c = 0; c < s->channels; c++)
        score[c] = 0;
    for (size_t o = 0; o < s->outer; o++)
        for (uint32_t c = 0; c < s->channels; c++) {
            const float *w = s->data + (o * s->channels + c) * s->inner;
            for (size_t i = 0; i < s->inner; i++)
                score[c] += (double) w[i] * (double) w[i];
        }
    for (uint32_t c = 0; c < s->channels; c++)
        score[c] *= (double) s->variance[c];
}

const struct rci_criterion rci_criterion_contribution = {
    .m = {.name = "contribution",
          .summary = "variance over data that the channel's readers would lose",
          .source = ""},
    .reads = RC_SLICE_IN,
    .needs_data = true,
    .without = "no layer that reads it",
    .score = contribution_score,
};
