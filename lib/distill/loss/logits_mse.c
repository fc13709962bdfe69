/* L = (1 - a) CE(y, z) + a mean over batch and classes of (z - t)^2. */
#include "distill/loss.h"

#include <math.h>

struct params {
    double alpha;
};

static const struct rci_param table[] = {
    {"alpha", "weight of the teacher against the labels", RC_PARAM_REAL,
     offsetof(struct params, alpha), 0.7, 0, 1},
};

static double logits_mse_value(const void *params, const struct rci_loss_batch *b,
                               const float *teacher)
{
    const double a = ((const struct params *) params)->alpha;
    double hard = 0, soft = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        const float *z = b->logits + (size_t) i * b->classes;
        const float *t = teacher + (size_t) i * b->classes;
        const double sum = rci_log_sum_exp(z, b->classes, 1);
        hard += rci_loss_hard(b, i, sum);
        for (uint32_t j = 0; j < b->classes; j++) {
            const double e = (double) z[j] - t[j];
            soft += e * e / b->classes;
            const double by_label = exp(z[j] - sum) - rci_loss_target(b, i, j);
            if (b->grad)
                b->grad[(size_t) i * b->classes + j] =
                    (float) (((1 - a) * by_label + a * 2 * e / b->classes) / b->n);
        }
    }
    return ((1 - a) * hard + a * soft) / b->n;
}

const struct rci_distill_loss rci_distill_loss_logits_mse = {
    .m = {.name = "logits-mse",
          .summary = "labels and the squared distance to the teacher's logits",
          .source = "Ba and Caruana, Do Deep Nets Really Need to be Deep?, NIPS 2014",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .value = logits_mse_value,
};
