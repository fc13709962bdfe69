#ifndef RC_LIB_TRAIN_FIT_H
#define RC_LIB_TRAIN_FIT_H
/* Do a graph and a data set fit together? */
#include "data/batches.h"
#include "graph/graph.h"

struct rci_fit {
    int64_t batch; /* the graph's own when that is fixed, else the wanted one */
    int64_t chw[3];
    uint32_t classes;
    bool softmax; /* the first output comes from a Softmax */
};

/* One input [N, C, H, W], first output [N, classes]; d may be NULL. Failures name what differs. */
rc_status rci_fit_check(struct rci_fit *out, const struct rc_graph *g, const struct rc_dataset *d,
                        int64_t batch);
#endif
