/* L = sum over i, j of (r(S)_ij - r(T)_ij)^2 / n^2, r the rows of the Gram matrix of the features,
 * each divided by its norm. */
#include "distill/loss.h"

#include <math.h>

static const struct rci_param table[] = {RC_DISTILL_COMMON(3000)};

static double row_norm(const double *g, uint32_t n)
{
    double sum = 0;
    for (uint32_t j = 0; j < n; j++)
        sum += g[j] * g[j];
    return fmax(sqrt(sum), 1e-12);
}

static double sp_relation(const void *params, uint32_t n, const double *student,
                          const double *teacher, double *grad, double *room)
{
    (void) params, (void) room;
    const double count = (double) n * n;
    double total = 0;
    for (uint32_t i = 0; i < n; i++) {
        const double *s = student + (size_t) i * n, *t = teacher + (size_t) i * n;
        const double norm_s = row_norm(s, n), norm_t = row_norm(t, n);
        double along = 0;
        for (uint32_t j = 0; j < n; j++) {
            const double e = s[j] / norm_s - t[j] / norm_t;
            total += e * e / count;
            along += 2 * e / count * s[j] / norm_s;
        }
        for (uint32_t j = 0; grad && j < n; j++) {
            const double e = s[j] / norm_s - t[j] / norm_t;
            grad[(size_t) i * n + j] = (2 * e / count - s[j] / norm_s * along) / norm_s;
        }
    }
    return total;
}

const struct rci_distill_loss rci_distill_loss_sp = {
    .m = {.name = "sp",
          .summary = "which images of the batch look alike",
          .source = "Tung and Mori, Similarity-Preserving Knowledge Distillation, ICCV 2019",
          .params_size = sizeof(struct rci_distill_common),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .relation = sp_relation,
    .place = RC_HINT_LAST,
};
