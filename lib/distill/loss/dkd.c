/* L = T^2 (a KL(b_t || b_s) + b KL(q^ || p^)): b = (p_y, 1 - p_y) of the label y, p^ the softmax
 * over all other classes, both at temperature T. dz_y = a T (p_y - q_y); dz_j = -a T (p_y - q_y)
 * p^_j + b T (p^_j - q^_j). Mixed images: the mean over their labels by share. */
#include "distill/loss.h"

#include <math.h>
#include <string.h>

struct params {
    struct rci_distill_softened soft;
    double tckd, nckd;
};

static const struct rci_param table[] = {
    RC_DISTILL_SOFTENED(1),
    {"tckd", "weight of the label against the rest (alpha)", RC_PARAM_REAL,
     offsetof(struct params, tckd), 1, 0, 1000},
    {"nckd", "weight of the other classes among themselves (beta)", RC_PARAM_REAL,
     offsetof(struct params, nckd), 2, 0, 1000},
};

/* log sum exp over all classes but y */
static double log_sum_others(const float *z, uint32_t n, double factor, uint32_t y)
{
    double most = -INFINITY, sum = 0;
    for (uint32_t j = 0; j < n; j++)
        most = j == y ? most : fmax(most, z[j] * factor);
    for (uint32_t j = 0; j < n; j++)
        sum += j == y ? 0 : exp(z[j] * factor - most);
    return most + log(sum);
}

struct side {
    const float *z;
    double factor, all, others; /* log sum exp */
};

static struct side side_of(const float *z, uint32_t n, double factor, uint32_t y)
{
    return (struct side){z, factor, rci_log_sum_exp(z, n, factor), log_sum_others(z, n, factor, y)};
}

/* One image and label, of weight `share`; g gets d L / d (z factor) added. */
static double dkd_label(const struct params *p, uint32_t n, uint32_t y, const struct side *s,
                        const struct side *t, double share, float *g)
{
    const double heat = p->soft.temperature * p->soft.temperature * share;
    const double log_ps = s->z[y] * s->factor - s->all, log_pt = t->z[y] * t->factor - t->all;
    const double rest_s = s->others - s->all, rest_t = t->others - t->all;
    const double tckd = exp(log_pt) * (log_pt - log_ps) + exp(rest_t) * (rest_t - rest_s);
    const double gap = exp(log_ps) - exp(log_pt);
    double nckd = 0;
    for (uint32_t j = 0; j < n; j++) {
        const double log_p = s->z[j] * s->factor - s->others;
        const double log_q = t->z[j] * t->factor - t->others;
        if (j != y)
            nckd += exp(log_q) * (log_q - log_p);
        if (g && j == y)
            g[j] += (float) (heat * p->tckd * gap);
        else if (g)
            g[j] +=
                (float) (heat * (p->nckd * (exp(log_p) - exp(log_q)) - p->tckd * gap * exp(log_p)));
    }
    return heat * (p->tckd * tckd + p->nckd * nckd);
}

static double dkd_row(const struct params *p, const struct rci_loss_batch *b, uint32_t i,
                      const float *t, float *g)
{
    const float *z = b->logits + (size_t) i * b->classes;
    const struct rci_soft soft =
        rci_soft_make(z, b->classes, p->soft.temperature, p->soft.standardize);
    const struct rci_soft hard =
        rci_soft_make(t, b->classes, p->soft.temperature, p->soft.standardize);
    double total = 0;
    if (g)
        memset(g, 0, b->classes * sizeof(*g));
    for (uint32_t y = 0; y < b->classes; y++) {
        const double share = rci_loss_target(b, i, y);
        if (share <= 0)
            continue;
        const struct side s = side_of(z, b->classes, soft.factor, y);
        const struct side q = side_of(t, b->classes, hard.factor, y);
        total += dkd_label(p, b->classes, y, &s, &q, share / b->n, g);
    }
    if (g)
        rci_soft_back(&soft, z, b->classes, g);
    return total;
}

static double dkd_value(const void *params, const struct rci_loss_batch *b, const float *teacher,
                        double *room)
{
    (void) room;
    double total = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        const size_t row = (size_t) i * b->classes;
        total += dkd_row(params, b, i, teacher + row, b->grad ? b->grad + row : NULL);
    }
    return total;
}

const struct rci_distill_loss rci_distill_loss_dkd = {
    .m = {.name = "dkd",
          .summary = "the label's and the other classes' part of the divergence, decoupled",
          .source = "Zhao et al., Decoupled Knowledge Distillation, CVPR 2022",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .value = dkd_value,
};
