#include "prune/criterion.h"

static const struct rci_method *const table[] = {
    &rci_criterion_activation.m,   &rci_criterion_block_obs.m, &rci_criterion_bn_scale.m,
    &rci_criterion_contribution.m, &rci_criterion_l1.m,        &rci_criterion_l2.m,
    &rci_criterion_lnorm.m,        &rci_criterion_random.m,
};
const struct rci_method_kind rci_kind_criterion = {"criterion", "which channels matter", table,
                                                   sizeof(table) / sizeof(table[0])};
