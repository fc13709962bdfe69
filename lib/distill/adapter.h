#ifndef RC_LIB_DISTILL_ADAPTER_H
#define RC_LIB_DISTILL_ADAPTER_H
/* A 1x1 convolution from the shape of a student's map to that of its teacher's, trained beside the
 * student and gone after the run. Where the student's map is k times as high and wide, it takes
 * every k-th pixel. */
#include "distill/loss.h"
#include "train/trainer.h"

struct rci_adapter;

/* Shapes without their pixels; RC_ERR_SHAPE when no convolution joins them. */
rc_status rci_adapter_new(struct rci_adapter **out, struct rc_context *c,
                          const struct rci_feature *student, const struct rci_feature *teacher,
                          int64_t batch, uint64_t seed);
void rci_adapter_free(struct rci_adapter *a); /* accepts NULL */
enum { RC_ADAPTER_MEMORY = 3 }; /* arrays of a checkpoint: weights and the optimiser's two */
void rci_adapter_memory(const struct rci_adapter *a,
                        struct rci_train_memory out[RC_ADAPTER_MEMORY]);
/* *y: the adapted map of `x`, of the teacher's shape. */
rc_status rci_adapter_forward(struct rci_adapter *a, const float *x, const float **y);
/* From d L / d y to *dx, d L / d x; then one step of the trainer's optimiser. */
rc_status rci_adapter_backward(struct rci_adapter *a, const struct rc_trainer *t, const float *dy,
                               const float **dx);
#endif
