#ifndef RC_LIB_DISTILL_DISTILLER_H
#define RC_LIB_DISTILL_DISTILLER_H
/* A teacher in a training run: its logits are computed for the student's batches, kept where the
 * same images come again, and given to a distillation loss. */
#include "train/trainer.h"

#include <rescomp/distill.h>

struct rc_distiller;

bool rci_distiller_valid(const struct rc_distiller *d); /* magic */
rc_status rci_distiller_new(struct rc_distiller **out, const struct rc_graph *teacher,
                            const rc_distill_options *o);
void rci_distiller_free(struct rc_distiller *d);
rc_status rci_distiller_attach(struct rc_distiller *d, struct rc_trainer *t);
/* Batches for which the teacher ran, and those answered from memory. */
void rci_distiller_counts(const struct rc_distiller *d, uint64_t *computed, uint64_t *kept);
#endif
