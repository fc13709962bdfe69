/* The table of optimisers. */
#include "train/optim.h"

extern const struct rci_optimizer rci_optimizer_adamw;
extern const struct rci_optimizer rci_optimizer_sgd;

static const struct rci_method *const optimizers[] = {
    &rci_optimizer_adamw.m,
    &rci_optimizer_sgd.m,
};

const struct rci_method_kind rci_kind_optimizer = {
    .kind = "optimizer",
    .summary = "how gradients change the weights",
    .table = optimizers,
    .count = sizeof(optimizers) / sizeof(optimizers[0]),
};
