/* Rises from base / div to base over the first `start` of the steps, then falls to
 * base / div / final_div, both along half a cosine; momentum may run the other way. */
#include "train/rate.h"

#include <math.h>

struct params {
    struct rci_rate_common common;
    double start, div, final_div, momentum_low, momentum_high;
    int64_t linear, momentum;
};

static const struct rci_param table[] = {
    RC_RATE_COMMON,
    {"start", "share of the steps in which the rate rises", RC_PARAM_REAL,
     offsetof(struct params, start), 0.3, 0.001, 0.999},
    {"div", "base rate over first rate", RC_PARAM_REAL, offsetof(struct params, div), 25, 1, 1e6},
    {"final_div", "first rate over last rate", RC_PARAM_REAL, offsetof(struct params, final_div),
     1e4, 1, 1e9},
    {"linear", "straight lines instead of cosines", RC_PARAM_BOOL, offsetof(struct params, linear),
     0, 0, 1},
    {"momentum", "move the momentum against the rate", RC_PARAM_BOOL,
     offsetof(struct params, momentum), 0, 0, 1},
    {"momentum_low", "momentum at the highest rate", RC_PARAM_REAL,
     offsetof(struct params, momentum_low), 0.85, 0, 0.9999},
    {"momentum_high", "momentum at both ends", RC_PARAM_REAL,
     offsetof(struct params, momentum_high), 0.95, 0, 0.9999},
};

/* From `low` at step 0 over `high` at the peak to `last` at the final step. */
static double one_cycle_curve(const struct params *p, const double level[3], uint64_t t,
                              uint64_t total)
{
    const double peak = p->start * (double) total - 1, end = (double) total - 1;
    const bool rising = (double) t <= peak;
    const double from = rising ? level[0] : level[1], to = rising ? level[1] : level[2];
    const double at = rising ? (double) t / fmax(peak, 1e-9)
                             : ((double) t - fmax(peak, 0)) / fmax(end - fmax(peak, 0), 1e-9);
    if (p->linear)
        return from + (to - from) * at;
    return to + (from - to) / 2 * (1 + cos(M_PI * at));
}

static double one_cycle_at(const void *params, double base, uint64_t t, uint64_t total)
{
    const struct params *p = params;
    const double first = base / p->div;
    return one_cycle_curve(p, (const double[]){first, base, first / p->final_div}, t, total);
}

static double one_cycle_momentum(const void *params, uint64_t t, uint64_t total)
{
    const struct params *p = params;
    if (!p->momentum)
        return -1;
    const double level[] = {p->momentum_high, p->momentum_low, p->momentum_high};
    return one_cycle_curve(p, level, t, total);
}

const struct rci_rate rci_rate_one_cycle = {
    .m = {.name = "one-cycle",
          .summary = "one rise to the base rate and one fall to almost nothing",
          .source = "Smith and Topin, Super-Convergence, 2018",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .at = one_cycle_at,
    .momentum = one_cycle_momentum,
};
