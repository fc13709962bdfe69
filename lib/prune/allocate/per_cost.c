/* Lowest loss per gain: summed score of the step / fraction of the target's cost that it saves. */
#include "prune/allocate.h"

static double per_cost_price(const void *params, const struct rci_cut_step *s)
{
    (void) params;
    return s->score * s->units / (s->saved > 0 ? s->saved : 1e-12);
}

const struct rci_allocation rci_allocation_per_cost = {
    .m = {.name = "per-cost",
          .summary = "the lowest score per multiply-add (or parameter) saved",
          .source = ""},
    .price = per_cost_price,
};
