#ifndef RC_LIB_TRAIN_OPTIM_H
#define RC_LIB_TRAIN_OPTIM_H
/* An optimiser: one step on a run of consecutive elements. Every element is treated alone, so the
 * driver may cut parameters into pieces and share them among threads without changing a bit.
 * Layer-wise ones work in two turns: `direct` on all pieces of a parameter, then `step` with the
 * trust that `trust` makes of the norms of the whole parameter. */
#include "base/method.h"

enum { RC_OPTIM_STATES = 2 };

struct rci_optim_step {
    float *w;                      /* [n] weights, changed */
    const float *grad;             /* [n] */
    float *state[RC_OPTIM_STATES]; /* [n] each, zero before the first step */
    size_t n;
    double rate;
    double momentum;  /* from the rate method; negative: the optimiser's own */
    uint64_t step;    /* counts from 1 */
    bool decays;      /* a matrix or kernel, not a bias or BatchNormalization vector */
    float *direction; /* [n] layer-wise ones only: written by direct(), read by step() */
    double trust;     /* what trust() gave; 1 where there is none */
};

/* L2 norms of a whole parameter: before the step, of its gradient, and of its direction. */
struct rci_optim_norms {
    double weights, gradient, direction;
    bool decays;
};

struct rci_optimizer {
    struct rci_method m;
    uint32_t n_states;   /* arrays of state per parameter, at most RC_OPTIM_STATES */
    double default_rate; /* when the user names none */
    void (*step)(const void *params, const struct rci_optim_step *s);
    /* Layer-wise ones; else NULL. `direction` and `grad` are the same memory. */
    void (*direct)(const void *params, const struct rci_optim_step *s);
    double (*trust)(const void *params, const struct rci_optim_norms *n);
};

extern const struct rci_method_kind rci_kind_optimizer;
#endif
