#ifndef RC_LIB_KERNEL_CHOICE_CHOOSE_H
#define RC_LIB_KERNEL_CHOICE_CHOOSE_H
/* Which implementation runs a convolution, in f32 or on integers: one of the list of kernels, or
 * one that comes from elsewhere, as oneDNN's do. What the environment names goes first, then what
 * the file of choices or the process remembers, then the costs that the model expects; those that
 * are near each other are timed. */
#include "kernel/kernel.h"
#include "kernel/onednn/engine.h"

/* An implementation that is not in the list of kernels. */
struct rci_conv_other {
    const char *word;    /* its name in files of choices; NULL: cannot do the layer */
    rci_conv_cost *cost; /* NULL: not known */
    bool team;           /* neighbours share its parallel region, which is not charged to it */
    void *user;
    /* Before it is timed; bytes that a run needs. weights 0: it holds its own. */
    rc_status (*make)(void *user, size_t *weights, size_t *scratch);
    rc_status (*run)(void *user, const struct rci_conv_args *a);
};

enum { RC_CONV_OTHERS = 3 };

struct rci_conv_question {
    struct rci_engine *engine;
    const struct rci_conv_spec *spec;
    struct rci_conv_other other[RC_CONV_OTHERS]; /* the first is oneDNN's on the same numbers */
    const char *told;                            /* the one to prefer, or NULL */
    const char *never;                           /* a kernel to leave out, or NULL */
    bool fixed;      /* by a rule, not by measurement: the first kernel that is `likely` */
    size_t src, dst; /* [bytes] of activations, with padding */
};

/* A kernel with its state, or `other`. */
struct rci_conv_chosen {
    const struct rci_conv_kernel *kernel;
    void *state;
    uint32_t other; /* where kernel is NULL */
};
/* RC_ERR_UNSUPPORTED where nothing can. */
rc_status rci_conv_choose(struct rci_conv_chosen *out, const struct rci_conv_question *q);
void rci_conv_chosen_free(struct rci_conv_chosen *c); /* accepts one without a kernel */
#endif
