#ifndef RC_LIB_TRAIN_LOSS_H
#define RC_LIB_TRAIN_LOSS_H
/* A training loss: the mean over a batch of a function of logits and labels, and its gradient. */
#include "base/method.h"

struct rci_loss_batch {
    uint32_t n, classes;
    const float *logits;   /* [n, classes] */
    const int32_t *labels; /* [n], each in [0, classes) */
    float *grad;           /* [n, classes], overwritten with d loss / d logits; NULL: value only */
    const float *target;   /* [n, classes], rows sum to 1, where images were mixed: the shares of
                              the labels; NULL: one label per image */
};

/* Share of class j in what image i shows. */
static inline double rci_loss_target(const struct rci_loss_batch *b, uint32_t i, uint32_t j)
{
    return b->target ? (double) b->target[(size_t) i * b->classes + j]
                     : b->labels[i] == (int32_t) j;
}

/* -sum_j target_j log softmax(z)_j of image i, whose log sum exp is given. */
double rci_loss_hard(const struct rci_loss_batch *b, uint32_t i, double log_sum);

struct rci_loss {
    struct rci_method m;
    double (*value)(const void *params, const struct rci_loss_batch *b);
};

/* log of sum_j exp(z[j] * factor), by the largest element so that nothing overflows. */
double rci_log_sum_exp(const float *z, uint32_t n, double factor);

extern const struct rci_method_kind rci_kind_loss;
#endif
