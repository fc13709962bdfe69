/* Network slimming: score of a channel = |gamma| of its BatchNormalization. */
#include "prune/criterion.h"

#include <math.h>

static void bn_scale_score(const void *params, const struct rci_slice *s, double *score)
{
    (void) params;
    for (uint32_t c = 0; c < s->channels; c++)
        score[c] = fabs((double) s->data[c]);
}

const struct rci_criterion rci_criterion_bn_scale = {
    .m = {.name = "bn-scale",
          .summary = "|scale| of the channel's BatchNormalization",
          .source = "Liu et al., Learning Efficient Convolutional Networks through Network "
                    "Slimming, ICCV 2017"},
    .reads = RC_SLICE_SCALE,
    .without = "no BatchNormalization (was it folded?)",
    .score = bn_scale_score,
};
