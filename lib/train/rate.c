/* Warm-up, and the table of learning-rate schedules. */
#include "train/rate.h"

#include <math.h>

extern const struct rc_rate rc_rate_constant;
extern const struct rc_rate rc_rate_cosine;
extern const struct rc_rate rc_rate_one_cycle;
extern const struct rc_rate rc_rate_polynomial;
extern const struct rc_rate rc_rate_step;

static const struct rc_method *const rates[] = {
    &rc_rate_constant.m,   &rc_rate_cosine.m, &rc_rate_one_cycle.m,
    &rc_rate_polynomial.m, &rc_rate_step.m,
};

const struct rc_method_kind rc_kind_rate = {
    .kind = "rate",
    .summary = "how the learning rate changes over the steps",
    .table = rates,
    .count = sizeof(rates) / sizeof(rates[0]),
};

struct rc_rate_now rc_rate_at(const struct rc_rate *r, const void *params, double base, uint64_t t,
                              uint64_t total)
{
    const struct rc_rate_common *common = params;
    const uint64_t warm = (uint64_t) llround(common->warmup * (double) total);
    if (t < warm)
        return (struct rc_rate_now){base * (double) (t + 1) / (double) warm, -1};
    return (struct rc_rate_now){r->at(params, base, t - warm, total - warm),
                                r->momentum ? r->momentum(params, t - warm, total - warm) : -1};
}
