/* E(i, b) = min over the widths j of group i of E(i - 1, b - saved_j) + error_j, with savings
 * counted in `bins` parts of what is needed, rounded down: the sum of errors is the smallest there
 * is. */
#include "prune/allocate.h"

#include <math.h>
#include <string.h>

struct params {
    int64_t bins;
};

struct table {
    double *now, *next; /* [bins + 1] smallest error that saves b parts or more */
    uint32_t *pick;     /* [n][bins + 1] */
    size_t bins;
};

static void add_group(struct table *t, const struct rci_allocation_curve *c, uint32_t *pick,
                      double part)
{
    for (size_t b = 0; b <= t->bins; b++)
        t->next[b] = INFINITY;
    for (uint32_t j = 0; j < c->n; j++) {
        const double parts = fmax(floor(c->saved[j] / part + 1e-9), 0);
        const size_t saved = parts < (double) t->bins ? (size_t) parts : t->bins;
        for (size_t b = 0; b <= t->bins; b++) {
            const double error = t->now[b > saved ? b - saved : 0] + c->error[j];
            if (error < t->next[b]) {
                t->next[b] = error;
                pick[b] = j;
            }
        }
    }
    double *swap = t->now;
    t->now = t->next;
    t->next = swap;
}

static void read_picks(const struct table *t, struct rci_allocation_curve *c, uint32_t n,
                       double part)
{
    size_t b = t->bins;
    while (b && isinf(t->now[b])) /* as much as there is */
        b--;
    for (uint32_t i = n; i-- > 0;) {
        c[i].pick = t->pick[i * (t->bins + 1) + b];
        const double parts = fmax(floor(c[i].saved[c[i].pick] / part + 1e-9), 0);
        b = parts < (double) b ? b - (size_t) parts : 0;
    }
}

static rc_status dp_choose(const void *params, struct rc_context *ctx,
                           struct rci_allocation_curve *c, uint32_t n, double needed)
{
    struct table t = {.bins = (size_t) ((const struct params *) params)->bins};
    t.now = rci_alloc_array(ctx, t.bins + 1, sizeof(double));
    t.next = rci_alloc_array(ctx, t.bins + 1, sizeof(double));
    t.pick = rci_alloc_array(ctx, (size_t) n * (t.bins + 1), sizeof(*t.pick));
    const double part = needed / (double) t.bins;
    const bool room = t.now && t.next && t.pick;
    for (size_t b = 1; room && b <= t.bins; b++)
        t.now[b] = INFINITY;
    for (uint32_t i = 0; room && i < n; i++)
        add_group(&t, &c[i], t.pick + i * (t.bins + 1), part);
    if (room)
        read_picks(&t, c, n, part);
    rci_release(t.now);
    rci_release(t.next);
    rci_release(t.pick);
    return room ? RC_OK : RC_ERR_MEMORY;
}

static const struct rci_param table[] = {
    {"bins", "parts that the cost is counted in", RC_PARAM_INT, offsetof(struct params, bins), 4096,
     16, 1 << 20},
};

const struct rci_allocation rci_allocation_dp = {
    .m = {.name = "dp",
          .summary = "the smallest sum of errors, by dynamic programming",
          .source = "Shen et al., Structural Pruning via Latency-Saliency Knapsack, NeurIPS 2022",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .choose = dp_choose,
};
