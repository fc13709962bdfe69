#ifndef RC_LIB_OP_CONV_OWN_H
#define RC_LIB_OP_CONV_OWN_H
/* Kernels of our own as a second way to run a convolution. */
#include "kernel/direct.h"
#include "kernel/winograd.h"

/* One of them, or neither. Winograd's where it can do the geometry, direct sums elsewhere. */
struct rc_conv_own {
    struct rc_winograd *winograd;
    struct rc_direct *direct;
};
bool rc_conv_own_fits(const struct rc_conv_spec *s);
rc_status rc_conv_own_create(struct rc_conv_own *out, struct rc_context *c,
                             const struct rc_conv_spec *s);
void rc_conv_own_destroy(struct rc_conv_own *o);
bool rc_conv_own_exists(const struct rc_conv_own *o);
/* As in kernel/winograd.h; of one that exists. */
size_t rc_conv_own_weights_bytes(const struct rc_conv_own *o);
size_t rc_conv_own_bias_bytes(const struct rc_conv_own *o);
size_t rc_conv_own_scratch(const struct rc_conv_own *o);
bool rc_conv_own_planes(const struct rc_conv_own *o); /* the source is wanted plain */
const char *rc_conv_own_name(const struct rc_conv_own *o);
void rc_conv_own_pack_weights(const struct rc_conv_own *o, const float *plain, float *packed);
void rc_conv_own_pack_bias(const struct rc_conv_own *o, const float *plain, float *packed);
void rc_conv_own_run(const struct rc_conv_own *o, const struct rc_conv_args *a);
void rc_conv_own_share(const struct rc_conv_own *o, const struct rc_conv_args *a);

/* A forward convolution as prepared on oneDNN: primitive bound to source, weights, destination and
 * (when there is one) bias, its layouts in p->want and p->out_md. */
struct rc_conv_onednn {
    struct rc_prim *prim;
    bool has_bias;
};
/* *out: a kernel for the same layouts, but for images that come plain and are wanted like that,
 * where one can do the work and is faster here, else none.
 * Which one wins is measured, once for equal layers and numbers of threads (kernel/choice.h), or
 * follows from the number of channels where the context wants no measuring. RESCOMP_WINOGRAD=off
 * never uses Winograd's, =on wherever it can, whatever the context says. */
rc_status rc_conv_choose(struct rc_conv_own *out, const struct rc_prep *p,
                         const struct rc_conv_geometry *g, const struct rc_conv_onednn *onednn);

/* What the node does after the convolution, a sum, then a ReLU, or less, to s->sum and s->relu.
 * False: something else. */
bool rc_conv_posts_fit(const struct rc_node *n, struct rc_conv_spec *s);

/* A 1x1 convolution that only moves channels, as shortcuts of option A become one: a strided copy
 * with zeros around it, and what is fused behind; exact, in the layouts of p->want[0] and
 * p->out_md[0]. */
bool rc_conv_moves(const struct rc_prep *p, const struct rc_conv_geometry *g);
rc_status rc_conv_move(struct rc_prep *p, const struct rc_conv_geometry *g);

/* RESCOMP_WINOGRAD is this word. */
bool rc_conv_winograd_told(const char *what);

/* All three passes of a training step by Winograd. The rule depends on shapes, layouts and
 * processor alone, not on a measurement: the same seed gives the same bytes. p->want[0] and
 * p->out_md[0] are chosen; the rest of the answers is filled in by rc_conv_winograd_train(), and
 * weights are wanted plain. RESCOMP_WINOGRAD=off switches it off here too. */
bool rc_conv_winograd_trains(const struct rc_prep *p, const struct rc_conv_geometry *g);
rc_status rc_conv_winograd_train(struct rc_prep *p, const struct rc_conv_geometry *g);
#endif
