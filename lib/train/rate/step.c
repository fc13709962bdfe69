/* rate(t) = base gamma^(number of milestones m with t >= round(m total)). */
#include "train/rate.h"

#include <math.h>

struct params {
    struct rci_rate_common common;
    double gamma, milestone[3];
};

static const struct rci_param table[] = {
    RC_RATE_COMMON,
    {"gamma", "factor at every milestone", RC_PARAM_REAL, offsetof(struct params, gamma), 0.1, 1e-6,
     1},
    {"first", "first milestone, as a share of the steps", RC_PARAM_REAL,
     offsetof(struct params, milestone[0]), 0.5, 0, 1},
    {"second", "second milestone", RC_PARAM_REAL, offsetof(struct params, milestone[1]), 0.75, 0,
     1},
    {"third", "third milestone; 1: none", RC_PARAM_REAL, offsetof(struct params, milestone[2]), 1,
     0, 1},
};

static double step_at(const void *params, double base, uint64_t t, uint64_t total)
{
    const struct params *p = params;
    double rate = base;
    for (uint32_t i = 0; i < 3; i++)
        if (t >= (uint64_t) llround(p->milestone[i] * (double) total))
            rate *= p->gamma;
    return rate;
}

const struct rci_rate rci_rate_step = {
    .m = {.name = "step",
          .summary = "multiplied by gamma at up to three milestones",
          .source = "He et al., Deep Residual Learning for Image Recognition, CVPR 2016",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 5},
    .at = step_at,
};
