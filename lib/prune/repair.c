#include "prune/repair.h"

static const struct rci_method *const table[] = {
    &rci_repair_bn.m,
    &rci_repair_least_squares.m,
    &rci_repair_none.m,
};
const struct rci_method_kind rci_kind_repair = {"repair",
                                                "what is done right after a cut, without training",
                                                table, sizeof(table) / sizeof(table[0])};
