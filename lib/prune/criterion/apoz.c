/* Average percentage of zeros: score of a channel = 1 - that, the share of positions where it is
 * not zero. */
#include "prune/criterion.h"

static void apoz_map(const void *params, const struct rci_map *m, double *score)
{
    const size_t n = m->height * m->width;
    (void) params;
    for (uint32_t c = 0; c < m->channels; c++) {
        size_t live = 0;
        for (size_t i = 0; i < n; i++)
            live += m->data[c * n + i] != 0;
        score[c] = (double) live / (double) n;
    }
}

const struct rci_criterion rci_criterion_apoz = {
    .m = {.name = "apoz",
          .summary = "share of positions where the channel is not zero",
          .source = "Hu et al., Network Trimming, 2016"},
    .reads = RC_SLICE_IN,
    .needs_data = true,
    .without = "no layer that reads it",
    .map = apoz_map,
};
