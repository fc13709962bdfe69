/* lambda sum |scale| over BatchNormalizations: its gradient is lambda sign(scale). */
#include "prune/criterion.h"
#include "prune/regularizer.h"

#include <math.h>

struct params {
    double lambda;
};

/* A group may have several scales (a residual trunk); each of them gets its own sign, so the driver
 * asks member by member: square is that of one number. */
static void slimming_pull(const void *params, const struct rci_regular_group *g)
{
    const double lambda = ((const struct params *) params)->lambda;
    for (uint32_t k = 0; k < g->n; k++)
        g->factor[k] = g->square[k] > 0 ? lambda / sqrt(g->square[k]) : 0;
}

static const struct rci_param table[] = {
    {"lambda", "weight of the penalty", RC_PARAM_REAL, offsetof(struct params, lambda), 1e-4, 0,
     10},
};

const struct rci_regularizer rci_regularizer_slimming = {
    .m = {.name = "slimming",
          .summary = "absolute scales of BatchNormalization (then cut by bn-scale)",
          .source = "Liu et al., Learning Efficient Convolutional Networks through Network "
                    "Slimming, ICCV 2017",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .acts_on = RC_SLICE_SCALE,
    .by_member = true,
    .pull = slimming_pull,
};
