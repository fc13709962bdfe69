#ifndef RC_LIB_PASS_INSERT_QDQ_H
#define RC_LIB_PASS_INSERT_QDQ_H
/* Writes a table of scales into a graph as QuantizeLinear and DequantizeLinear nodes. Which values
 * and which integers is decided above (quant/plan.h, quant/weights.h); this is only the graph. */
#include "graph/graph.h"

struct rc_qdq_activation {
    rc_id value;
    enum rc_dtype type; /* RC_U8 or RC_S8, zero point 0 */
    float scale;
};

/* A constant operand of Conv, Gemm or MatMul. */
struct rc_qdq_weight {
    rc_id value;
    const int8_t *q;    /* as many as the constant has; NULL: trainable, stays f32 behind a Q-DQ */
    const float *scale; /* [n_scale], along `axis`; n_scale 1: one for all */
    int64_t n_scale;
    uint32_t axis;
};

struct rc_qdq_table {
    const struct rc_qdq_activation *activation;
    uint32_t n_activations;
    const struct rc_qdq_weight *weight;
    uint32_t n_weights;
    bool float_bias; /* leave biases as they are, else i32 at scale s_x*s_w */
};

/* Every reader of a listed value reads its dequantized form afterwards; graph outputs stay as they
 * are. Raises the opset to 13 when it is lower (per-axis scales). Infers and verifies. */
rc_status rc_insert_qdq(struct rc_graph *g, const struct rc_qdq_table *t);

/* Axis of a constant weight (operand 1 of `n`) that holds the output channels. */
uint32_t rc_weight_axis(const struct rc_graph *g, const struct rc_node *n);
#endif
