/* L = mean over i, j of t_ij log((t_ij + e) / (s_ij + e)), s_ij = k_ij / sum_j k_ij, k = (cos + 1)
 * / 2 of the features of images i and j. */
#include "distill/loss.h"

#include <math.h>

static const struct rci_param table[] = {RC_DISTILL_COMMON(30000)};
static const double tiny = 1e-7;

static double kernel(const double *g, uint32_t n, uint32_t i, uint32_t j)
{
    const double norm = sqrt(g[(size_t) i * n + i] * g[(size_t) j * n + j]);
    return (g[(size_t) i * n + j] / fmax(norm, tiny * tiny) + 1) / 2;
}

static double row_sum(const double *g, uint32_t n, uint32_t i)
{
    double sum = 0;
    for (uint32_t j = 0; j < n; j++)
        sum += kernel(g, n, i, j);
    return sum;
}

/* d L / d k_ij = (d_ij - sum_j d_ij s_ij) / sum_i, d = d L / d s; then by way of the cosine. */
static void pkt_back(uint32_t n, uint32_t i, double sum, const double *student, const double *d,
                     double *grad)
{
    double along = 0;
    for (uint32_t j = 0; j < n; j++)
        along += d[j] * kernel(student, n, i, j) / sum;
    for (uint32_t j = 0; j < n; j++) {
        const size_t ii = (size_t) i * n + i, jj = (size_t) j * n + j, ij = (size_t) i * n + j;
        const double norm = fmax(sqrt(student[ii] * student[jj]), tiny * tiny);
        const double dc = (d[j] - along) / sum / 2, cosine = student[ij] / norm;
        grad[ij] += dc / norm;
        grad[ii] -= dc * cosine / (2 * fmax(student[ii], tiny * tiny));
        grad[jj] -= dc * cosine / (2 * fmax(student[jj], tiny * tiny));
    }
}

static double pkt_relation(const void *params, uint32_t n, const double *student,
                           const double *teacher, double *grad, double *room)
{
    (void) params;
    const double count = (double) n * n;
    double total = 0;
    for (size_t k = 0; grad && k < (size_t) n * n; k++)
        grad[k] = 0;
    for (uint32_t i = 0; i < n; i++) {
        const double sum_s = row_sum(student, n, i), sum_t = row_sum(teacher, n, i);
        for (uint32_t j = 0; j < n; j++) {
            const double s = kernel(student, n, i, j) / sum_s;
            const double t = kernel(teacher, n, i, j) / sum_t;
            total += t * log((t + tiny) / (s + tiny)) / count;
            room[j] = -t / (s + tiny) / count;
        }
        if (grad)
            pkt_back(n, i, sum_s, student, room, grad);
    }
    return total;
}

static size_t pkt_room(uint32_t n, size_t width)
{
    (void) width;
    return n;
}

const struct rci_distill_loss rci_distill_loss_pkt = {
    .m = {.name = "pkt",
          .summary = "how likely images of the batch are neighbours",
          .source =
              "Passalis and Tefas, Learning Deep Representations with Probabilistic Knowledge "
              "Transfer, ECCV 2018",
          .params_size = sizeof(struct rci_distill_common),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .relation = pkt_relation,
    .room = pkt_room,
    .place = RC_HINT_EMBEDDING,
};
