/* L2 penalties that grow. greg-1: of the channels with the smallest |w|, chosen at the start, by
 * delta every `every` steps up to a ceiling. greg-2: of all channels up to `pick`, where the
 * curvature of the loss has told them apart; then the smallest |w| are chosen and go on as in
 * greg-1. */
#include "prune/criterion.h"
#include "prune/regularizer.h"

#include <math.h>

struct params {
    double ratio, delta, ceiling;
    int64_t every;
    double delta_all, pick; /* greg-2 */
};

static double grown(double delta, uint64_t step, int64_t every)
{
    const uint64_t rounds = step / (uint64_t) every + 1;
    return delta * (double) rounds;
}

static void pull_marked(const struct rci_regular_group *g, double factor)
{
    for (uint32_t k = 0; k < g->n; k++)
        g->factor[k] = g->memory[k] == RC_UNIT_GOES ? factor : 0;
}

static void greg_1_pull(const void *params, const struct rci_regular_group *g)
{
    const struct params *p = params;
    rci_regular_mark(g, p->ratio);
    pull_marked(g, fmin(grown(p->delta, g->step, p->every), p->ceiling));
}

static void greg_2_pull(const void *params, const struct rci_regular_group *g)
{
    const struct params *p = params;
    const double rounds = ceil(p->pick / p->delta_all - 1e-9);
    const uint64_t picked_at = (uint64_t) rounds * (uint64_t) p->every;
    if (g->step < picked_at) {
        for (uint32_t k = 0; k < g->n; k++)
            g->factor[k] = fmin(grown(p->delta_all, g->step, p->every), p->pick);
        return;
    }
    rci_regular_mark(g, p->ratio);
    pull_marked(g, fmin(p->pick + grown(p->delta, g->step - picked_at, p->every), p->ceiling));
}

#define GREG_PARAMS                                                                              \
    {"ratio", "fraction of every group's channels that is to go", RC_PARAM_REAL,                 \
     offsetof(struct params, ratio), 0.5, 0, 1},                                                 \
        {"delta", "growth of the penalty", RC_PARAM_REAL, offsetof(struct params, delta), 1e-4,  \
         1e-9, 1},                                                                               \
        {"ceiling", "largest penalty", RC_PARAM_REAL, offsetof(struct params, ceiling), 1, 0,    \
         100},                                                                                   \
    {                                                                                            \
        "every", "steps between two growths", RC_PARAM_INT, offsetof(struct params, every), 10,  \
            1, 1000000                                                                           \
    }

static const struct rci_param greg_1_table[] = {GREG_PARAMS};
static const struct rci_param greg_2_table[] = {
    GREG_PARAMS,
    {"delta_all", "growth while all channels are pulled", RC_PARAM_REAL,
     offsetof(struct params, delta_all), 1e-5, 1e-9, 1},
    {"pick", "penalty at which the channels are chosen", RC_PARAM_REAL,
     offsetof(struct params, pick), 0.01, 0, 100},
};

const struct rci_regularizer rci_regularizer_greg_1 = {
    .m = {.name = "greg-1",
          .summary = "a growing L2 penalty on channels chosen at the start (then cut by greg)",
          .source = "Wang et al., Neural Pruning via Growing Regularization, ICLR 2021",
          .params_size = sizeof(struct params),
          .params = greg_1_table,
          .n_params = 4},
    .acts_on = RC_SLICE_OUT,
    .pull = greg_1_pull,
};

const struct rci_regularizer rci_regularizer_greg_2 = {
    .m = {.name = "greg-2",
          .summary =
              "a growing L2 penalty on all channels, which are chosen once it tells them apart",
          .source = "Wang et al., Neural Pruning via Growing Regularization, ICLR 2021",
          .params_size = sizeof(struct params),
          .params = greg_2_table,
          .n_params = 6},
    .acts_on = RC_SLICE_OUT,
    .pull = greg_2_pull,
};
