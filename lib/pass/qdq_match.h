#ifndef RC_LIB_PASS_QDQ_MATCH_H
#define RC_LIB_PASS_QDQ_MATCH_H
/* Reading QuantizeLinear/DequantizeLinear patterns: symmetric ones only (zero points all 0). */
#include "graph/graph.h"

struct rc_qdq {
    const struct rc_graph *g;
    const struct rc_op *quantize, *dequantize;
};

/* A real value and the integers it stands for. */
struct rc_qdq_integer {
    rc_id value; /* u8 or s8, or RC_NONE */
    float scale;
    enum rc_dtype type;
};

bool rc_qdq_init(struct rc_qdq *q, const struct rc_graph *g); /* false: nothing quantized here */
/* `v` is DequantizeLinear of integers that are computed, one scale for all. */
bool rc_qdq_dequantized(const struct rc_qdq *q, rc_id v, struct rc_qdq_integer *out);
/* The only reader of `v` is QuantizeLinear, one scale for all; out->value is its output. */
bool rc_qdq_quantized(const struct rc_qdq *q, rc_id v, struct rc_qdq_integer *out);

/* `v` is DequantizeLinear of a constant of type `type` with one scale or one per index of `axis`.
 */
struct rc_qdq_constant {
    rc_id value;               /* the integer constant */
    struct rc_tensor q, scale; /* borrowed data; survives edits of the graph */
};
bool rc_qdq_constant(const struct rc_qdq *q, rc_id v, enum rc_dtype type, uint32_t axis,
                     struct rc_qdq_constant *out);
/* The node that alone reads `v`, when it is an ONNX operator of that name; else NULL. */
const struct rc_node *rc_qdq_next(const struct rc_qdq *q, rc_id v, const char *op);
#endif
