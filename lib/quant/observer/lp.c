/* amax = a that minimises  sum_k count[k] * |q(c_k) - c_k|^p  among 80 parts of the range, 1 per
 * cent apart; q(c) = s * min(round(c / s), top), s = a / top, c_k the bin centres. */
#include "quant/observer.h"

#include <math.h>

enum { STEPS = 80 };

struct params {
    double p;
};

static const struct rci_param table[] = {
    {"p", "order of the norm", RC_PARAM_REAL, offsetof(struct params, p), 2.4, 0.5, 8},
};

static double lp_error(const struct rci_histogram *h, double a, uint32_t top, double p)
{
    const double s = a / top;
    double error = 0;
    for (uint32_t k = 0; k < h->n; k++) {
        const double c = (k + 0.5) * h->width;
        if (h->count[k])
            error += (double) h->count[k] * pow(fabs(fmin(rint(c / s), top) * s - c), p);
    }
    return error;
}

static rc_status lp_clip(const void *params, const struct rci_observation *o, uint32_t top,
                         double *amax)
{
    const double range = fmax(fabs(o->low), fabs(o->high));
    double best = INFINITY;
    for (int i = 0; i < STEPS; i++) {
        const double a = range * (1 - 0.01 * i);
        const double error = lp_error(&o->h, a, top, ((const struct params *) params)->p);
        if (error < best) {
            best = error;
            *amax = a;
        }
    }
    return RC_OK;
}

const struct rci_observer rci_observer_lp = {
    .m = {.name = "lp",
          .summary = "threshold with the least error of rounding and clipping in an Lp norm",
          .source = "Nahshan et al., Loss Aware Post-Training Quantization, 2019",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .histogram = true,
    .clip = lp_clip,
};
