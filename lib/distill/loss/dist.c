/* L = T^2 (b (1 - mean_i rho(p_i, q_i)) + c (1 - mean_j rho(p_j, q_j))): Pearson's correlation of
 * the student's and the teacher's softmax, by image (rows) and by class (columns). With u, v the
 * centred and normed vectors, d rho / d p = (v - rho u) / |p - mean|. */
#include "distill/loss.h"

#include <math.h>

struct params {
    struct rci_distill_softened soft;
    double inter, intra;
};

static const struct rci_param table[] = {
    RC_DISTILL_SOFTENED(1),
    {"inter", "weight of the correlation over classes (beta)", RC_PARAM_REAL,
     offsetof(struct params, inter), 2, 0, 1000},
    {"intra", "weight of the correlation over images (gamma)", RC_PARAM_REAL,
     offsetof(struct params, intra), 2, 0, 1000},
};

/* `n` elements, `step` apart: adds -factor d rho / d p to g; returns rho, 0 of constant vectors. */
static double correlation(const double *p, const double *q, double *g, uint32_t n, size_t step,
                          double factor)
{
    double mean_p = 0, mean_q = 0, pp = 0, qq = 0, pq = 0;
    for (uint32_t k = 0; k < n; k++) {
        mean_p += p[k * step] / n;
        mean_q += q[k * step] / n;
    }
    for (uint32_t k = 0; k < n; k++) {
        const double a = p[k * step] - mean_p, b = q[k * step] - mean_q;
        pp += a * a;
        qq += b * b;
        pq += a * b;
    }
    if (!(pp > 1e-30 && qq > 1e-30))
        return 0;
    const double norm = sqrt(pp * qq), rho = pq / norm;
    for (uint32_t k = 0; k < n; k++)
        g[k * step] -= factor * ((q[k * step] - mean_q) / norm - rho * (p[k * step] - mean_p) / pp);
    return rho;
}

static void softmax_rows(const struct params *p, const struct rci_loss_batch *b, const float *z,
                         double *out)
{
    for (uint32_t i = 0; i < b->n; i++, z += b->classes, out += b->classes) {
        const struct rci_soft s =
            rci_soft_make(z, b->classes, p->soft.temperature, p->soft.standardize);
        const double sum = rci_log_sum_exp(z, b->classes, s.factor);
        for (uint32_t j = 0; j < b->classes; j++)
            out[j] = exp(z[j] * s.factor - sum);
    }
}

/* d L / d p to d L / d z, row by row. */
static void softmax_back(const struct params *params, const struct rci_loss_batch *b,
                         const double *p, const double *g)
{
    for (uint32_t i = 0; i < b->n; i++, p += b->classes, g += b->classes) {
        const float *z = b->logits + (size_t) i * b->classes;
        float *out = b->grad + (size_t) i * b->classes;
        double mean = 0;
        for (uint32_t j = 0; j < b->classes; j++)
            mean += p[j] * g[j];
        for (uint32_t j = 0; j < b->classes; j++)
            out[j] = (float) (p[j] * (g[j] - mean));
        const struct rci_soft s =
            rci_soft_make(z, b->classes, params->soft.temperature, params->soft.standardize);
        rci_soft_back(&s, z, b->classes, out);
    }
}

static double dist_value(const void *params, const struct rci_loss_batch *b, const float *teacher,
                         double *room)
{
    const struct params *o = params;
    const size_t count = (size_t) b->n * b->classes;
    double *p = room, *q = p + count, *g = q + count, rows = 0, columns = 0;
    const double heat = o->soft.temperature * o->soft.temperature;
    softmax_rows(o, b, b->logits, p);
    softmax_rows(o, b, teacher, q);
    for (size_t k = 0; k < count; k++)
        g[k] = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        const size_t at = (size_t) i * b->classes;
        rows += correlation(p + at, q + at, g + at, b->classes, 1, heat * o->inter / b->n);
    }
    for (uint32_t j = 0; j < b->classes; j++)
        columns += correlation(p + j, q + j, g + j, b->n, b->classes, heat * o->intra / b->classes);
    if (b->grad)
        softmax_back(o, b, p, g);
    return heat * (o->inter * (1 - rows / b->n) + o->intra * (1 - columns / b->classes));
}

static size_t dist_room(uint32_t n, size_t classes)
{
    return 3 * n * classes;
}

const struct rci_distill_loss rci_distill_loss_dist = {
    .m = {.name = "dist",
          .summary = "correlation with the teacher's probabilities, by image and by class",
          .source = "Huang et al., Knowledge Distillation from a Stronger Teacher, NeurIPS 2022",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .value = dist_value,
    .room = dist_room,
};
