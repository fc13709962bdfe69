/* w -= rate sign(g). */
#include "outside.h"
#include "train/optim.h"

static void outside_step(const void *params, const struct rci_optim_step *s)
{
    (void) params;
#pragma omp atomic
    outside_calls[OUTSIDE_OPTIMIZER]++;
    for (size_t i = 0; i < s->n; i++)
        s->w[i] -= (float) s->rate * (s->grad[i] > 0 ? 1.0f : s->grad[i] < 0 ? -1.0f : 0.0f);
}

const struct rci_optimizer rci_optimizer_outside = {
    .m = {.name = "outside", .summary = "the sign of the gradient", .source = ""},
    .default_rate = 0.001,
    .step = outside_step,
};
