#ifndef RC_LIB_OP_CONV_OWN_H
#define RC_LIB_OP_CONV_OWN_H
/* Kernels of our own as a second way to run a convolution. */
#include "kernel/direct/direct.h"
#include "kernel/gemm/gemm.h"
#include "kernel/winograd/winograd.h"

/* One of them, or none: Winograd's where it can do the geometry, else direct sums for few channels,
 * else a product of matrices. */
struct rci_conv_own {
    struct rci_winograd *winograd;
    struct rci_direct *direct;
    struct rci_gemm *gemm;
};
bool rci_conv_own_fits(const struct rci_conv_spec *s);
rc_status rci_conv_own_create(struct rci_conv_own *out, struct rc_context *c,
                              const struct rci_conv_spec *s);
void rci_conv_own_destroy(struct rci_conv_own *o);
bool rci_conv_own_exists(const struct rci_conv_own *o);
/* As in kernel/winograd/winograd.h; of one that exists. */
size_t rci_conv_own_weights_bytes(const struct rci_conv_own *o);
size_t rci_conv_own_bias_bytes(const struct rci_conv_own *o);
size_t rci_conv_own_scratch(const struct rci_conv_own *o);
bool rci_conv_own_planes(const struct rci_conv_own *o); /* the source is wanted plain */
const char *rci_conv_own_name(const struct rci_conv_own *o);
void rci_conv_own_pack_weights(const struct rci_conv_own *o, const float *plain, float *packed);
void rci_conv_own_pack_bias(const struct rci_conv_own *o, const float *plain, float *packed);
void rci_conv_own_run(const struct rci_conv_own *o, const struct rci_conv_args *a);
void rci_conv_own_share(const struct rci_conv_own *o, const struct rci_conv_args *a);

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

/* RESCOMP_WINOGRAD is this word. */
bool rci_conv_winograd_told(const char *what);

/* All three passes of a training step by Winograd. The rule depends on shapes, layouts and
 * processor alone, not on a measurement: the same seed gives the same bytes. p->want[0] and
 * p->out_md[0] are chosen; the rest of the answers is filled in by rci_conv_winograd_train(), and
 * weights are wanted plain. RESCOMP_WINOGRAD=off switches it off here too. */
bool rci_conv_winograd_trains(const struct rci_prep *p, const struct rci_conv_geometry *g);
rc_status rci_conv_winograd_train(struct rci_prep *p, const struct rci_conv_geometry *g);
#endif
