#ifndef RC_LIB_QUANT_RECONSTRUCT_H
#define RC_LIB_QUANT_RECONSTRUCT_H
/* Weights become integers layer by layer, in the order in which the network runs. */
#include "quant/quantizer.h"

/* Fills q->rounded and q->bias by q->rounding; the plan has scales. */
rc_status rci_quantizer_reconstruct(struct rc_quantizer *q, const struct rc_dataset *d);
void rci_quantizer_forget_rounded(struct rc_quantizer *q);
#endif
