/* Simulated annealing: a step from the policy that was accepted last; a worse one is accepted with
 * exp(-loss / temperature), the temperature falls by a factor with every trial. Which trials were
 * accepted follows from the trials, so it is told anew each time. */
#include "search/searcher.h"

#include <math.h>
#include <stddef.h>

struct annealing {
    double step, temperature, cooling;
};

static const struct rci_param annealing_params[] = {
    {"step", "deviation of a step in each number at the beginning", RC_PARAM_REAL,
     offsetof(struct annealing, step), 0.25, 0.001, 1},
    {"temperature", "score that may be lost in the beginning", RC_PARAM_REAL,
     offsetof(struct annealing, temperature), 1, 1e-9, 1e9},
    {"cooling", "factor of temperature and step at every trial", RC_PARAM_REAL,
     offsetof(struct annealing, cooling), 0.93, 0.1, 1},
};

static uint32_t annealing_current(const struct annealing *p, const struct rci_trials *t)
{
    uint32_t now = 0;
    for (uint32_t k = 1; k < t->count; k++) {
        struct rci_rng r = rci_rng_make(t->seed, k, 0x616363);
        const double loss = t->score[now] - t->score[k];
        const double temperature = p->temperature * pow(p->cooling, k);
        if (loss <= 0 || rci_rng_uniform(&r) < exp(-loss / temperature))
            now = k;
    }
    return now;
}

static void annealing_propose(const void *params, const struct rci_trials *t, struct rci_rng *r,
                              double *x)
{
    const struct annealing *p = params;
    const double *from = rci_trials_at(t, annealing_current(p, t));
    const double step = fmax(p->step * pow(p->cooling, 0.5 * t->count), 0.02);
    for (uint32_t i = 0; i < t->n; i++)
        x[i] = rci_unit(from[i] + step * rci_rng_normal(r));
}

const struct rci_searcher rci_searcher_annealing = {
    .m = {.name = "annealing",
          .summary = "steps from the last accepted policy, worse ones ever more rarely",
          .source = "Kirkpatrick et al., 1983",
          .params_size = sizeof(struct annealing),
          .params = annealing_params,
          .n_params = sizeof(annealing_params) / sizeof(annealing_params[0])},
    .propose = annealing_propose,
};
