/* L = -mean of the label's logit. */
#include "train/loss.h"
#include "outside.h"

static double outside_value(const void *params, const struct rci_loss_batch *b)
{
    (void) params;
    double sum = 0;
    outside_calls[OUTSIDE_LOSS]++;
    for (uint32_t i = 0; i < b->n; i++)
        for (uint32_t j = 0; j < b->classes; j++) {
            const size_t k = (size_t) i * b->classes + j;
            const bool label = b->labels[i] == (int32_t) j;
            sum -= label ? (double) b->logits[k] : 0;
            if (b->grad)
                b->grad[k] = label ? -1 / (float) b->n : 0;
        }
    return sum / b->n;
}

const struct rci_loss rci_loss_outside = {
    .m = {.name = "outside", .summary = "minus the label's logit", .source = ""},
    .value = outside_value,
};
