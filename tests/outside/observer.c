/* amax = factor * largest |x|: an observer with a parameter. */
#include "quant/observer.h"
#include "outside.h"

#include <math.h>

struct params {
    double factor;
};

static const struct rci_param table[] = {
    {"factor", "of the largest absolute value", RC_PARAM_REAL, offsetof(struct params, factor), 0.5,
     0.1, 1},
};

static rc_status outside_clip(const void *params, const struct rci_observation *o, uint32_t top,
                              double *amax)
{
    (void) top;
    outside_calls[OUTSIDE_OBSERVER]++;
    *amax = ((const struct params *) params)->factor * fmax(fabs(o->low), fabs(o->high));
    return RC_OK;
}

const struct rci_observer rci_observer_outside = {
    .m = {.name = "outside",
          .summary = "a fraction of the largest",
          .source = "",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .clip = outside_clip,
};
