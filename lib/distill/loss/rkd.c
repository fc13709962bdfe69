/* L = a mean_ij h(d(S) - d(T)) + b mean_ijk h(cos(S) - cos(T)): d_ij the distance of images i and j
 * over the mean distance, cos_ijk the angle at i between j and k, h smooth L1. All from the Gram
 * matrix: d_ij^2 = G_ii + G_jj - 2 G_ij, cos_ijk = (G_jk - G_ij - G_ik + G_ii) / (d_ij d_ik). */
#include "distill/loss.h"

#include <math.h>

struct params {
    struct rci_distill_common common;
    double distance, angle;
};

static const struct rci_param table[] = {
    RC_DISTILL_COMMON(1),
    {"distance", "weight of the distances", RC_PARAM_REAL, offsetof(struct params, distance), 25, 0,
     1e6},
    {"angle", "weight of the angles", RC_PARAM_REAL, offsetof(struct params, angle), 50, 0, 1e6},
};

static double huber(double e)
{
    return fabs(e) < 1 ? e * e / 2 : fabs(e) - 0.5;
}

static double huber_slope(double e)
{
    return e > 1 ? 1 : e < -1 ? -1 : e;
}

/* d [n, n], 0 for images that are the same. */
static double distances(const double *g, uint32_t n, double *d)
{
    double sum = 0, count = 0;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            const double both = g[(size_t) i * n + i] + g[(size_t) j * n + j];
            const double square = both - 2 * g[(size_t) i * n + j];
            const double v = i != j && square > 1e-14 * both ? sqrt(square) : 0;
            d[(size_t) i * n + j] = v;
            sum += v;
            count += v > 0;
        }
    return count > 0 ? sum / count : 1;
}

/* d L / d d_ij to d L / d G. */
static void distance_back(uint32_t n, const double *d, const double *by, double *grad)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            const size_t ij = (size_t) i * n + j;
            if (d[ij] == 0)
                continue;
            grad[(size_t) i * n + i] += by[ij] / (2 * d[ij]);
            grad[(size_t) j * n + j] += by[ij] / (2 * d[ij]);
            grad[ij] -= by[ij] / d[ij];
        }
}

static double distance_part(uint32_t n, double weight, const double *s, const double *t,
                            const double mean[2], double *by)
{
    const size_t all = (size_t) n * n;
    double total = 0, along = 0, count = 0;
    for (size_t k = 0; k < all; k++) {
        const double e = s[k] / mean[0] - t[k] / mean[1];
        const double slope = weight * huber_slope(e) / (double) all;
        total += weight * huber(e) / (double) all;
        by[k] += slope / mean[0];
        along += slope * s[k];
        count += s[k] > 0;
    }
    for (size_t k = 0; count > 0 && k < all; k++)
        by[k] -= s[k] > 0 ? along / (mean[0] * mean[0] * count) : 0;
    return total;
}

static double cosine_at(const double *g, const double *d, uint32_t n, const uint32_t v[3])
{
    const size_t row = (size_t) v[0] * n;
    const double sides = d[row + v[1]] * d[row + v[2]];
    return sides > 0
               ? (g[(size_t) v[1] * n + v[2]] - g[row + v[1]] - g[row + v[2]] + g[row + v[0]]) /
                     sides
               : 0;
}

/* The angles at image i; j and k in any order are the same. */
static double angles_at(uint32_t n, uint32_t i, double weight, const double *const g[2],
                        const double *const d[2], double *by, double *grad)
{
    const size_t row = (size_t) i * n;
    double total = 0;
    for (uint32_t j = 0; j < n; j++)
        for (uint32_t k = 0; k < j; k++) {
            const uint32_t v[3] = {i, j, k};
            const double cosine = cosine_at(g[0], d[0], n, v);
            const double e = cosine - cosine_at(g[1], d[1], n, v);
            const double dj = d[0][row + j], dk = d[0][row + k];
            total += 2 * weight * huber(e);
            if (!grad || !(dj > 0 && dk > 0))
                continue;
            const double slope = 2 * weight * huber_slope(e), each = slope / (dj * dk);
            grad[(size_t) j * n + k] += each;
            grad[row + j] -= each;
            grad[row + k] -= each;
            grad[row + i] += each;
            by[row + j] -= slope * cosine / dj;
            by[row + k] -= slope * cosine / dk;
        }
    return total;
}

static double rkd_relation(const void *params, uint32_t n, const double *student,
                           const double *teacher, double *grad, double *room)
{
    const struct params *p = params;
    const size_t all = (size_t) n * n;
    double *s = room, *t = room + all, *by = room + 2 * all;
    const double mean[2] = {distances(student, n, s), distances(teacher, n, t)};
    const double *const g[2] = {student, teacher}, *const d[2] = {s, t};
    for (size_t k = 0; k < all; k++)
        by[k] = 0;
    for (size_t k = 0; grad && k < all; k++)
        grad[k] = 0;
    double total = distance_part(n, p->distance, s, t, mean, by);
    for (uint32_t i = 0; p->angle > 0 && i < n; i++)
        total += angles_at(n, i, p->angle / ((double) all * n), g, d, by, grad);
    if (grad)
        distance_back(n, s, by, grad);
    return total;
}

static size_t rkd_room(uint32_t n, size_t width)
{
    (void) width;
    return 3 * (size_t) n * n;
}

const struct rci_distill_loss rci_distill_loss_rkd = {
    .m = {.name = "rkd",
          .summary = "distances and angles between the images of the batch",
          .source = "Park et al., Relational Knowledge Distillation, CVPR 2019",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .relation = rkd_relation,
    .room = rkd_room,
    .place = RC_HINT_EMBEDDING,
};
