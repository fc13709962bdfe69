/* m, v as in Adam;  d = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon) + decay w;
 * w -= rate |w| / |d| d of each layer. Vectors take the ratio 1 and do not decay. */
#include "train/optim.h"

#include <math.h>

struct params {
    double beta1, beta2, epsilon, weight_decay;
};

static const struct rci_param table[] = {
    {"beta1", "decay of the mean gradient", RC_PARAM_REAL, offsetof(struct params, beta1), 0.9, 0,
     0.9999},
    {"beta2", "decay of the mean squared gradient", RC_PARAM_REAL, offsetof(struct params, beta2),
     0.999, 0, 0.999999},
    {"epsilon", "added to the root in the denominator", RC_PARAM_REAL,
     offsetof(struct params, epsilon), 1e-6, 1e-16, 1},
    {"weight_decay", "share of the weights in the direction, not of vectors", RC_PARAM_REAL,
     offsetof(struct params, weight_decay), 0.01, 0, 1},
};

static void lamb_direct(const void *params, const struct rci_optim_step *s)
{
    const struct params *p = params;
    const double beta1 = s->momentum >= 0 ? s->momentum : p->beta1;
    const float decay = s->decays ? (float) p->weight_decay : 0;
    const float b1 = (float) beta1, b2 = (float) p->beta2;
    const float first = (float) (1 / (1 - pow(beta1, (double) s->step)));
    const float second = (float) (1 / (1 - pow(p->beta2, (double) s->step)));
    const float epsilon = (float) p->epsilon;
    float *restrict m = s->state[0], *restrict v = s->state[1];
    for (size_t i = 0; i < s->n; i++) {
        const float g = s->grad[i];
        m[i] = b1 * m[i] + (1 - b1) * g;
        v[i] = b2 * v[i] + (1 - b2) * g * g;
        s->direction[i] = m[i] * first / (sqrtf(v[i] * second) + epsilon) + decay * s->w[i];
    }
}

static double lamb_trust(const void *params, const struct rci_optim_norms *n)
{
    (void) params;
    return n->decays && n->weights > 0 && n->direction > 0 ? n->weights / n->direction : 1;
}

static void lamb_step(const void *params, const struct rci_optim_step *s)
{
    (void) params;
    const float rate = (float) (s->rate * s->trust);
    for (size_t i = 0; i < s->n; i++)
        s->w[i] -= rate * s->direction[i];
}

const struct rci_optimizer rci_optimizer_lamb = {
    .m = {.name = "lamb",
          .summary = "Adam with a rate for each layer, for large batches",
          .source = "You et al., Large Batch Optimization for Deep Learning, ICLR 2020",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 4},
    .n_states = 2,
    .default_rate = 0.005,
    .step = lamb_step,
    .direct = lamb_direct,
    .trust = lamb_trust,
};
