#include "prune/criterion.h"

static const struct rc_method *const table[] = {
    &rc_criterion_activation.m,   &rc_criterion_block_obs.m, &rc_criterion_bn_scale.m,
    &rc_criterion_contribution.m, &rc_criterion_l1.m,        &rc_criterion_l2.m,
    &rc_criterion_lnorm.m,        &rc_criterion_random.m,
};
const struct rc_method_kind rc_kind_criterion = {"criterion", "which channels matter", table,
                                                 sizeof(table) / sizeof(table[0])};
