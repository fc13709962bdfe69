/* rate(t) = base. */
#include "train/rate.h"

static const struct rci_param table[] = {RC_RATE_COMMON};

static double constant_at(const void *params, double base, uint64_t t, uint64_t total)
{
    (void) params;
    (void) t;
    (void) total;
    return base;
}

const struct rci_rate rci_rate_constant = {
    .m = {.name = "constant",
          .summary = "the same rate throughout",
          .source = "",
          .params_size = sizeof(struct rci_rate_common),
          .params = table,
          .n_params = 1},
    .at = constant_at,
};
