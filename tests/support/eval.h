#ifndef EVAL_H
#define EVAL_H
/* A whole graph in plain C, one operator after the other: what sessions are compared with. */
#include "graph/graph.h"

/* At g->batch. in[i].data: the graph's inputs. out: n_outputs tensors, allocated here with
 * rci_tensor_new; on failure all are free. */
rc_status eval_graph(const struct rc_graph *g, const struct rci_tensor *in, struct rci_tensor *out);
#endif
