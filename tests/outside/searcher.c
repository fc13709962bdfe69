/* Ever smaller numbers. */
#include "search/searcher.h"
#include "outside.h"

static void outside_propose(const void *params, const struct rci_trials *t, struct rci_rng *r,
                            double *x)
{
    (void) params;
    (void) r;
    outside_calls[OUTSIDE_SEARCHER]++;
    for (uint32_t i = 0; i < t->n; i++)
        x[i] = 1 / (1.0 + t->count + i);
}

const struct rci_searcher rci_searcher_outside = {
    .m = {.name = "outside", .summary = "ever smaller numbers", .source = ""},
    .propose = outside_propose,
};
