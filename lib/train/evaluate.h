#ifndef RC_LIB_TRAIN_EVALUATE_H
#define RC_LIB_TRAIN_EVALUATE_H
#include "data/batches.h"
#include "graph/graph.h"

#include <rescomp/evaluate.h>

/* Zeros in `o` mean defaults; o may be NULL. `r` is filled whole. */
rc_status rc_evaluate_graph(const struct rc_graph *g, struct rc_dataset *d,
                            const rc_evaluate_options *o, rc_evaluate_result *r);
#endif
