#ifndef RC_LIB_PRUNE_SENSITIVITY_H
#define RC_LIB_PRUNE_SENSITIVITY_H
/* How much the network's answers move with the outputs of its layers: per layer and output channel
 * the mean over images of the squared gradient of v . logits, v random normal, which is the squared
 * norm of the logits' Jacobian. Unlike the gradient of a loss it does not vanish where a trained
 * network is right. */
#include "graph/graph.h"
#include <rescomp/dataset.h>

/* weight[i]: [channels of nodes[i].out[0]], allocated by the caller. */
rc_status rci_sensitivity_measure(const struct rc_graph *g, const rci_id *nodes, uint32_t n,
                                  const rc_dataset *d, uint64_t images, uint64_t seed,
                                  double **weight);
#endif
