#ifndef RC_LIB_QUANT_MOMENTS_H
#define RC_LIB_QUANT_MOMENTS_H
/* Second moments of what the taps of a layer see, on calibration images: for rounding. */
#include "quant/blocks.h"
#include "quant/quantizer.h"

/* False: no layer with such weights; q->g and copies of it. */
bool rci_quant_blocks_at(struct rci_quant_blocks *b, const struct rc_graph *g, rci_id node);

/* Fills q->moments. */
rc_status rci_quantizer_take_moments(struct rc_quantizer *q, const struct rc_dataset *d);
void rci_quantizer_forget_moments(struct rc_quantizer *q);
#endif
