#ifndef RC_LIB_QUANT_LAYERS_H
#define RC_LIB_QUANT_LAYERS_H
/* What is wanted of every layer: how many bits, or none at all. */
#include "graph/graph.h"
#include <rescomp/quantize.h>

struct rci_quant_layer {
    bool skip;                            /* stays f32 */
    bool edge;                            /* first or last with weights */
    uint8_t weight_bits, activation_bits; /* 2..8; activation: of what it reads */
};

/* layer: [nodes]. From weight_bits, activation_bits, RC_QUANTIZE_SAME_EDGES, skip and overrides. */
rc_status rci_quant_layers_new(struct rci_quant_layer **layer, const struct rc_graph *g,
                               const rc_quantize_options *o);

/* The node's operand 1 is a f32 constant that can be quantized per channel. */
bool rci_quant_is_weighted(const struct rc_graph *g, const struct rci_node *n);
/* Adds values that are all computed. */
bool rci_quant_is_sum(const struct rc_graph *g, const struct rci_node *n);
/* A f32 value that is no constant. */
bool rci_quant_is_variable(const struct rc_graph *g, rci_id v);
#endif
