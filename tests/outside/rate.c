/* rate(t) = base / (1 + t). */
#include "train/rate.h"
#include "outside.h"

static const struct rci_param table[] = {RC_RATE_COMMON};

static double outside_at(const void *params, double base, uint64_t t, uint64_t total)
{
    (void) params;
    (void) total;
    outside_calls[OUTSIDE_RATE]++;
    return base / (double) (1 + t);
}

const struct rci_rate rci_rate_outside = {
    .m = {.name = "outside",
          .summary = "falls as 1 / step",
          .source = "",
          .params_size = sizeof(struct rci_rate_common),
          .params = table,
          .n_params = 1},
    .at = outside_at,
};
