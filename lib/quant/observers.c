/* The table of observers. A new one is a file in observer/ and a line here. */
#include "quant/observer.h"

static const struct rci_method *const table[] = {
    &rci_observer_minmax.m,  &rci_observer_ema.m, &rci_observer_percentile.m,
    &rci_observer_entropy.m, &rci_observer_mse.m,
};

const struct rci_method_kind rci_kind_observer = {
    .kind = "observer",
    .summary = "how calibration chooses the range of an activation",
    .table = table,
    .count = sizeof(table) / sizeof(table[0]),
};
