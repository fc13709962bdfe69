#ifndef RC_LIB_DISTILL_SUM_H
#define RC_LIB_DISTILL_SUM_H
/* "hinton:temperature=4+at:weight=1000": L = c CE(labels) + sum_k w_k L_k, c the sum of what the
 * losses leave to the labels, or 1. */
#include "distill/loss.h"

struct rci_distill_sum {
    struct rci_method_use use[RC_METHOD_USES];
    uint32_t n;
};

static inline const struct rci_distill_loss *rci_distill_term(const struct rci_distill_sum *s,
                                                              uint32_t i)
{
    return (const struct rci_distill_loss *) (const void *) s->use[i].m;
}

/* After a failure too, release with rci_method_uses_free(). */
rc_status rci_distill_sum_make(struct rci_distill_sum *out, struct rc_context *c, const char *spec);
/* Sets parameter `name` of the first loss that has it; value 0: leaves all as they are. */
rc_status rci_distill_sum_set(struct rci_distill_sum *s, const char *name, double value);
/* Weight of a loss at the share `at` of all steps. */
double rci_distill_weight(const struct rci_method_use *use, double at);
/* doubles that the losses on logits need. */
size_t rci_distill_sum_room(const struct rci_distill_sum *s, uint32_t n, uint32_t classes);
/* Labels and losses on logits. part: [n, classes], not needed where b->grad is NULL. */
double rci_distill_sum_logits(const struct rci_distill_sum *s, const struct rci_loss_batch *b,
                              const float *teacher, double at, float *part, double *room);
#endif
