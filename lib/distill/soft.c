/* v = z / (T s), s^2 = sum (z - mean)^2 / (K - 1):
 * dL/dz = (g - (z - mean) sum(g z) / ((K - 1) s^2)) / (T s). */
#include "distill/loss.h"

#include <math.h>

struct rci_soft rci_soft_make(const float *z, uint32_t n, double temperature, bool standardize)
{
    struct rci_soft s = {.factor = 1 / temperature};
    if (!standardize || n < 2)
        return s;
    double squares = 0;
    for (uint32_t j = 0; j < n; j++)
        s.mean += z[j] / (double) n;
    for (uint32_t j = 0; j < n; j++)
        squares += (z[j] - s.mean) * (z[j] - s.mean);
    s.deviation = sqrt(squares / (n - 1)) + 1e-7; /* equal logits are all 0 */
    s.factor /= s.deviation;
    return s;
}

void rci_soft_back(const struct rci_soft *s, const float *z, uint32_t n, float *g)
{
    double along = 0;
    if (s->deviation > 0) {
        for (uint32_t j = 0; j < n; j++)
            along += g[j] * (z[j] - s->mean);
        along /= (n - 1) * s->deviation * s->deviation;
    }
    for (uint32_t j = 0; j < n; j++)
        g[j] = (float) (s->factor * (g[j] - along * (z[j] - s->mean)));
}
