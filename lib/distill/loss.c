/* The table of distillation losses. */
#include "distill/loss.h"

extern const struct rc_distill_loss rc_distill_loss_hinton;
extern const struct rc_distill_loss rc_distill_loss_logits_mse;

static const struct rc_method *const losses[] = {
    &rc_distill_loss_hinton.m,
    &rc_distill_loss_logits_mse.m,
};

const struct rc_method_kind rc_kind_distill_loss = {
    .kind = "distill-loss",
    .summary = "how a student is drawn to its teacher's logits",
    .table = losses,
    .count = sizeof(losses) / sizeof(losses[0]),
};
