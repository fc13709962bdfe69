/* Round t: the next 1 / steps of the channels; the end is the first round at which the costs are
 * those that were asked for. */
#include "prune/schedule.h"

static const struct rci_param table[] = {RC_SCHEDULE_COMMON(400)};

const struct rci_schedule rci_schedule_small_steps = {
    .m = {.name = "small-steps",
          .summary = "a few channels at a time until the target is met",
          .source = "Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023",
          .params_size = sizeof(struct rci_schedule_common),
          .params = table,
          .n_params = 1},
    .until_met = true,
};
