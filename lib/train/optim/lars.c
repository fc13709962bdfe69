/* d = t (g + decay w), t = trust |w| / (|g| + decay |w|) of each layer;
 * v = momentum v + d;  w -= rate (nesterov ? d + momentum v : v). Vectors take t = 1. */
#include "train/optim.h"

struct params {
    double momentum, weight_decay, trust;
    int64_t nesterov;
};

static const struct rci_param table[] = {
    {"momentum", "share of the last step that is kept", RC_PARAM_REAL,
     offsetof(struct params, momentum), 0.9, 0, 0.9999},
    {"weight_decay", "L2 penalty added to the gradient, not of vectors", RC_PARAM_REAL,
     offsetof(struct params, weight_decay), 5e-4, 0, 1},
    {"trust", "a step is this share of a layer's norm, times the rate", RC_PARAM_REAL,
     offsetof(struct params, trust), 0.001, 1e-6, 1},
    {"nesterov", "look ahead along the momentum", RC_PARAM_BOOL, offsetof(struct params, nesterov),
     0, 0, 1},
};

static double lars_decay(const struct params *p, bool decays)
{
    return decays ? p->weight_decay : 0;
}

static void lars_direct(const void *params, const struct rci_optim_step *s)
{
    const float decay = (float) lars_decay(params, s->decays);
    for (size_t i = 0; i < s->n; i++)
        s->direction[i] = s->grad[i] + decay * s->w[i];
}

static double lars_trust(const void *params, const struct rci_optim_norms *n)
{
    const struct params *p = params;
    if (!n->decays || !(n->weights > 0) || !(n->gradient > 0))
        return 1;
    return p->trust * n->weights / (n->gradient + lars_decay(p, n->decays) * n->weights);
}

static void lars_step(const void *params, const struct rci_optim_step *s)
{
    const struct params *p = params;
    const float momentum = (float) (s->momentum >= 0 ? s->momentum : p->momentum);
    const float rate = (float) s->rate, trust = (float) s->trust;
    const float keep = p->nesterov ? 1 : 0, last = p->nesterov ? momentum : 1;
    float *restrict w = s->w, *restrict v = s->state[0];
    for (size_t i = 0; i < s->n; i++) {
        const float d = trust * s->direction[i];
        v[i] = momentum * v[i] + d;
        w[i] -= rate * (keep * d + last * v[i]);
    }
}

const struct rci_optimizer rci_optimizer_lars = {
    .m = {.name = "lars",
          .summary = "momentum with a rate for each layer, for large batches",
          .source = "You et al., Large Batch Training of Convolutional Networks, 2017",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 4},
    .n_states = 1,
    .default_rate = 10,
    .step = lars_step,
    .direct = lars_direct,
    .trust = lars_trust,
};
