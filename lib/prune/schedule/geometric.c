/* kept(t) = keep^t. */
#include "prune/schedule.h"

#include <math.h>

static double geometric_kept(const void *params, double t, double keep)
{
    (void) params;
    return pow(keep, t);
}

static const struct rci_param table[] = {RC_SCHEDULE_COMMON(3)};

const struct rci_schedule rci_schedule_geometric = {
    .m = {.name = "geometric",
          .summary = "every round takes the same fraction of what is left",
          .source = "Frankle and Carbin, The Lottery Ticket Hypothesis, ICLR 2019",
          .params_size = sizeof(struct rci_schedule_common),
          .params = table,
          .n_params = 1},
    .kept = geometric_kept,
};
