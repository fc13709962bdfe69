/* Aging evolution: the best of a random sample of the last trials is crossed with another of them
 * and mutated; older trials are forgotten. */
#include "search/searcher.h"

#include <stddef.h>

struct evolution {
    int64_t population, sample;
    double mutation, step;
};

static const struct rci_param evolution_params[] = {
    {"population", "trials that are alive", RC_PARAM_INT, offsetof(struct evolution, population),
     16, 2, 100000},
    {"sample", "of them, among which parents win", RC_PARAM_INT, offsetof(struct evolution, sample),
     5, 1, 100000},
    {"mutation", "share of numbers that change", RC_PARAM_REAL,
     offsetof(struct evolution, mutation), 0.3, 0, 1},
    {"step", "deviation of a change", RC_PARAM_REAL, offsetof(struct evolution, step), 0.2, 0.001,
     1},
};

static uint32_t evolution_parent(const struct evolution *p, const struct rci_trials *t,
                                 struct rci_rng *r)
{
    const uint32_t alive = t->count < p->population ? t->count : (uint32_t) p->population;
    uint32_t best = t->count - 1 - rci_rng_below(r, alive);
    for (int64_t i = 1; i < p->sample; i++) {
        const uint32_t k = t->count - 1 - rci_rng_below(r, alive);
        if (t->score[k] > t->score[best])
            best = k;
    }
    return best;
}

/* The first quarter of a population is random, so that there is something to choose from. */
static void evolution_propose(const void *params, const struct rci_trials *t, struct rci_rng *r,
                              double *x)
{
    const struct evolution *p = params;
    const bool young = t->count < (uint32_t) p->population / 4;
    const double *a = rci_trials_at(t, evolution_parent(p, t, r));
    const double *b = rci_trials_at(t, evolution_parent(p, t, r));
    for (uint32_t i = 0; i < t->n; i++) {
        x[i] = rci_rng_uniform(r) < 0.5 ? a[i] : b[i];
        if (rci_rng_uniform(r) < p->mutation)
            x[i] = rci_unit(x[i] + p->step * rci_rng_normal(r));
        if (young)
            x[i] = rci_rng_uniform(r);
    }
}

const struct rci_searcher rci_searcher_evolution = {
    .m = {.name = "evolution",
          .summary = "parents that win a tournament, crossed and mutated; the old are forgotten",
          .source = "Real et al., Regularized Evolution, 2019",
          .params_size = sizeof(struct evolution),
          .params = evolution_params,
          .n_params = sizeof(evolution_params) / sizeof(evolution_params[0])},
    .propose = evolution_propose,
};
