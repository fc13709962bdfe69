/* d = g + decay w;  v = momentum v + d;  w -= rate (nesterov ? d + momentum v : v). */
#include "train/optim.h"

struct params {
    double momentum, weight_decay;
    int64_t nesterov, decay_all;
};

static const struct rci_param table[] = {
    {"momentum", "share of the last step that is kept", RC_PARAM_REAL,
     offsetof(struct params, momentum), 0.9, 0, 0.9999},
    {"weight_decay", "L2 penalty added to the gradient", RC_PARAM_REAL,
     offsetof(struct params, weight_decay), 5e-4, 0, 1},
    {"nesterov", "look ahead along the momentum", RC_PARAM_BOOL, offsetof(struct params, nesterov),
     0, 0, 1},
    {"decay_all", "decay biases and BatchNormalization too", RC_PARAM_BOOL,
     offsetof(struct params, decay_all), 0, 0, 1},
};

static void sgd_step(const void *params, const struct rci_optim_step *s)
{
    const struct params *p = params;
    const float decay = s->decays || p->decay_all ? (float) p->weight_decay : 0;
    const float momentum = (float) (s->momentum >= 0 ? s->momentum : p->momentum);
    const float rate = (float) s->rate;
    const float ahead = p->nesterov ? momentum : 0; /* step = keep d + ahead v */
    const float keep = p->nesterov ? 1 : 0, last = p->nesterov ? ahead : 1;
    float *restrict w = s->w, *restrict v = s->state[0];
    const float *restrict g = s->grad;
    for (size_t i = 0; i < s->n; i++) {
        const float d = g[i] + decay * w[i];
        v[i] = momentum * v[i] + d;
        w[i] -= rate * (keep * d + last * v[i]);
    }
}

const struct rci_optimizer rci_optimizer_sgd = {
    .m = {.name = "sgd",
          .summary = "stochastic gradient descent with momentum",
          .source = "Sutskever et al., On the Importance of Initialization and Momentum, ICML 2013",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 4},
    .n_states = 1,
    .default_rate = 0.1,
    .step = sgd_step,
};
