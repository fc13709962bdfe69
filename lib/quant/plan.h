#ifndef RC_LIB_QUANT_PLAN_H
#define RC_LIB_QUANT_PLAN_H
/* Which values become 8-bit integers, and which of them share one scale. */
#include "graph/graph.h"
#include "quant/layers.h"

struct rci_quant_value {
    bool quantized;      /* gets a QuantizeLinear and a DequantizeLinear */
    bool non_negative;   /* by structure: behind a Relu and the like */
    rci_id root;         /* values that only moved (MaxPool, Flatten ...) share the root's scale */
    bool observed;       /* calibration must see it: computed here, not moved */
    double low, high;    /* seen; low > high: not seen */
    double amax;         /* threshold of an observed value */
    enum rci_dtype type; /* RC_U8 or RC_S8, of the whole class */
    uint8_t bits;        /* 2..8, of the whole class: the most that a layer which reads it wants */
    float scale;         /* of the whole class */
    bool absent;         /* of the whole class: a table does not name it, it stays f32 */
};

struct rci_quant_plan {
    struct rc_context *ctx;
    uint32_t n, flags;
    struct rci_quant_value *value; /* [n] by value id */
    struct rci_quant_layer *layer; /* [nodes] owned */
};

enum {
    RC_PLAN_SINGLE_RESIDUAL = 1, /* only one operand of Add: the sum stays in the convolution */
    RC_PLAN_SIGNED = 2,          /* no u8 */
    RC_PLAN_POWER_OF_TWO = 4     /* scales */
};

/* Quantized are: the data operand of every Conv, Gemm, MatMul with constant weights; all operands
 * of Add; what leaves an Add (behind its activation); everything these values passed through
 * unchanged; and what was averaged to them. The graph must be folded (no BatchNormalization
 * between). `layer` becomes the plan's, also on failure. What layers with weights read has as many
 * bits as these say; what only sums and means read has 8. */
rc_status rci_quant_plan_new(struct rci_quant_plan *p, const struct rc_graph *g,
                             struct rci_quant_layer *layer, uint32_t flags);
void rci_quant_plan_free(struct rci_quant_plan *p);

/* Types of all classes, from structure and from what was seen of the inputs. */
void rci_quant_plan_types(struct rci_quant_plan *p, const struct rc_graph *g);
/* Scales of all classes, from types and the thresholds of the observed values. */
void rci_quant_plan_scales(struct rci_quant_plan *p);

/* Integers of a value: [low, high], 0 among them. */
void rci_quant_range(const struct rci_quant_value *v, int32_t *low, int32_t *high);
/* The least one that is not below `scale`. */
float rci_quant_power_of_two(float scale);

/* The node is a layer whose weights become integers. */
bool rci_quant_takes(const struct rci_quant_plan *p, const struct rc_graph *g, rci_id node);
#endif
