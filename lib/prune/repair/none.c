/* No repair: the weights stay as the cut left them. */
#include "prune/repair.h"

static rc_status none_run(const void *params, const struct rci_repair_job *job)
{
    (void) params, (void) job;
    return RC_OK;
}

const struct rci_repair rci_repair_none = {
    .m = {.name = "none", .summary = "leave the weights as they are", .source = ""},
    .run = none_run,
};
