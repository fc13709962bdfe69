/* Every number on its own, uniform. What any other searcher must beat. */
#include "search/searcher.h"

static void random_propose(const void *params, const struct rci_trials *t, struct rci_rng *r,
                           double *x)
{
    (void) params;
    for (uint32_t i = 0; i < t->n; i++)
        x[i] = rci_rng_uniform(r);
}

const struct rci_searcher rci_searcher_random = {
    .m = {.name = "random", .summary = "uniform policies", .source = "Bergstra and Bengio, 2012"},
    .propose = random_propose,
};
