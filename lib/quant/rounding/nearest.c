/* q = round(w / scale), within what pairs allow (quant/round.h). */
#include "quant/rounding.h"

const struct rci_rounding rci_rounding_nearest = {
    .m = {.name = "nearest",
          .summary = "the nearest integer; of 8 bits, the best that is safe in pairs",
          .source = ""},
};
