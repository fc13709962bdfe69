/* Optimal brain damage with the diagonal of the Fisher information: score of a channel = sum over
 * its weights of w^2 E[(dL/dw)^2], the mean over single images, or over batches (cheaper, and not
 * the same: gradients of images that disagree cancel). */
#include "prune/criterion.h"

static void fisher_score(const void *params, const struct rci_slice *s, double *score)
{
    (void) params;
    for (uint32_t c = 0; c < s->channels; c++) {
        score[c] = 0;
        for (size_t o = 0; o < s->outer; o++)
            for (size_t i = 0; i < s->inner; i++) {
                const size_t k = (o * s->channels + c) * s->inner + i;
                const double change = (double) s->data[k] * (double) s->gradient[k];
                score[c] += change * change;
            }
    }
}

#define SOURCE "LeCun et al., Optimal Brain Damage, NIPS 1989"

const struct rci_criterion rci_criterion_fisher = {
    .m = {.name = "fisher",
          .summary = "sum of w^2 E[(dL/dw)^2] over all coupled weights, gradients of single images",
          .source = SOURCE},
    .reads = RC_SLICE_OUT | RC_SLICE_SCALE | RC_SLICE_IN,
    .needs_data = true,
    .needs_gradient = true,
    .per_image = true,
    .without = "no weights that are trained",
    .score = fisher_score,
};

const struct rci_criterion rci_criterion_fisher_batch = {
    .m = {.name = "fisher-batch",
          .summary = "the same with the mean gradients of batches",
          .source = SOURCE},
    .reads = RC_SLICE_OUT | RC_SLICE_SCALE | RC_SLICE_IN,
    .needs_data = true,
    .needs_gradient = true,
    .without = "no weights that are trained",
    .score = fisher_score,
};
