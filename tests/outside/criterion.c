/* The score of a channel is its number: the first ones go. */
#include "prune/criterion.h"
#include "outside.h"

static void outside_score(const void *params, const struct rci_slice *s, double *score)
{
    (void) params;
    outside_calls[OUTSIDE_CRITERION]++;
    for (uint32_t c = 0; c < s->channels; c++)
        score[c] = 1.0 + c;
}

const struct rci_criterion rci_criterion_outside = {
    .m = {.name = "outside", .summary = "the number of the channel", .source = ""},
    .reads = RC_SLICE_NOTHING,
    .score = outside_score,
};
