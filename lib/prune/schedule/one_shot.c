/* kept(t) = keep: one round. */
#include "prune/schedule.h"

static double one_shot_kept(const void *params, double t, double keep)
{
    (void) params, (void) t;
    return keep;
}

const struct rci_schedule rci_schedule_one_shot = {
    .m = {.name = "one-shot",
          .summary = "all at once, by the scores of the whole network",
          .source = ""},
    .kept = one_shot_kept,
};
