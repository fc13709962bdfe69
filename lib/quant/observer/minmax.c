/* amax = largest |x| ever seen. */
#include "quant/observer.h"

#include <math.h>

static rc_status minmax_clip(const void *params, const struct rci_observation *o, uint32_t top,
                             double *amax)
{
    (void) params;
    (void) top;
    *amax = fmax(fabs(o->low), fabs(o->high));
    return RC_OK;
}

const struct rci_observer rci_observer_minmax = {
    .m = {.name = "minmax", .summary = "largest absolute value seen", .source = ""},
    .clip = minmax_clip,
};
