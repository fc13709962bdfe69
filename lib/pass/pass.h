#ifndef RC_LIB_PASS_PASS_H
#define RC_LIB_PASS_PASS_H
#include "graph/graph.h"
/* A pass edits one graph in place and leaves it valid; the driver (rci_pass_run) re-infers shapes
 * and runs the verifier after each. It keeps no state and calls no other pass. */
struct rci_pass {
    const char *name;
    const char *summary;
    rc_status (*run)(struct rc_graph *g, uint32_t *n_changed);
};
/* Run one pass by pointer, then infer and verify. n_changed may be NULL. */
rc_status rci_pass_run(struct rc_graph *g, const struct rci_pass *p, uint32_t *n_changed);

/* Evaluate constants and shape chains, bind them. */
extern const struct rci_pass rci_pass_fold_const;
/* Identity, inference Dropout, no-op Pad, Reshape, Slice, Cast. */
extern const struct rci_pass rci_pass_drop_identity;
/* The same, but Dropout stays. */
extern const struct rci_pass rci_pass_drop_identity_training;
/* Nodes that compute the same of the same operands become one. */
extern const struct rci_pass rci_pass_merge_equal;
/* Conversions between types that are the same here (Cast of f16 to f32). */
extern const struct rci_pass rci_pass_drop_conversions;
/* BatchNormalization into Conv and Gemm weights. */
extern const struct rci_pass rci_pass_fold_affine;

/* A quantized graph on reals again, its weights what their integers stand for. */
extern const struct rci_pass rci_pass_drop_qdq;

/* For sessions and tapes only: */
/* Activation and residual Add behind a node. */
extern const struct rci_pass rci_pass_fuse_post;
/* Relu behind BatchNormalization or Add. */
extern const struct rci_pass rci_pass_fuse_post_training;
/* Strided Slice and channel Pad as one 1x1 Conv. */
extern const struct rci_pass rci_pass_shortcut_conv;
/* u8 with zero point 128 becomes s8 with zero point 0. */
extern const struct rci_pass rci_pass_center_u8;
/* DQ -> op -> Q islands to integer operators. */
extern const struct rci_pass rci_pass_lower_int8;
#endif
