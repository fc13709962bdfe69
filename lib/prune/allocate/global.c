/* One ranking over all groups: the lowest scores go first. */
#include "prune/allocate.h"

static double global_price(const void *params, const struct rci_cut_step *s)
{
    (void) params;
    return s->score;
}

const struct rci_allocation rci_allocation_global = {
    .m = {.name = "global",
          .summary = "the lowest normalised scores of all groups together",
          .source = "Liu et al., Learning Efficient Convolutional Networks through Network "
                    "Slimming, ICCV 2017"},
    .price = global_price,
};
