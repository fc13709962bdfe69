/* Filters that are to go are decorrelated from those that stay, lambda sum (w_go . w_stay)^2, and
 * all of their weights get a growing L2 penalty, so that the network stays trainable without them.
 */
#include "prune/criterion.h"
#include "prune/regularizer.h"

#include <math.h>

struct params {
    double ratio, lambda, delta, ceiling;
    int64_t every;
};

static void tpp_pull(const void *params, const struct rci_regular_group *g)
{
    const struct params *p = params;
    const uint64_t rounds = g->step / (uint64_t) p->every + 1;
    const double grown = p->delta * (double) rounds;
    rci_regular_mark(g, p->ratio);
    for (uint32_t k = 0; k < g->n; k++) {
        if (g->memory[k] != RC_UNIT_GOES)
            continue;
        g->factor[k] = fmin(grown, p->ceiling);
        g->against[k] = p->lambda;
    }
}

static const struct rci_param table[] = {
    {"ratio", "fraction of every group's channels that is to go", RC_PARAM_REAL,
     offsetof(struct params, ratio), 0.5, 0, 1},
    {"lambda", "weight of the decorrelation", RC_PARAM_REAL, offsetof(struct params, lambda), 1e-3,
     0, 100},
    {"delta", "growth of the L2 penalty", RC_PARAM_REAL, offsetof(struct params, delta), 1e-4, 0,
     1},
    {"ceiling", "largest L2 penalty", RC_PARAM_REAL, offsetof(struct params, ceiling), 1, 0, 100},
    {"every", "steps between two growths", RC_PARAM_INT, offsetof(struct params, every), 10, 1,
     1000000},
};

const struct rci_regularizer rci_regularizer_tpp = {
    .m = {.name = "tpp",
          .summary = "filters that are to go are decorrelated from the others and pulled to zero",
          .source = "Wang and Fu, Trainability Preserving Neural Pruning, ICLR 2023",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 5},
    .acts_on = RC_SLICE_OUT | RC_SLICE_SCALE,
    .pull = tpp_pull,
};
