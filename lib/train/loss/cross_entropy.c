/* loss = mean_i -sum_j q_ij log softmax(z_i)_j, q = (1 - s) y + s / K;  dz = (p - q) / n.
 */
#include "train/loss.h"

#include <math.h>

struct params {
    double smoothing;
};

static const struct rci_param table[] = {
    {"smoothing", "share of the target spread evenly over all classes", RC_PARAM_REAL,
     offsetof(struct params, smoothing), 0, 0, 0.999},
};

static double cross_entropy_value(const void *params, const struct rci_loss_batch *b)
{
    const double s = ((const struct params *) params)->smoothing;
    const double even = s / b->classes;
    double total = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        const float *z = b->logits + (size_t) i * b->classes;
        const double log_sum = rci_log_sum_exp(z, b->classes, 1);
        total += (1 - s) * rci_loss_hard(b, i, log_sum);
        for (uint32_t j = 0; s > 0 && j < b->classes; j++)
            total += even * (log_sum - z[j]);
        for (uint32_t j = 0; b->grad && j < b->classes; j++) {
            const double q = even + (1 - s) * rci_loss_target(b, i, j);
            b->grad[(size_t) i * b->classes + j] = (float) ((exp(z[j] - log_sum) - q) / b->n);
        }
    }
    return total / b->n;
}

const struct rci_loss rci_loss_cross_entropy = {
    .m = {.name = "cross-entropy",
          .summary = "cross-entropy of the softmax, optionally with smoothed labels",
          .source = "Szegedy et al., Rethinking the Inception Architecture, CVPR 2016 (smoothing)",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .value = cross_entropy_value,
};
