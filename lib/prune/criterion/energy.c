/* Energy: score of a channel = mean of x^2 over data and positions, as its readers see it. */
#include "prune/criterion.h"

static void energy_map(const void *params, const struct rci_map *m, double *score)
{
    const size_t n = m->height * m->width;
    (void) params;
    for (uint32_t c = 0; c < m->channels; c++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (double) m->data[c * n + i] * (double) m->data[c * n + i];
        score[c] = sum / (double) n;
    }
}

const struct rci_criterion rci_criterion_energy = {
    .m = {.name = "energy", .summary = "mean squared activation over data", .source = ""},
    .reads = RC_SLICE_IN,
    .needs_data = true,
    .without = "no layer that reads it",
    .map = energy_map,
};
