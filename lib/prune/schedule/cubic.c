/* kept(t) = 1 - (1 - keep) (1 - (1 - t)^3). */
#include "prune/schedule.h"

static double cubic_kept(const void *params, double t, double keep)
{
    (void) params;
    return 1 - (1 - keep) * (1 - (1 - t) * (1 - t) * (1 - t));
}

static const struct rci_param table[] = {RC_SCHEDULE_COMMON(4)};

const struct rci_schedule rci_schedule_cubic = {
    .m = {.name = "cubic",
          .summary = "much at first, little at the end (automated gradual pruning)",
          .source = "Zhu and Gupta, To Prune, or Not to Prune, 2017",
          .params_size = sizeof(struct rci_schedule_common),
          .params = table,
          .n_params = 1},
    .kept = cubic_kept,
};
