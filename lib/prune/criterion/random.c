/* Random scores: the baseline every other criterion has to beat. */
#include "base/rng.h"
#include "prune/criterion.h"

static void random_score(const void *params, const struct rci_slice *s, double *score)
{
    (void) params;
    struct rci_rng r = rci_rng_make(s->seed, s->stream, 0);
    for (uint32_t c = 0; c < s->channels; c++)
        score[c] = rci_rng_uniform(&r);
}

const struct rci_criterion rci_criterion_random = {
    .m = {.name = "random", .summary = "uniform random numbers from the seed", .source = ""},
    .reads = RC_SLICE_NOTHING,
    .score = random_score,
};
