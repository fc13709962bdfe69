/* Magnitude as GReg ranks by it: score of a channel = mean of |w| over the weights that make it. */
#include "prune/criterion.h"

#include <math.h>

static void greg_score(const void *params, const struct rci_slice *s, double *score)
{
    (void) params;
    for (uint32_t c = 0; c < s->channels; c++) {
        score[c] = 0;
        for (size_t o = 0; o < s->outer; o++)
            for (size_t i = 0; i < s->inner; i++)
                score[c] += fabs((double) s->data[(o * s->channels + c) * s->inner + i]) /
                            (double) (s->outer * s->inner);
    }
}

const struct rci_criterion rci_criterion_greg = {
    .m = {.name = "greg",
          .summary = "mean |w| of the filter, by which growing regularization picks",
          .source = "Wang et al., Neural Pruning via Growing Regularization, ICLR 2021"},
    .reads = RC_SLICE_OUT,
    .without = "no layer that makes it",
    .score = greg_score,
};
