/* Every weight is pulled to zero a little. */
#include "prune/regularizer.h"
#include "outside.h"
#include "prune/criterion.h"

static void outside_pull(const void *params, const struct rci_regular_group *g)
{
    (void) params;
    outside_calls[OUTSIDE_REGULARIZER]++;
    for (uint32_t k = 0; k < g->n; k++)
        g->factor[k] = 1e-3;
}

const struct rci_regularizer rci_regularizer_outside = {
    .m = {.name = "outside", .summary = "pulls", .source = ""},
    .acts_on = RC_SLICE_OUT,
    .pull = outside_pull,
};
