/* Mean activation: score of a channel = mean of |x| over data and positions, seen by its readers.
 */
#include "prune/criterion.h"

static void activation_score(const void *params, const struct rci_slice *s, double *score)
{
    (void) params;
    for (uint32_t c = 0; c < s->channels; c++)
        score[c] = (double) s->mean[c];
}

const struct rci_criterion rci_criterion_activation = {
    .m = {.name = "activation",
          .summary = "mean absolute activation over data",
          .source = "Polyak and Wolf, Channel-Level Acceleration of Deep Face Representations, "
                    "IEEE Access 2015"},
    .reads = RC_SLICE_IN,
    .needs_data = true,
    .without = "no layer that reads it",
    .score = activation_score,
};
