#ifndef RC_LIB_OP_CONV_WAYS_H
#define RC_LIB_OP_CONV_WAYS_H
/* The ways in which a convolution can run, as fast.c chooses among them. */
#include "kernel/choice/choose.h"
#include "kernel/onednn/onednn.h"

/* Layouts of a convolution as oneDNN likes them. */
struct rci_conv_layouts {
    const struct rci_md *src, *weights, *dst, *bias; /* bias NULL: there is none */
    int32_t in_place; /* operand that the result is added to, or -1 */
};

/* *out: a kernel of the list for the same layouts, but for images that come plain and are wanted
 * like that, where one is faster here than `onednn`, which is bound to source, weights, destination
 * and bias; else none. `s` is what the kernel was asked for then.
 * What the context wants no measuring for follows from the number of channels. RESCOMP_WINOGRAD=off
 * never uses Winograd's, =on wherever it can, whatever the context says. */
rc_status rci_conv_choose_own(struct rci_conv_chosen *out, const struct rci_request *req,
                              struct rci_conv_spec *s, const struct rci_conv_layouts *l,
                              struct rci_prim *onednn);

/* What the node does after the convolution, a sum, then a ReLU, or less, to s->sum and s->relu.
 * False: something else. */
bool rci_conv_posts_fit(const struct rci_node *n, struct rci_conv_spec *s);

/* A 1x1 convolution that only moves channels, as shortcuts of option A become one: a strided copy
 * with zeros around it, and what is fused behind; exact, in the layouts of the spec, which are in
 * `p` already. */
bool rci_conv_moves(const struct rci_request *req, const struct rci_conv_spec *s);
rc_status rci_conv_move(const struct rci_request *req, struct rci_prep *p,
                        const struct rci_conv_spec *s);

/* All three passes of a training step by Winograd. The rule depends on shapes, layouts and
 * processor alone, not on a measurement: the same seed gives the same bytes. Layouts are in `p`
 * already; weights are wanted plain. RESCOMP_WINOGRAD=off switches it off here too. */
bool rci_conv_winograd_trains(const struct rci_request *req, const struct rci_conv_spec *s);
rc_status rci_conv_winograd_train(const struct rci_request *req, struct rci_prep *p,
                                  const struct rci_conv_spec *s);

/* Both gradients by oneDNN: what of them are wanted. Layouts and scratch are answered in `p`; the
 * geometry, layouts and forward descriptor are good for the call only. */
struct rci_conv_trained {
    const struct rci_conv_geometry *geometry;
    const struct rci_conv_layouts *layouts;
    const_dnnl_primitive_desc_t forward;
    enum rci_dtype type; /* of activations and weights */
};
struct rci_conv_backward;
rc_status rci_conv_backward_new(struct rci_conv_backward **out, const struct rci_request *req,
                                struct rci_prep *p, const struct rci_conv_trained *t);
rc_status rci_conv_backward_run(struct rci_conv_backward *b, const struct rci_step_io *io);
void rci_conv_backward_free(struct rci_conv_backward *b); /* accepts NULL */
#endif
