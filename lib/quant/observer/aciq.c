/* The threshold that is best for a distribution whose width is measured: clipping and rounding
 * errors add up to, with L positive levels (128 for s8, 256 for u8), Laplace, b = E|x|:      2 b^2
 * e^(-a/b) + a^2 / (12 L^2),  least where t e^t = 12 L^2, t = a / b Gauss, sigma^2 = E x^2: least
 * where t erfc(t / sqrt 2) - sqrt(2/pi) e^(-t^2/2) + t / (12 L^2) = 0, t = a / sigma For 4 bits t
 * is 5.03 and 2.55, for 8 bits 9.89 and 3.92. Bin 0 takes the count of bin 1, so that the zeros of
 * a ReLU do not make the distribution narrow. */
#include "quant/observer.h"

#include <math.h>

/* E|x|^p over the histogram. */
static double moment(const struct rci_histogram *h, int p)
{
    double sum = 0, total = 0;
    for (uint32_t k = 0; k < h->n; k++) {
        const double c = (k + 0.5) * h->width, n = (double) h->count[k == 0 && h->n > 1 ? 1 : k];
        total += n;
        sum += n * (p == 1 ? c : c * c);
    }
    return total > 0 ? sum / total : 0;
}

static double laplace_slope(double t, double levels)
{
    return t * exp(t) - 12 * levels * levels;
}

static double gauss_slope(double t, double levels)
{
    return t * erfc(t * 0.70710678118654752) - 0.79788456080286536 * exp(-t * t / 2) +
           t / (12 * levels * levels);
}

/* Zero of a slope that grows from below zero, by bisection. */
static double bisect(double (*slope)(double t, double levels), double levels)
{
    double low = 0, high = 32;
    for (int i = 0; i < 60; i++) {
        const double t = (low + high) / 2;
        if (slope(t, levels) < 0)
            low = t;
        else
            high = t;
    }
    return (low + high) / 2;
}

/* Never beyond what was seen. */
static rc_status settle(const struct rci_observation *o, double a, double *amax)
{
    const double range = fmax(fabs(o->low), fabs(o->high));
    *amax = a > 0 && a < range ? a : range;
    return RC_OK;
}

static rc_status laplace_clip(const void *params, const struct rci_observation *o, uint32_t top,
                              double *amax)
{
    (void) params;
    return settle(o, moment(&o->h, 1) * bisect(laplace_slope, top + 1.0), amax);
}

static rc_status gauss_clip(const void *params, const struct rci_observation *o, uint32_t top,
                            double *amax)
{
    (void) params;
    return settle(o, sqrt(moment(&o->h, 2)) * bisect(gauss_slope, top + 1.0), amax);
}

#define SOURCE                                                                             \
    "Banner et al., Post Training 4-bit Quantization of Convolutional Networks for Rapid-" \
    "Deployment, NeurIPS 2019"

const struct rci_observer rci_observer_aciq_gauss = {
    .m = {.name = "aciq-gauss",
          .summary = "best threshold for a normal distribution as wide as the values",
          .source = SOURCE},
    .histogram = true,
    .clip = gauss_clip,
};

const struct rci_observer rci_observer_aciq_laplace = {
    .m = {.name = "aciq-laplace",
          .summary = "best threshold for a Laplace distribution as wide as the values",
          .source = SOURCE},
    .histogram = true,
    .clip = laplace_clip,
};
