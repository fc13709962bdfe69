#ifndef RC_LIB_PRUNE_BUDGET_H
#define RC_LIB_PRUNE_BUDGET_H
/* Exact multiply-adds and parameters of the graph as it would be after a cut, kept up to date unit
 * by unit from the operators' own cost functions at the reduced shapes. */
#include "prune/coupling.h"

struct rci_budget {
    const struct rci_coupling *c;
    uint32_t *length;           /* [n_rows] indices that are left */
    uint64_t *node_macs;        /* [n_nodes] */
    struct rci_readers readers; /* of every value */
    rci_id *touched;            /* [n_nodes] scratch list */
    uint32_t *stamp;            /* [n_nodes] of the last change that touched the node */
    uint32_t now;
    uint64_t macs, parameters; /* at batch 1, now */
    uint64_t bytes;            /* of all parameters, now */
    bool *gone;                /* [n_nodes] removed with their constants, whatever their widths */
};

rc_status rci_budget_new(struct rci_budget **out, const struct rci_coupling *c);
void rci_budget_free(struct rci_budget *b);
/* Take `n` units out (sign -1) or put them back (+1). */
void rci_budget_change(struct rci_budget *b, const uint32_t *unit, uint32_t n, int sign);
/* Take `n` nodes out, and the constants that nobody else reads, or put them back. */
void rci_budget_drop(struct rci_budget *b, const rci_id *node, uint32_t n, bool gone);
#endif
