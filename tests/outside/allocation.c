/* The dearest step goes first: what no method of the library does. */
#include "outside.h"
#include "prune/allocate.h"

static double outside_price(const void *params, const struct rci_cut_step *s)
{
    (void) params;
    outside_calls[OUTSIDE_ALLOCATION]++;
    return -s->macs;
}

const struct rci_allocation rci_allocation_outside = {
    .m = {.name = "outside", .summary = "what saves most goes first", .source = ""},
    .price = outside_price,
};
