#ifndef RC_LIB_DISTILL_LOSS_H
#define RC_LIB_DISTILL_LOSS_H
/* Distillation losses: how far a student is from its teacher, in logits, feature maps or relations
 * between the images of a batch. The labels' part is the driver's (distill/sum.h). Every loss's
 * parameter struct starts with struct rci_distill_common. */
#include "train/loss.h"

struct rci_distill_common {
    double weight, warmup, fade;
};

#define RC_DISTILL_COMMON(usual)                                                       \
    {"weight",                                                                         \
     "factor of this loss in the sum",                                                 \
     RC_PARAM_REAL,                                                                    \
     offsetof(struct rci_distill_common, weight),                                      \
     usual,                                                                            \
     0,                                                                                \
     1e9},                                                                             \
        {"warmup",                                                                     \
         "share of all steps in which the weight rises from 0",                        \
         RC_PARAM_REAL,                                                                \
         offsetof(struct rci_distill_common, warmup),                                  \
         0,                                                                            \
         0,                                                                            \
         1},                                                                           \
    {                                                                                  \
        "fade", "share of all steps in which it falls to 0 at the end", RC_PARAM_REAL, \
            offsetof(struct rci_distill_common, fade), 0, 0, 1                         \
    }

/* What losses on softened distributions begin with. */
struct rci_distill_softened {
    struct rci_distill_common common;
    double temperature;
    int64_t standardize;
};

/* clang-format off */
#define RC_DISTILL_SOFTENED(usual) \
    RC_DISTILL_COMMON(usual), \
    {"temperature", "softens both distributions", RC_PARAM_REAL, \
     offsetof(struct rci_distill_softened, temperature), 4, 0.1, 100}, \
    {"standardize", "logits of each image to deviation 1 first", RC_PARAM_BOOL, \
     offsetof(struct rci_distill_softened, standardize), 0, 0, 1}
/* clang-format on */

struct rci_feature {
    uint32_t channels, height, width; /* vectors: 1 x 1 */
    const float *x;                   /* [n, C, H, W] */
};

struct rci_feature_pair {
    uint32_t n;
    struct rci_feature student, teacher;
    float *grad; /* as student.x, overwritten with d loss / d student; NULL: value only */
};

/* Which features a loss compares where the caller names none. */
enum rci_hint_place {
    RC_HINT_STAGES,   /* the ends of all stages */
    RC_HINT_MIDDLE,   /* the end of the stage in the middle */
    RC_HINT_LAST,     /* the end of the last stage */
    RC_HINT_EMBEDDING /* what the last layer reads */
};

/* One of value, maps, relation. Gradients are overwritten. */
struct rci_distill_loss {
    struct rci_method m;
    /* Logits; teacher: [n, classes], as b->logits. */
    double (*value)(const void *params, const struct rci_loss_batch *b, const float *teacher,
                    double *room);
    /* Two feature maps. */
    double (*maps)(const void *params, const struct rci_feature_pair *p, double *room);
    /* Gram matrices X X' of the features of a batch, [n, n], and d loss / d student's, all of whose
     * entries count as independent; grad NULL: value only. */
    double (*relation)(const void *params, uint32_t n, const double *student, const double *teacher,
                       double *grad, double *room);
    /* The weight that the loss leaves to the labels' cross-entropy. NULL: it says nothing, and
     * where no loss of a sum does, the weight is 1. */
    double (*labels)(const void *params);
    /* doubles of memory for a batch of n: classes, values of the student's map, or n. NULL: 0 */
    size_t (*room)(uint32_t n, size_t width);
    enum rci_hint_place place;
    bool adapter; /* maps have the same shape: a 1x1 convolution that is trained along sees to it */
};

extern const struct rci_method_kind rci_kind_distill_loss;

/* Logits as softmax sees them: z / (T s), s the deviation of the row (n - 1) where standardised,
 * else 1. Means do not matter to a softmax. */
struct rci_soft {
    double factor, mean, deviation; /* deviation 0: not standardised */
};
struct rci_soft rci_soft_make(const float *z, uint32_t n, double temperature, bool standardize);
/* g: d L / d (z factor), which must sum to 0; becomes d L / d z. */
void rci_soft_back(const struct rci_soft *s, const float *z, uint32_t n, float *g);
#endif
