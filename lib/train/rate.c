/* Warm-up. */
#include "train/rate.h"

#include <math.h>

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
