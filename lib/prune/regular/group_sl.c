/* reg 2^(4 (Imax - I) / (Imax - Imin)) w with I = ||w|| of the unit: the weakest channel of a group
 * is pulled 16 times as hard as the strongest. */
#include "prune/criterion.h"
#include "prune/regularizer.h"

#include <math.h>

struct params {
    double reg, alpha;
};

static void group_sl_pull(const void *params, const struct rci_regular_group *g)
{
    const struct params *p = params;
    double low = INFINITY, high = 0;
    for (uint32_t k = 0; k < g->n; k++) {
        low = fmin(low, sqrt(g->square[k]));
        high = fmax(high, sqrt(g->square[k]));
    }
    for (uint32_t k = 0; k < g->n; k++) {
        const double weak = high > low ? (high - sqrt(g->square[k])) / (high - low) : 0;
        g->factor[k] = p->reg * exp2(p->alpha * weak);
    }
}

static const struct rci_param table[] = {
    {"reg", "L2 penalty of the strongest channel", RC_PARAM_REAL, offsetof(struct params, reg),
     5e-4, 0, 10},
    {"alpha", "the weakest is pulled 2^alpha times as hard", RC_PARAM_REAL,
     offsetof(struct params, alpha), 4, 0, 16},
};

const struct rci_regularizer rci_regularizer_group_sl = {
    .m = {.name = "group-sl",
          .summary = "L2, the harder the weaker a channel is in its group (DepGraph)",
          .source = "Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 2},
    .acts_on = RC_SLICE_OUT | RC_SLICE_SCALE | RC_SLICE_IN,
    .pull = group_sl_pull,
};
