/* kept(t) = 1 - (1 - keep) t. */
#include "prune/schedule.h"

static double linear_kept(const void *params, double t, double keep)
{
    (void) params;
    return 1 - (1 - keep) * t;
}

static const struct rci_param table[] = {RC_SCHEDULE_COMMON(3)};

const struct rci_schedule rci_schedule_linear = {
    .m = {.name = "linear",
          .summary = "every round takes the same part of the target",
          .source = "",
          .params_size = sizeof(struct rci_schedule_common),
          .params = table,
          .n_params = 1},
    .kept = linear_kept,
};
