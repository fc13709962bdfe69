/* A repair that leaves the weights as they are. */
#include "prune/repair.h"
#include "outside.h"

static rc_status outside_run(const void *params, const struct rci_repair_job *job)
{
    (void) params;
    outside_calls[OUTSIDE_REPAIR] += job->after != NULL;
    return RC_OK;
}

const struct rci_repair rci_repair_outside = {
    .m = {.name = "outside", .summary = "nothing", .source = ""},
    .run = outside_run,
};
