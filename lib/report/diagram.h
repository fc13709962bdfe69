#ifndef RC_LIB_REPORT_DIAGRAM_H
#define RC_LIB_REPORT_DIAGRAM_H
/* A graph as boxes in rows and columns: a layer with what follows it element by element is one box,
 * weights are counted, not drawn. */
#include "graph/graph.h"

struct rci_box {
    char *ops, *name;       /* "Conv + Relu", the layer's name; owned */
    struct rci_shape shape; /* of its last result */
    uint64_t macs, parameters;
    uint32_t row, column;
    bool quantized, input, output;
};
struct rci_wire {
    uint32_t from, to; /* boxes */
};
struct rci_diagram {
    struct rc_context *ctx;
    struct rci_box *box;
    struct rci_wire *wire;
    uint32_t n_boxes, cap_boxes, n_wires, cap_wires, rows, columns;
};

/* In order of execution; shapes of the graph are inferred. */
rc_status rci_diagram_make(struct rci_diagram *d, const struct rc_graph *g);
void rci_diagram_free(struct rci_diagram *d); /* accepts zeros */
#endif
