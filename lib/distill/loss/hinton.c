/* L = (1 - a) CE(y, z) + a T^2 KL(softmax(t / T) || softmax(z / T)), mean over the batch;
 * dz = ((1 - a) (p - onehot(y)) + a T (p_T - q_T)) / n. */
#include "distill/loss.h"

#include <math.h>

struct params {
    double temperature, alpha;
};

static const struct rci_param table[] = {
    {"temperature", "softens both distributions", RC_PARAM_REAL,
     offsetof(struct params, temperature), 4, 0.1, 100},
    {"alpha", "weight of the teacher against the labels", RC_PARAM_REAL,
     offsetof(struct params, alpha), 0.7, 0, 1},
};

/* Image i: t teacher, g gradient or NULL; returns the loss. */
static double hinton_row(const struct params *p, const struct rci_loss_batch *b, uint32_t i,
                         const float *t, float *g)
{
    const float *z = b->logits + (size_t) i * b->classes;
    const double a = p->alpha, heat = p->temperature, cool = 1 / heat;
    const double sum_1 = rci_log_sum_exp(z, b->classes, 1);
    const double sum_s = rci_log_sum_exp(z, b->classes, cool);
    const double sum_t = rci_log_sum_exp(t, b->classes, cool);
    double kl = 0;
    for (uint32_t j = 0; j < b->classes; j++) {
        const double log_p = z[j] * cool - sum_s, log_q = t[j] * cool - sum_t;
        const double q = exp(log_q);
        kl += q * (log_q - log_p);
        if (g) {
            const double hard = exp(z[j] - sum_1) - rci_loss_target(b, i, j);
            g[j] = (float) (((1 - a) * hard + a * heat * (exp(log_p) - q)) / b->n);
        }
    }
    return (1 - a) * rci_loss_hard(b, i, sum_1) + a * heat * heat * kl;
}

static double hinton_value(const void *params, const struct rci_loss_batch *b, const float *teacher)
{
    double total = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        const size_t row = (size_t) i * b->classes;
        total += hinton_row(params, b, i, teacher + row, b->grad ? b->grad + row : NULL);
    }
    return total / b->n;
}

const struct rci_distill_loss rci_distill_loss_hinton = {
    .m = {.name = "hinton",
          .summary = "labels and the teacher's softened distribution",
          .source = "Hinton et al., Distilling the Knowledge in a Neural Network, 2015",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 2},
    .value = hinton_value,
};
