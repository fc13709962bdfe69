/* u = sign(b1 m + (1 - b1) g);  w -= rate (u + decay w);  m = b2 m + (1 - b2) g. */
#include "train/optim.h"

struct params {
    double beta1, beta2, weight_decay;
    int64_t decay_all;
};

static const struct rci_param table[] = {
    {"beta1", "share of the mean gradient in the sign", RC_PARAM_REAL,
     offsetof(struct params, beta1), 0.9, 0, 0.9999},
    {"beta2", "decay of the mean gradient", RC_PARAM_REAL, offsetof(struct params, beta2), 0.99, 0,
     0.9999},
    {"weight_decay", "share of a weight lost per step, times the rate", RC_PARAM_REAL,
     offsetof(struct params, weight_decay), 0.1, 0, 10},
    {"decay_all", "decay biases and BatchNormalization too", RC_PARAM_BOOL,
     offsetof(struct params, decay_all), 0, 0, 1},
};

static void lion_step(const void *params, const struct rci_optim_step *s)
{
    const struct params *p = params;
    const float decay = s->decays || p->decay_all ? (float) p->weight_decay : 0;
    const float ahead = (float) (s->momentum >= 0 ? s->momentum : p->beta1);
    const float keep = (float) p->beta2, rate = (float) s->rate;
    float *restrict w = s->w, *restrict m = s->state[0];
    const float *restrict g = s->grad;
    for (size_t i = 0; i < s->n; i++) {
        const float u = ahead * m[i] + (1 - ahead) * g[i];
        const float sign = (float) (u > 0) - (float) (u < 0);
        w[i] -= rate * (sign + decay * w[i]);
        m[i] = keep * m[i] + (1 - keep) * g[i];
    }
}

const struct rci_optimizer rci_optimizer_lion = {
    .m = {.name = "lion",
          .summary = "steps of one size along the sign of a mean gradient",
          .source = "Chen et al., Symbolic Discovery of Optimization Algorithms, NeurIPS 2023",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 4},
    .n_states = 1,
    .default_rate = 1e-4,
    .step = lion_step,
};
