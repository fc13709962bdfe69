#ifndef RC_LIB_QUANT_TRAINABLE_H
#define RC_LIB_QUANT_TRAINABLE_H
/* The graph that a method of kind "qat" trains, and back. */
#include "quant/quantizer.h"
#include "train/trainer.h"

/* The trainable form has a BatchNormalization behind the node. */
bool rci_quantizer_norms(const struct rc_quantizer *q, rci_id node);
/* Fills q->statistics from one pass over the float graph. */
rc_status rci_quantizer_take_statistics(struct rc_quantizer *q, const struct rc_dataset *d);
void rci_quantizer_forget_statistics(struct rc_quantizer *q);
rc_status rci_quantizer_make_trainable(struct rc_graph **out, const struct rc_quantizer *q);

/* What acts within steps (qat_hook.c), for a trainer of a graph that `q` made. */
rc_status rci_quantizer_attach(struct rc_quantizer *q, struct rc_trainer *t);
/* Releases what attach made; accepts NULL. */
void rci_qat_hook_free(struct rci_qat_hook *h);

/* harden.c: graphs with FakeQuant nodes. */
bool rci_graph_is_simulated(const struct rc_graph *g);
/* In place; `pairs`: weights of 8 bits become safe in pairs. */
rc_status rci_quantizer_harden(struct rc_graph *g, bool pairs, bool float_bias);
#endif
