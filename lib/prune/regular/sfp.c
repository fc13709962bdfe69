/* After every epoch the filters with the smallest ||w|| become zero, and are trained on. */
#include "prune/criterion.h"
#include "prune/regularizer.h"

struct params {
    double ratio;
};

static bool is_weaker(const double *square, uint32_t a, uint32_t b)
{
    return square[a] != square[b] ? square[a] < square[b] : a > b;
}

static void sfp_shrink(const void *params, const struct rci_regular_group *g)
{
    const double ratio = ((const struct params *) params)->ratio;
    uint32_t n = (uint32_t) (ratio * g->n + 1e-9);
    n = n < g->n ? n : g->n - 1;
    for (uint32_t k = 0; k < g->n; k++) {
        uint32_t weaker = 0;
        for (uint32_t j = 0; j < g->n; j++)
            weaker += is_weaker(g->square, j, k);
        if (weaker < n)
            g->factor[k] = 0;
    }
}

static const struct rci_param table[] = {
    {"ratio", "fraction of every group's channels", RC_PARAM_REAL, offsetof(struct params, ratio),
     0.3, 0, 1},
};

const struct rci_regularizer rci_regularizer_sfp = {
    .m = {.name = "sfp",
          .summary = "the weakest filters become zero after every epoch and may come back",
          .source = "He et al., Soft Filter Pruning, IJCAI 2018",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .acts_on = RC_SLICE_OUT,
    .shrink = sfp_shrink,
};
