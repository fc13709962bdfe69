/* Up to `ahead` widths further at a time: the stretch with the least error per cost saved goes
 * next, so that a dear width in front of cheap ones is no wall. */
#include "prune/allocate.h"

#include <math.h>

struct params {
    int64_t ahead;
};

static rc_status greedy_choose(const void *params, struct rc_context *ctx,
                               struct rci_allocation_curve *c, uint32_t n, double needed)
{
    const uint32_t ahead = (uint32_t) ((const struct params *) params)->ahead;
    double saved = 0;
    (void) ctx;
    while (saved < needed) {
        double best = INFINITY;
        uint32_t which = n, to = 0;
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = c[i].pick + 1; j < c[i].n && j <= c[i].pick + ahead; j++) {
                const double gain = c[i].saved[j] - c[i].saved[c[i].pick];
                const double price = (c[i].error[j] - c[i].error[c[i].pick]) / gain;
                if (gain <= 0 || !(price < best))
                    continue;
                best = price;
                which = i;
                to = j;
            }
        if (which == n)
            return RC_OK;
        saved += c[which].saved[to] - c[which].saved[c[which].pick];
        c[which].pick = to;
    }
    return RC_OK;
}

static const struct rci_param table[] = {
    {"ahead", "widths that are looked ahead", RC_PARAM_INT, offsetof(struct params, ahead), 8, 1,
     4096},
};

const struct rci_allocation rci_allocation_greedy = {
    .m = {.name = "greedy",
          .summary = "the least error per cost saved, some widths ahead",
          .source = "",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .choose = greedy_choose,
};
