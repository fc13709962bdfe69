/* The table of optimisers. */
#include "train/optim.h"

extern const struct rc_optimizer rc_optimizer_adamw;
extern const struct rc_optimizer rc_optimizer_sgd;

static const struct rc_method *const optimizers[] = {
    &rc_optimizer_adamw.m,
    &rc_optimizer_sgd.m,
};

const struct rc_method_kind rc_kind_optimizer = {
    .kind = "optimizer",
    .summary = "how gradients change the weights",
    .table = optimizers,
    .count = sizeof(optimizers) / sizeof(optimizers[0]),
};
