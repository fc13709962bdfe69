/* rate(t) = min + (base - min) / 2 (1 + cos(pi t / total)). */
#include "train/rate.h"

#include <math.h>

struct params {
    struct rci_rate_common common;
    double min;
};

static const struct rci_param table[] = {
    RC_RATE_COMMON,
    {"min", "rate that is approached at the end", RC_PARAM_REAL, offsetof(struct params, min), 0, 0,
     10},
};

static double cosine_at(const void *params, double base, uint64_t t, uint64_t total)
{
    const double min = ((const struct params *) params)->min;
    return min + (base - min) / 2 * (1 + cos(M_PI * (double) t / (double) total));
}

const struct rci_rate rci_rate_cosine = {
    .m = {.name = "cosine",
          .summary = "half a cosine from the base rate down to the minimum",
          .source = "Loshchilov and Hutter, SGDR, ICLR 2017",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 2},
    .at = cosine_at,
};
