#ifndef RC_LIB_OP_CONV_OWN_H
#define RC_LIB_OP_CONV_OWN_H
/* Kernels of our own as a second way to run a convolution. */
#include "kernel/kernel.h"
#include "kernel/winograd/winograd.h"

/* One that was made, or none: both NULL. Its functions are kernel->f(state, ...). */
struct rci_conv_own {
    const struct rci_conv_kernel *kernel;
    void *state;
};
/* The one for such a layer; NULL: none fits. */
const struct rci_conv_kernel *rci_conv_own_find(const struct rci_conv_spec *s);
/* RC_ERR_UNSUPPORTED where none fits. */
rc_status rci_conv_own_create(struct rci_conv_own *out, struct rc_context *c,
                              const struct rci_conv_spec *s);
void rci_conv_own_destroy(struct rci_conv_own *o); /* accepts none */
static inline bool rci_conv_own_planes(const struct rci_conv_own *o)
{
    return o->kernel->planes && o->kernel->planes(o->state);
}

/* A forward convolution as prepared on oneDNN: primitive bound to source, weights, destination and
 * (when there is one) bias, its layouts in p->want and p->out_md. */
struct rci_conv_onednn {
    struct rci_prim *prim;
    bool has_bias;
};
/* *out: a kernel for the same layouts, but for images that come plain and are wanted like that,
 * where one can do the work and is faster here, else none.
 * Which one wins is measured, once for equal layers and numbers of threads
 * (kernel/choice/choice.h), or follows from the number of channels where the context wants no
 * measuring. RESCOMP_WINOGRAD=off never uses Winograd's, =on wherever it can, whatever the context
 * says. */
rc_status rci_conv_choose(struct rci_conv_own *out, const struct rci_prep *p,
                          const struct rci_conv_geometry *g, const struct rci_conv_onednn *onednn);

/* What the node does after the convolution, a sum, then a ReLU, or less, to s->sum and s->relu.
 * False: something else. */
bool rci_conv_posts_fit(const struct rci_node *n, struct rci_conv_spec *s);

/* A 1x1 convolution that only moves channels, as shortcuts of option A become one: a strided copy
 * with zeros around it, and what is fused behind; exact, in the layouts of p->want[0] and
 * p->out_md[0]. */
bool rci_conv_moves(const struct rci_prep *p, const struct rci_conv_geometry *g);
rc_status rci_conv_move(struct rci_prep *p, const struct rci_conv_geometry *g);

/* All three passes of a training step by Winograd. The rule depends on shapes, layouts and
 * processor alone, not on a measurement: the same seed gives the same bytes. p->want[0] and
 * p->out_md[0] are chosen; the rest of the answers is filled in by rci_conv_winograd_train(), and
 * weights are wanted plain. RESCOMP_WINOGRAD=off switches it off here too. */
bool rci_conv_winograd_trains(const struct rci_prep *p, const struct rci_conv_geometry *g);
rc_status rci_conv_winograd_train(struct rci_prep *p, const struct rci_conv_geometry *g);
#endif
