#ifndef RC_LIB_PASS_INSERT_QDQ_H
#define RC_LIB_PASS_INSERT_QDQ_H
/* Writes a table of scales into a graph as QuantizeLinear and DequantizeLinear nodes. Which values
 * and which integers is decided above (quant/plan.h, quant/weights.h); this is only the graph. */
#include "graph/graph.h"

struct rci_qdq_activation {
    rci_id value;
    enum rci_dtype type; /* RC_U8 or RC_S8 */
    float scale;
    int32_t zero;      /* the integer of 0 */
    int32_t low, high; /* fewer integers than the type has; both 0: all of them */
};

/* A constant operand of Conv, Gemm or MatMul. */
struct rci_qdq_weight {
    rci_id value;
    const int8_t *q;    /* as many as the constant has; NULL: trainable, stays f32 behind a Q-DQ */
    const float *scale; /* [n_scale], along `axis`; n_scale 1: one for all */
    int64_t n_scale;
    uint32_t axis;
};

struct rci_qdq_table {
    const struct rci_qdq_activation *activation;
    uint32_t n_activations;
    const struct rci_qdq_weight *weight;
    uint32_t n_weights;
    bool float_bias; /* leave biases as they are, else i32 at scale s_x*s_w */
};

/* Every reader of a listed value reads its dequantized form afterwards; graph outputs stay as they
 * are. Raises the opset to 13 when it is lower (per-axis scales). Infers and verifies. */
rc_status rci_insert_qdq(struct rc_graph *g, const struct rci_qdq_table *t);

/* Axis of a constant weight (operand 1 of `n`) that holds the output channels. */
uint32_t rci_weight_axis(const struct rc_graph *g, const struct rci_node *n);
#endif
