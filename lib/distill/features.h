#ifndef RC_LIB_DISTILL_FEATURES_H
#define RC_LIB_DISTILL_FEATURES_H
/* The losses of a sum that compare features: which values, their gradients into the trainer's taps,
 * and adapters. */
#include "distill/hint.h"
#include "distill/sum.h"
#include "train/trainer.h"

struct rci_features;

struct rci_features_config {
    const struct rci_distill_sum *sum; /* borrowed */
    const struct rc_graph *student, *teacher;
    const char *hints; /* see rci_hints_find(); NULL: found */
    uint32_t batch, ranks;
};

/* *out is NULL where no loss of the sum compares features. */
rc_status rci_features_new(struct rci_features **out, const struct rci_features_config *o);
void rci_features_free(struct rci_features *f); /* accepts NULL */
/* What to tap of the student and to observe of the teacher. */
const rci_id *rci_features_student(const struct rci_features *f, uint32_t *n);
const rci_id *rci_features_teacher(const struct rci_features *f, uint32_t *n);
/* Arrays that a checkpoint must have; *n of them. */
const struct rci_train_memory *rci_features_memory(const struct rci_features *f, uint32_t *n);
/* Floats of one image in all observed values of the teacher, one after the other. */
size_t rci_features_width(const struct rci_features *f);
/* Where value `i` of a batch of n lies in an array of n times that many floats. */
size_t rci_features_offset(const struct rci_features *f, uint32_t i, uint32_t n);
/* Adds to s->loss and to the gradients of s->taps. teacher: [n width floats]. */
rc_status rci_features_add(struct rci_features *f, const struct rc_trainer *t,
                           struct rci_train_step *s, const float *teacher);
#endif
