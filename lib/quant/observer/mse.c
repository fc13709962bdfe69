/* amax = bin centre a that minimises  sum_k count[k] * (q(c_k) - c_k)^2,
 * q(c) = s * min(round(c / s), top), s = a / top, c_k the bin centres. */
#include "quant/observer.h"

#include <math.h>

enum { FIRST_BIN = 128 };

static double clip_error(const struct rci_histogram *h, double a, uint32_t top)
{
    const double s = a / top, inverse = top / a;
    double error = 0;
    for (uint32_t k = 0; k < h->n; k++) {
        if (!h->count[k])
            continue;
        const double c = (k + 0.5) * h->width;
        const double d = fmin(rint(c * inverse), top) * s - c;
        error += (double) h->count[k] * d * d;
    }
    return error;
}

static rc_status mse_clip(const void *params, const struct rci_observation *o, uint32_t top,
                          double *amax)
{
    (void) params;
    const struct rci_histogram *h = &o->h;
    const uint32_t step = (h->n + RC_HISTOGRAM_BINS - 1) / RC_HISTOGRAM_BINS;
    double best = INFINITY;
    *amax = h->width * h->n;
    for (uint32_t i = FIRST_BIN; i < h->n; i += step) {
        const double a = (i + 0.5) * h->width, error = clip_error(h, a, top);
        if (error < best) {
            best = error;
            *amax = a;
        }
    }
    return RC_OK;
}

const struct rci_observer rci_observer_mse = {
    .m = {.name = "mse",
          .summary = "threshold with the least squared rounding and clipping error",
          .source = "Wu et al., Integer Quantization for Deep Learning Inference, 2020"},
    .histogram = true,
    .clip = mse_clip,
};
