/* loss = mean over batch and classes of (z - onehot(y))^2;  dz = 2 (z - onehot(y)) / (n K). */
#include "train/loss.h"

static double mse_value(const void *params, const struct rci_loss_batch *b)
{
    (void) params;
    const double count = (double) b->n * b->classes;
    double total = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        for (uint32_t j = 0; j < b->classes; j++) {
            const size_t k = (size_t) i * b->classes + j;
            const double e = b->logits[k] - rci_loss_target(b, i, j);
            total += e * e;
            if (b->grad)
                b->grad[k] = (float) (2 * e / count);
        }
    }
    return total / count;
}

const struct rci_loss rci_loss_mse = {
    .m = {.name = "mse",
          .summary = "squared distance of the logits to the one-hot label",
          .source = "Hui and Belkin, Evaluation of Neural Architectures Trained with Square Loss, "
                    "ICLR 2021"},
    .value = mse_value,
};
