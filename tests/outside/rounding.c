/* Every weight becomes 1. */
#include "quant/rounding.h"
#include "outside.h"

#include <string.h>

static rc_status outside_round(const void *params, const struct rci_rounding_job *job)
{
    (void) params;
    outside_calls[OUTSIDE_ROUNDING] += job->xx != NULL;
    memset(job->q, 1, job->d * job->o);
    return RC_OK;
}

const struct rci_rounding rci_rounding_outside = {
    .m = {.name = "outside", .summary = "ones", .source = ""},
    .round = outside_round,
};
