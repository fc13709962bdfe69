/* L = a T^2 KL(softmax(t / T) || softmax(z / T)), mean over the batch; dz = a T (p_T - q_T) / n.
 * The labels keep 1 - a. Both rows of logits may be brought to deviation 1 before. */
#include "distill/loss.h"

#include <math.h>

struct params {
    struct rci_distill_softened soft;
    double alpha;
};

static const struct rci_param table[] = {
    RC_DISTILL_SOFTENED(1),
    {"alpha", "weight of the teacher against the labels", RC_PARAM_REAL,
     offsetof(struct params, alpha), 0.7, 0, 1},
};

/* One image: z student, t teacher, g gradient of the mean over n or NULL; returns the loss. */
static double hinton_row(const struct params *p, const struct rci_loss_batch *b, const float *z,
                         const float *t, float *g)
{
    const double scale = p->alpha * p->soft.temperature * p->soft.temperature;
    const struct rci_soft s =
        rci_soft_make(z, b->classes, p->soft.temperature, p->soft.standardize);
    const struct rci_soft q =
        rci_soft_make(t, b->classes, p->soft.temperature, p->soft.standardize);
    const double sum_s = rci_log_sum_exp(z, b->classes, s.factor);
    const double sum_t = rci_log_sum_exp(t, b->classes, q.factor);
    double kl = 0;
    for (uint32_t j = 0; j < b->classes; j++) {
        const double log_p = z[j] * s.factor - sum_s, log_q = t[j] * q.factor - sum_t;
        kl += exp(log_q) * (log_q - log_p);
        if (g)
            g[j] = (float) (scale * (exp(log_p) - exp(log_q)) / b->n);
    }
    if (g)
        rci_soft_back(&s, z, b->classes, g);
    return scale * kl;
}

static double hinton_value(const void *params, const struct rci_loss_batch *b, const float *teacher,
                           double *room)
{
    (void) room;
    double total = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        const size_t row = (size_t) i * b->classes;
        total +=
            hinton_row(params, b, b->logits + row, teacher + row, b->grad ? b->grad + row : NULL);
    }
    return total / b->n;
}

static double hinton_labels(const void *params)
{
    return 1 - ((const struct params *) params)->alpha;
}

const struct rci_distill_loss rci_distill_loss_hinton = {
    .m = {.name = "hinton",
          .summary = "labels and the teacher's softened distribution",
          .source =
              "Hinton et al., Distilling the Knowledge in a Neural Network, 2015; Sun et al., "
              "Logit Standardization, CVPR 2024",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .value = hinton_value,
    .labels = hinton_labels,
};
