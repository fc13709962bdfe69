/* The table of training losses, and log sum exp: m + log sum_j exp(z_j - m), m = max z. */
#include "train/loss.h"

#include <math.h>

extern const struct rci_loss rci_loss_cross_entropy;
extern const struct rci_loss rci_loss_mse;

static const struct rci_method *const losses[] = {
    &rci_loss_cross_entropy.m,
    &rci_loss_mse.m,
};

const struct rci_method_kind rci_kind_loss = {
    .kind = "loss",
    .summary = "what training minimises",
    .table = losses,
    .count = sizeof(losses) / sizeof(losses[0]),
};

double rci_log_sum_exp(const float *z, uint32_t n, double factor)
{
    double most = z[0] * factor, sum = 0;
    for (uint32_t j = 1; j < n; j++)
        most = fmax(most, z[j] * factor);
    for (uint32_t j = 0; j < n; j++)
        sum += exp(z[j] * factor - most);
    return most + log(sum);
}
