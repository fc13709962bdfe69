#ifndef RC_LIB_PASS_CHECK_H
#define RC_LIB_PASS_CHECK_H
/* Two forms of one model compared by what they compute. */
#include "graph/graph.h"

/* All values of a graph for random inputs, by plain operators; made once, compared with many. */
struct rci_check {
    const struct rc_graph *g;
    struct rci_tensor *value; /* by id */
};

/* The same for inputs that are given, in the order of the graph's; their batch may be another one
 * than the graph's. The tensors are copied. */
rc_status rci_check_start_on(struct rci_check *c, const struct rc_graph *g,
                             const struct rci_tensor *inputs);
/* Largest difference relative to the largest number of `a`; infinity where shapes, types or
 * integers differ. */
double rci_check_difference(const struct rci_tensor *a, const struct rci_tensor *b);
/* `g` must live as long. Its operands need not be bound yet: shapes follow from the data. */
rc_status rci_check_start(struct rci_check *c, const struct rc_graph *g);
/* Does `other`, with inputs and outputs of the same names, give the same outputs? RC_ERR_STATE
 * names the first value of the same name in both that differs, and how much. `what` was done in
 * between. */
rc_status rci_check_compare(const struct rci_check *c, const struct rc_graph *other,
                            const char *what);
void rci_check_end(struct rci_check *c);
#endif
