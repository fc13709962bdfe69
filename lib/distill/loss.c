/* The table of distillation losses. */
#include "distill/loss.h"

extern const struct rci_distill_loss rci_distill_loss_hinton;
extern const struct rci_distill_loss rci_distill_loss_logits_mse;

static const struct rci_method *const losses[] = {
    &rci_distill_loss_hinton.m,
    &rci_distill_loss_logits_mse.m,
};

const struct rci_method_kind rci_kind_distill_loss = {
    .kind = "distill-loss",
    .summary = "how a student is drawn to its teacher's logits",
    .table = losses,
    .count = sizeof(losses) / sizeof(losses[0]),
};
