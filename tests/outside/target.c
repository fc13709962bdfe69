/* A target with a rule that no other has. */
#include "quant/target.h"
#include "outside.h"

#include <rescomp/quantize.h>

const struct rci_quant_target rci_quant_target_outside = {
    .m = {.name = "outside", .summary = "one scale for a weight", .source = ""},
    .flags = RC_QUANTIZE_PER_TENSOR,
    .table = "outside",
};
