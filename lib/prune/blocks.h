#ifndef RC_LIB_PRUNE_BLOCKS_H
#define RC_LIB_PRUNE_BLOCKS_H
/* Residual blocks that can go as a whole, y = x + f(x) -> x, found by their structure: one operand
 * of an Add of equal shapes is computed from the other alone, and nobody else reads what lies
 * between. */
#include "prune/observe.h"

struct rci_block {
    rci_id add;              /* node */
    rci_id branch, shortcut; /* its operands: f(x), and x, which stays */
    rci_id *node;            /* [n_nodes] that go: those of the branch, and the Add */
    uint32_t n_nodes;
    const char *name; /* of the first layer of the branch in order of execution; borrowed */
};

struct rci_blocks {
    struct rc_context *ctx;
    struct rci_block *block; /* in order of execution */
    uint32_t n;
};

rc_status rci_blocks_find(struct rci_blocks *out, const struct rc_graph *g);
void rci_blocks_free(struct rci_blocks *b);

/* error[n]: mean over images of the squared distance of the answers (output 0) from those of `g`
 * when the branch of that block alone gives its mean over the images instead, which layers behind
 * it can make up for. Of all others 0. wanted: [n] which are asked for. */
rc_status rci_blocks_measure(const struct rci_blocks *b, const struct rc_graph *g,
                             const struct rci_observation *o, const bool *wanted, double *error);
/* Take one out of a graph with the same ids; sweep it afterwards. */
rc_status rci_block_remove(const struct rci_block *b, struct rc_graph *g);
#endif
