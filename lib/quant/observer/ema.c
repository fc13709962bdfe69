/* Moving average of the range of each batch: m <- momentum*m + (1 - momentum)*batch. */
#include "quant/observer.h"

#include <math.h>

struct params {
    double momentum;
};

static const struct rci_param table[] = {
    {"momentum", "weight of the past", RC_PARAM_REAL, offsetof(struct params, momentum), 0.9, 0,
     0.9999},
};

static void ema_update(const void *params, struct rci_observation *o, double low, double high)
{
    const double m = o->batches ? ((const struct params *) params)->momentum : 0;
    o->ema_low = m * o->ema_low + (1 - m) * low;
    o->ema_high = m * o->ema_high + (1 - m) * high;
}

static rc_status ema_clip(const void *params, const struct rci_observation *o, uint32_t top,
                          double *amax)
{
    (void) params;
    (void) top;
    *amax = fmax(fabs(o->ema_low), fabs(o->ema_high));
    return RC_OK;
}

const struct rci_observer rci_observer_ema = {
    .m = {.name = "ema",
          .summary = "moving average of each batch's range",
          .source = "Jacob et al., Quantization and Training of Neural Networks for Efficient "
                    "Integer-Arithmetic-Only Inference, CVPR 2018",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .update = ema_update,
    .clip = ema_clip,
};
