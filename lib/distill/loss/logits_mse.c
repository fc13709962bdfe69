/* L = a mean over batch and classes of (z - t)^2; the labels keep 1 - a. */
#include "distill/loss.h"

struct params {
    struct rci_distill_common common;
    double alpha;
};

static const struct rci_param table[] = {
    RC_DISTILL_COMMON(1),
    {"alpha", "weight of the teacher against the labels", RC_PARAM_REAL,
     offsetof(struct params, alpha), 0.7, 0, 1},
};

static double logits_mse_value(const void *params, const struct rci_loss_batch *b,
                               const float *teacher, double *room)
{
    (void) room;
    const size_t count = (size_t) b->n * b->classes;
    const double each = ((const struct params *) params)->alpha / (double) count;
    double soft = 0;
    for (size_t k = 0; k < count; k++) {
        const double e = (double) b->logits[k] - teacher[k];
        soft += e * e;
        if (b->grad)
            b->grad[k] = (float) (2 * each * e);
    }
    return each * soft;
}

static double logits_mse_labels(const void *params)
{
    return 1 - ((const struct params *) params)->alpha;
}

const struct rci_distill_loss rci_distill_loss_logits_mse = {
    .m = {.name = "logits-mse",
          .summary = "labels and the squared distance to the teacher's logits",
          .source = "Ba and Caruana, Do Deep Nets Really Need to be Deep?, NIPS 2014",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .value = logits_mse_value,
    .labels = logits_mse_labels,
};
