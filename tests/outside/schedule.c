/* Two rounds, the first of which goes nearly all the way. */
#include "prune/schedule.h"
#include "outside.h"

static double outside_kept(const void *params, double t, double keep)
{
    (void) params;
    outside_calls[OUTSIDE_SCHEDULE]++;
    return t < 1 ? keep + 0.1 * (1 - keep) : keep;
}

static const struct rci_param table[] = {RC_SCHEDULE_COMMON(2)};

const struct rci_schedule rci_schedule_outside = {
    .m = {.name = "outside",
          .summary = "most of it at first",
          .source = "",
          .params_size = sizeof(struct rci_schedule_common),
          .params = table,
          .n_params = 1},
    .kept = outside_kept,
};
