#ifndef RC_LIB_IO_IMPORT_H
#define RC_LIB_IO_IMPORT_H
/* Shared by the parts of the importer. */
#include "graph/graph.h"
#include "wire/onnx.h"

struct import {
    struct rc_graph *g; /* being built */
    struct rci_arena *arena;
    const Onnx__GraphProto *from;
};

/* Inputs, initializers (import_value.c). */
rc_status rci_import_initializers(struct import *m);
rc_status rci_import_inputs(struct import *m);
rc_status rci_import_outputs(struct import *m);

/* Nodes, in any order (import_node.c). */
rc_status rci_import_check_operators(const struct import *m);
rc_status rci_import_nodes(struct import *m);
/* A Constant node becomes a constant of the graph at once (import_constant.c). */
bool rci_import_is_constant(const Onnx__NodeProto *n);
rc_status rci_import_constant(struct import *m, const Onnx__NodeProto *n);

/* "conv1", or the name of its first result for a node without a name. */
const char *rci_import_node_name(const Onnx__NodeProto *n);
#endif
