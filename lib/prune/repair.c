#include "prune/repair.h"

static const struct rc_method *const table[] = {
    &rc_repair_bn.m,
    &rc_repair_least_squares.m,
    &rc_repair_none.m,
};
const struct rc_method_kind rc_kind_repair = {"repair",
                                              "what is done right after a cut, without training",
                                              table, sizeof(table) / sizeof(table[0])};
