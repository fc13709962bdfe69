/* The same fraction of every group: whoever has lost least goes next. */
#include "prune/allocate.h"

static double uniform_price(const void *params, const struct rci_cut_step *s)
{
    (void) params;
    return s->fraction;
}

const struct rci_allocation rci_allocation_uniform = {
    .m = {.name = "uniform", .summary = "the same fraction of every group", .source = ""},
    .price = uniform_price,
};
