#ifndef RC_LIB_GRAPH_LINK_H
#define RC_LIB_GRAPH_LINK_H
/* Which indices of which axes live and die together. Every channel-carrying axis of every value
 * is a row of index ids; op->couple() says how rows of a node's operands correspond. Union-find
 * over ids then gives the pruning groups; see prune/coupling.h for the consumer. */
#include "graph/graph.h"

/* One axis of one operand of the node being coupled. */
struct rc_axis {
    int32_t operand;
    uint32_t axis;
};
#define RC_IN(i, a) ((struct rc_axis){(int32_t) (i), (uint32_t) (a)})
#define RC_OUT(i, a) ((struct rc_axis){-1 - (int32_t) (i), (uint32_t) (a)})

/* Shape of an operand of the node (operand as in struct rc_axis: RC_IN(i, 0).operand) before any
 * cut, at the graph's batch; NULL when the optional operand is absent. For op->couple and resized. */
const struct rc_shape *rc_links_shape(const struct rc_links *l, int32_t operand);

/* Index k of `a` exists exactly when index k of `b` exists. Axis lengths must be equal. */
void rc_link_same(struct rc_links *l, struct rc_axis a, struct rc_axis b);
/* Index k of `part` is index offset + k*step of `whole` (Concat, Split, Slice, Pad). */
void rc_link_offset(struct rc_links *l, struct rc_axis part, struct rc_axis whole, int64_t offset,
                    int64_t step);
/* Index k of `a` owns indices [k*count, (k+1)*count) of `b` (Flatten: count = H*W). */
void rc_link_repeat(struct rc_links *l, struct rc_axis a, struct rc_axis b, int64_t count);
/* Grouped convolution: `groups` equal blocks; every block must keep the same number of indices,
 * at the same positions inside the block (position k of all blocks is one unit). */
void rc_link_blocks(struct rc_links *l, struct rc_axis a, int64_t groups);
/* Indices [from, from+count) of `a` hold the constant zero (channels added by Pad). They may be
 * cut without loss; they never gain a weight. */
void rc_link_zero(struct rc_links *l, struct rc_axis a, int64_t from, int64_t count);
/* The axis must keep its length (softmax axis, reshape that mixes axes, unknown operators). */
void rc_link_fixed(struct rc_links *l, struct rc_axis a);

/* For op->resized: kept original indices of an axis after a cut; NULL when nothing was cut. */
const int32_t *rc_links_kept(const struct rc_links *l, struct rc_axis a, uint32_t *n);
/* Length of that axis before the cut. */
int64_t rc_links_old_length(const struct rc_links *l, struct rc_axis a);
#endif
