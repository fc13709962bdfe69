/* lambda sum over units of sqrt(weights) ||w||: its gradient is lambda sqrt(weights) w / ||w||. */
#include "prune/criterion.h"
#include "prune/regularizer.h"

#include <math.h>

struct params {
    double lambda;
};

static void group_lasso_pull(const void *params, const struct rci_regular_group *g)
{
    const double lambda = ((const struct params *) params)->lambda;
    for (uint32_t k = 0; k < g->n; k++)
        g->factor[k] = lambda * sqrt((double) g->weights) / fmax(sqrt(g->square[k]), 1e-8);
}

static const struct rci_param table[] = {
    {"lambda", "weight of the penalty", RC_PARAM_REAL, offsetof(struct params, lambda), 1e-4, 0,
     10},
};

const struct rci_regularizer rci_regularizer_group_lasso = {
    .m = {.name = "group-lasso",
          .summary = "the norms of all weights of a channel together, summed over channels",
          .source = "Wen et al., Learning Structured Sparsity in Deep Neural Networks, NIPS 2016",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .acts_on = RC_SLICE_OUT | RC_SLICE_SCALE | RC_SLICE_IN,
    .pull = group_lasso_pull,
};
