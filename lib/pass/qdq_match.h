#ifndef RC_LIB_PASS_QDQ_MATCH_H
#define RC_LIB_PASS_QDQ_MATCH_H
/* Reading QuantizeLinear/DequantizeLinear patterns: symmetric ones only (zero points all 0). */
#include "graph/graph.h"

struct rci_qdq {
    const struct rc_graph *g;
};

/* A real value and the integers it stands for. */
struct rci_qdq_integer {
    rci_id value; /* u8 or s8, or RC_NONE */
    float scale;
    enum rci_dtype type;
};

bool rci_qdq_init(struct rci_qdq *q, const struct rc_graph *g); /* false: nothing quantized here */
/* `v` is DequantizeLinear of integers that are computed, one scale for all. */
bool rci_qdq_dequantized(const struct rci_qdq *q, rci_id v, struct rci_qdq_integer *out);
/* The only reader of `v` is QuantizeLinear, one scale for all; out->value is its output. */
bool rci_qdq_quantized(const struct rci_qdq *q, rci_id v, struct rci_qdq_integer *out);

/* `v` is DequantizeLinear of a constant of type `type` with one scale or one per index of `axis`.
 */
struct rci_qdq_constant {
    rci_id value;               /* the integer constant */
    struct rci_tensor q, scale; /* borrowed data; survives edits of the graph */
};
bool rci_qdq_constant(const struct rci_qdq *q, rci_id v, enum rci_dtype type, uint32_t axis,
                      struct rci_qdq_constant *out);
/* The node that alone reads `v` and has nothing fused behind it; else NULL. */
const struct rci_node *rci_qdq_next(const struct rci_qdq *q, rci_id v);
#endif
