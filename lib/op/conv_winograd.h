#ifndef RC_LIB_OP_CONV_WINOGRAD_H
#define RC_LIB_OP_CONV_WINOGRAD_H
/* Winograd's kernel as a second way to run a convolution in a session. */
#include "kernel/winograd.h"

/* A forward convolution as prepared on oneDNN: primitive bound to source, weights, destination and
 * (when there is one) bias, its layouts in p->want and p->out_md. */
struct rc_conv_direct {
    struct rc_prim *prim;
    bool has_bias;
};
/* *out: a Winograd kernel for the same layouts where it can do the work and is faster here, else
 * NULL. Which one wins is measured, once for equal layers and numbers of threads (kernel/choice.h),
 * or follows from the number of channels where the context wants no measuring.
 * RESCOMP_WINOGRAD=off never uses it, =on wherever it can, whatever the context says. */
rc_status rc_conv_winograd_choose(struct rc_winograd **out, const struct rc_prep *p,
                                  const struct rc_conv_geometry *g,
                                  const struct rc_conv_direct *direct);

/* RESCOMP_WINOGRAD is this word. */
bool rc_conv_winograd_told(const char *what);

/* All three passes of a training step. The rule depends on shapes, layouts and processor alone, not
 * on a measurement: the same seed gives the same bytes. p->want[0] and p->out_md[0] are chosen;
 * the rest of the answers is filled in by rc_conv_winograd_train(), and weights are wanted plain.
 * RESCOMP_WINOGRAD=off switches it off here too. */
bool rc_conv_winograd_trains(const struct rc_prep *p, const struct rc_conv_geometry *g);
rc_status rc_conv_winograd_train(struct rc_prep *p, const struct rc_conv_geometry *g);
#endif
