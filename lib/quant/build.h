#ifndef RC_LIB_QUANT_BUILD_H
#define RC_LIB_QUANT_BUILD_H
/* Parts of making the quantized graph, for those who make some of it themselves. */
#include "quant/quantizer.h"
#include "quant/weights.h"

/* Copy of q->g with activations quantized, weights and biases as they are; nodes and values of q->g
 * keep their ids, and constants are the copy's own. */
rc_status rci_quantizer_simulate(struct rc_graph **out, const struct rc_quantizer *q);
/* bias: [channels]. The node gets a constant of its own. */
rc_status rci_quantizer_set_bias(struct rc_graph *g, rci_id node, const float *bias);
/* Integers and scales that the node's weights may have. */
void rci_quantizer_weight_options(struct rci_quant_weight_options *o, const struct rc_quantizer *q,
                                  rci_id node);
/* "rescomp.quantization": what was done to the graph. */
rc_status rci_quantizer_put_metadata(struct rc_graph *g, const struct rc_quantizer *q);
#endif
