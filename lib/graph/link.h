#ifndef RC_LIB_GRAPH_LINK_H
#define RC_LIB_GRAPH_LINK_H
/* Which indices of which axes are cut together. Every channel-carrying axis of every value
 * is a row of index ids; op->couple() says how rows of a node's operands correspond. Union-find
 * over ids then gives the pruning groups; see prune/coupling.h for the consumer. */
#include "graph/graph.h"

/* An axis of an operand that couple() says nothing about must keep its length, and so must every
 * axis at an operator without couple(): silence is safe, never wrong. Links between axes of unequal
 * length or out of range fix both. Naming an absent operand or a missing axis does nothing. */

/* One axis of one operand of the node being coupled. */
struct rci_axis {
    int32_t operand;
    uint32_t axis;
};
#define RC_IN(i, a) ((struct rci_axis){(int32_t) (i), (uint32_t) (a)})
#define RC_OUT(i, a) ((struct rci_axis){-1 - (int32_t) (i), (uint32_t) (a)})

/* Shape of an operand of the node (operand as in struct rci_axis: RC_IN(i, 0).operand) before any
 * cut, at the graph's batch; NULL when the optional operand is absent. For op->couple, resized. */
const struct rci_shape *rci_links_shape(const struct rci_links *l, int32_t operand);

/* Index k of `a` exists exactly when index k of `b` exists. Axis lengths must be equal. */
void rci_link_same(struct rci_links *l, struct rci_axis a, struct rci_axis b);
/* Index k of `part` is index offset + k*step of `whole` (Concat, Split, Slice, Pad). */
void rci_link_offset(struct rci_links *l, struct rci_axis part, struct rci_axis whole,
                     int64_t offset, int64_t step);
/* Index k of `a` owns indices [k*count, (k+1)*count) of `b` (Flatten: count = H*W). */
void rci_link_repeat(struct rci_links *l, struct rci_axis a, struct rci_axis b, int64_t count);
/* Runs of `count` neighbours are cut together (the groups of GroupNormalization). */
void rci_link_runs(struct rci_links *l, struct rci_axis a, int64_t count);
/* Grouped convolution: `groups` equal blocks; every block must keep the same number of indices,
 * at the same positions inside the block (position k of all blocks is one unit). */
void rci_link_blocks(struct rci_links *l, struct rci_axis a, int64_t groups);
/* Indices [from, from+count) of `a` hold the constant zero (channels added by Pad). They may be
 * cut without loss; they never gain a weight. */
void rci_link_zero(struct rci_links *l, struct rci_axis a, int64_t from, int64_t count);
/* The axis must keep its length (softmax axis, reshape that mixes axes, unknown operators). */
void rci_link_fixed(struct rci_links *l, struct rci_axis a);

/* For op->resized: kept original indices of an axis after a cut; NULL when nothing was cut. */
const int32_t *rci_links_kept(const struct rci_links *l, struct rci_axis a, uint32_t *n);
/* Length of that axis before the cut. */
int64_t rci_links_old_length(const struct rci_links *l, struct rci_axis a);

/* --- for those who collect and cut --- */
enum {                 /* which way a node uses an axis of one of its operands: bits */
       RC_SIDE_IN = 1, /* tied to an input of the node that is not constant */
       RC_SIDE_OUT = 2 /* tied to an output */
};
#define RC_LINK_INTERFACE (UINT32_MAX - 1) /* in fixed_by: the graph's inputs and outputs */

/* A row is one axis of one value: row = value * RC_MAX_DIMS + axis. Its ids are base[row] + k. */
struct rci_links {
    const struct rc_graph *g;
    struct rc_context *ctx;
    uint32_t n_ids, n_rows;
    uint32_t *base;              /* [n_rows] */
    uint32_t *row_of;            /* [n_ids] */
    uint32_t *parent;            /* [n_ids] union-find; the root is the smallest id */
    uint8_t *zero;               /* [n_ids] constant zero where it was made (Pad) */
    uint8_t *side;               /* [n_rows] RC_SIDE_* of constants at their readers */
    rci_id *fixed_by;            /* [n_rows] node that needs this length, RC_NONE: may be cut */
    struct rci_shape *shape;     /* [n_values] before the cut */
    int32_t **kept;              /* [n_rows] after the cut: kept indices, NULL: whole */
    uint32_t *n_kept;            /* [n_rows] */
    const struct rci_node *node; /* the one being coupled or resized */
    struct rci_link_scratch *scratch;
};

/* Ask every node of a shape-inferred graph. The graph is borrowed. */
rc_status rci_links_new(struct rci_links **out, const struct rc_graph *g);
void rci_links_free(struct rci_links *l);
/* The representative of all ids that are cut with `id`. */
uint32_t rci_links_find(struct rci_links *l, uint32_t id);

/* Remove every id with keep[id] == 0 (the same for all ids of one representative): gather the
 * constants, let operators fix their attributes, infer and verify. `l` is spent afterwards. On
 * failure the graph is unusable: cut a clone. */
rc_status rci_graph_cut(struct rc_graph *g, struct rci_links *l, const uint8_t *keep);
#endif
