#ifndef RC_LIB_DISTILL_LOSS_H
#define RC_LIB_DISTILL_LOSS_H
/* A distillation loss: the mean over a batch of a function of student logits, teacher logits and
 * labels, and its gradient by the student's logits. */
#include "train/loss.h"

struct rci_distill_loss {
    struct rci_method m;
    /* teacher: [n, classes], as b->logits */
    double (*value)(const void *params, const struct rci_loss_batch *b, const float *teacher);
};

extern const struct rci_method_kind rci_kind_distill_loss;
#endif
