#ifndef RC_LIB_TRAIN_EVALUATE_H
#define RC_LIB_TRAIN_EVALUATE_H
#include "data/batches.h"
#include "graph/graph.h"

#include <rescomp/evaluate.h>

/* Zeros in `o` mean defaults; o may be NULL. `r` is filled whole. */
rc_status rci_evaluate_graph(const struct rc_graph *g, const struct rc_dataset *d,
                             const rc_evaluate_options *o, rc_evaluate_result *r);

/* A session and its buffers, kept for a graph whose weights change. `o` may not be NULL. */
struct rci_evaluator;
rc_status rci_evaluator_new(struct rci_evaluator **out, const struct rc_graph *g,
                            const struct rc_dataset *d, const rc_evaluate_options *o);
void rci_evaluator_free(struct rci_evaluator *e);
/* With the weights that `g`, the graph it was made of, has now. confusion: [classes^2], zeros, or
 * NULL. */
rc_status rci_evaluator_run(struct rci_evaluator *of, const struct rc_graph *g, uint64_t *confusion,
                            rc_evaluate_result *r);
#endif
