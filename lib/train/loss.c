/* log sum exp: m + log sum_j exp(z_j - m), m = max z. */
#include "train/loss.h"

#include <math.h>

double rci_log_sum_exp(const float *z, uint32_t n, double factor)
{
    double most = z[0] * factor, sum = 0;
    for (uint32_t j = 1; j < n; j++)
        most = fmax(most, z[j] * factor);
    for (uint32_t j = 0; j < n; j++)
        sum += exp(z[j] * factor - most);
    return most + log(sum);
}

double rci_loss_hard(const struct rci_loss_batch *b, uint32_t i, double log_sum)
{
    const float *z = b->logits + (size_t) i * b->classes;
    double sum = 0;
    if (!b->target)
        return log_sum - z[b->labels[i]];
    for (uint32_t j = 0; j < b->classes; j++)
        sum += rci_loss_target(b, i, j) * (log_sum - z[j]);
    return sum;
}
