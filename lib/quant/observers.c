/* The table of observers. A new one is a file in observer/ and a line here. */
#include "quant/observer.h"

static const struct rc_method *const table[] = {
    &rc_observer_minmax.m,  &rc_observer_ema.m, &rc_observer_percentile.m,
    &rc_observer_entropy.m, &rc_observer_mse.m,
};

const struct rc_method_kind rc_kind_observer = {
    .kind = "observer",
    .summary = "how calibration chooses the range of an activation",
    .table = table,
    .count = sizeof(table) / sizeof(table[0]),
};
