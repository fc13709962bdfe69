#ifndef RC_LIB_PASS_PASS_H
#define RC_LIB_PASS_PASS_H
#include "graph/graph.h"
/* A pass edits one graph in place and leaves it valid; the driver (rci_pass_run) re-infers shapes
 * and runs the verifier after each. It keeps no state and calls no other pass. */
struct rci_pass {
    const char *name;
    const char *summary;
    rc_status (*run)(struct rc_graph *g, uint32_t *n_changed);
    bool approximate; /* what is computed changes, or only a session can compute it: not compared */
};
/* Run one pass by pointer, then infer and verify. n_changed may be NULL. With g->checked the graph
 * is run on random inputs before and after: RC_ERR_STATE names the pass and the first value that
 * differs. */
rc_status rci_pass_run(struct rc_graph *g, const struct rci_pass *p, uint32_t *n_changed);
/* All that make a graph smaller and leave what it computes, until nothing changes. */
rc_status rci_pass_clean_up(struct rc_graph *g);
/* Shapes of all values at another batch than the graph's, where the batch is free; else NULL. For
 * passes that must hold at every batch; rci_release() it. */
rc_status rci_pass_other_batch(const struct rc_graph *g, struct rci_tensor **out);

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
/* The one operand that is not a constant; RC_NONE when there are several or none. */
rci_id rci_pass_data_operand(const struct rc_graph *g, const struct rci_node *n);

/* Transposes behind what reads them; pairs cancel. */
extern const struct rci_pass rci_pass_move_transposes;
/* Reshapes in a row become one. */
extern const struct rci_pass rci_pass_merge_views;
/* Slice of Slice, Concat of Concat. */
extern const struct rci_pass rci_pass_compose;
/* Expand before what broadcasts. */
extern const struct rci_pass rci_pass_drop_repeats;
/* Pad into Conv and pools. */
extern const struct rci_pass rci_pass_absorb_pad;
/* MatMul with a bias as Gemm, scales of scales. */
extern const struct rci_pass rci_pass_merge_affine;

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
