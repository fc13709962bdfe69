/* w *= 1 - rate decay;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
 * w -= rate m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon). */
#include "train/optim.h"

#include <math.h>

struct params {
    double beta1, beta2, epsilon, weight_decay;
    int64_t decay_all;
};

static const struct rci_param table[] = {
    {"beta1", "decay of the mean gradient", RC_PARAM_REAL, offsetof(struct params, beta1), 0.9, 0,
     0.9999},
    {"beta2", "decay of the mean squared gradient", RC_PARAM_REAL, offsetof(struct params, beta2),
     0.999, 0, 0.999999},
    {"epsilon", "added to the root in the denominator", RC_PARAM_REAL,
     offsetof(struct params, epsilon), 1e-8, 1e-16, 1},
    {"weight_decay", "share of a weight lost per step, times the rate", RC_PARAM_REAL,
     offsetof(struct params, weight_decay), 0.01, 0, 1},
    {"decay_all", "decay biases and BatchNormalization too", RC_PARAM_BOOL,
     offsetof(struct params, decay_all), 0, 0, 1},
};

static void adamw_step(const void *params, const struct rci_optim_step *s)
{
    const struct params *p = params;
    const double decay = s->decays || p->decay_all ? p->weight_decay : 0;
    const double beta1 = s->momentum >= 0 ? s->momentum : p->beta1;
    const float shrink = (float) (1 - s->rate * decay);
    const float b1 = (float) beta1, c1 = (float) (1 - beta1);
    const float b2 = (float) p->beta2, c2 = (float) (1 - p->beta2);
    const float rate = (float) (s->rate / (1 - pow(beta1, (double) s->step)));
    const float root = (float) (1 / sqrt(1 - pow(p->beta2, (double) s->step)));
    const float epsilon = (float) p->epsilon;
    float *restrict w = s->w, *restrict m = s->state[0], *restrict v = s->state[1];
    const float *restrict g = s->grad;
    for (size_t i = 0; i < s->n; i++) {
        m[i] = b1 * m[i] + c1 * g[i];
        v[i] = b2 * v[i] + c2 * g[i] * g[i];
        w[i] = w[i] * shrink - rate * m[i] / (sqrtf(v[i]) * root + epsilon);
    }
}

const struct rci_optimizer rci_optimizer_adamw = {
    .m = {.name = "adamw",
          .summary = "Adam with decoupled weight decay",
          .source = "Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 5},
    .n_states = 2,
    .default_rate = 1e-3,
    .step = adamw_step,
};
