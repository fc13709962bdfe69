/* Warm-up, and the table of learning-rate schedules. */
#include "train/rate.h"

#include <math.h>

extern const struct rci_rate rci_rate_constant;
extern const struct rci_rate rci_rate_cosine;
extern const struct rci_rate rci_rate_one_cycle;
extern const struct rci_rate rci_rate_polynomial;
extern const struct rci_rate rci_rate_step;

static const struct rci_method *const rates[] = {
    &rci_rate_constant.m,   &rci_rate_cosine.m, &rci_rate_one_cycle.m,
    &rci_rate_polynomial.m, &rci_rate_step.m,
};

const struct rci_method_kind rci_kind_rate = {
    .kind = "rate",
    .summary = "how the learning rate changes over the steps",
    .table = rates,
    .count = sizeof(rates) / sizeof(rates[0]),
};

struct rci_rate_now rci_rate_at(const struct rci_rate *r, const void *params, double base,
                                uint64_t t, uint64_t total)
{
    const struct rci_rate_common *common = params;
    const uint64_t warm = (uint64_t) llround(common->warmup * (double) total);
    if (t < warm)
        return (struct rci_rate_now){base * (double) (t + 1) / (double) warm, -1};
    return (struct rci_rate_now){r->at(params, base, t - warm, total - warm),
                                 r->momentum ? r->momentum(params, t - warm, total - warm) : -1};
}
