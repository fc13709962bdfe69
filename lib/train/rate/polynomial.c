/* rate(t) = base (1 - t / total)^power. */
#include "train/rate.h"

#include <math.h>

struct params {
    struct rci_rate_common common;
    double power;
};

static const struct rci_param table[] = {
    RC_RATE_COMMON,
    {"power", "1: a straight line to zero", RC_PARAM_REAL, offsetof(struct params, power), 1, 0.1,
     10},
};

static double polynomial_at(const void *params, double base, uint64_t t, uint64_t total)
{
    const double power = ((const struct params *) params)->power;
    return base * pow(1 - (double) t / (double) total, power);
}

const struct rci_rate rci_rate_polynomial = {
    .m = {.name = "polynomial",
          .summary = "a power of the remaining share of steps, linear by default",
          .source = "",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 2},
    .at = polynomial_at,
};
