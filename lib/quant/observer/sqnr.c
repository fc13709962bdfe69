/* amax = bin edge a with the largest ratio of signal to noise
 *   sum_k count[k] c_k^2 / (R + clipping * C),
 * R: squared error of the bins up to a, rounded at random within a step s = a / top (s^2 / 12
 * each), C: squared error of those beyond. The model of rounding, unlike mse's sum over the very
 * grid, does not follow single bins. With clipping 3 it is the cost of AIMET's "enhanced" scheme.
 */
#include "quant/observer.h"

#include <math.h>

struct params {
    double clipping;
};

static const struct rci_param table[] = {
    {"clipping", "weight of the error by clipping", RC_PARAM_REAL,
     offsetof(struct params, clipping), 1, 0.1, 100},
};

/* With sums over bins from the end: count, count * c, count * c^2 of what lies beyond a candidate.
 */
static rc_status sqnr_clip(const void *params, const struct rci_observation *o, uint32_t top,
                           double *amax)
{
    const struct rci_histogram *h = &o->h;
    const double clipping = ((const struct params *) params)->clipping;
    double total = 0, beyond[3] = {0}, best = INFINITY;
    for (uint32_t k = 0; k < h->n; k++)
        total += (double) h->count[k];
    *amax = h->width * h->n;
    for (uint32_t k = h->n; k > 0; k--) { /* the range of k bins */
        const double a = k * h->width, s = a / top;
        const double clipped = beyond[2] - 2 * a * beyond[1] + a * a * beyond[0];
        const double noise = (total - beyond[0]) * s * s / 12 + clipping * clipped;
        if (noise < best) {
            best = noise;
            *amax = a;
        }
        const double c = (k - 0.5) * h->width, n = (double) h->count[k - 1];
        beyond[0] += n;
        beyond[1] += n * c;
        beyond[2] += n * c * c;
    }
    return RC_OK;
}

const struct rci_observer rci_observer_sqnr = {
    .m = {.name = "sqnr",
          .summary = "threshold with the largest ratio of signal to quantization noise",
          .source = "Widrow et al., Statistical Theory of Quantization, 1996",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .histogram = true,
    .clip = sqnr_clip,
};
