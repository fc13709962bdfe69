#ifndef RC_LIB_OP_REWRITE_REWRITE_H
#define RC_LIB_OP_REWRITE_REWRITE_H
/* ONNX nodes that are read as other ONNX nodes: what other programs fused or quantized (FusedConv,
 * QLinearConv ...), and what says the same in another way (Sum, convolutions of lines). Import does
 * this before anything else, so pruning, training and integer execution see the operators that
 * they know. */
#include "graph/graph.h"
#include "wire/onnx.h"

struct rci_quantized; /* names of integers, with those of scale and zero point (rules.h) */

struct rci_rewrite {
    const struct rc_graph *g; /* its constants so far are the initializers */
    struct rci_arena *arena;  /* of the message and of what is made */
    Onnx__NodeProto **node;   /* replaced by a longer list */
    size_t n, room;
    struct rci_quantized *quantized; /* by name, open addressing */
    size_t n_quantized, room_quantized;
    int64_t opset; /* result: the least one that the nodes can be written in, 0: any */
};

/* Is there a rule for this operator? domain NULL or "" is ONNX's. Some rules only take nodes in a
 * certain form (a window of one axis) and leave others alone. */
bool rci_rewrite_has(const char *domain, const char *name);
/* Names of the operators with a rule, in order; NULL behind the last. *domain is "" for ONNX's, *as
 * what they are read as, NULL for a rule that only looks. */
const char *rci_rewrite_at(uint32_t i, const char **domain, const char **as);
/* Replaces all nodes that have a rule, and what rules make by theirs. */
rc_status rci_rewrite_nodes(struct rci_rewrite *r);
#endif
