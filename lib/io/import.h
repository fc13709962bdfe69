#ifndef RC_LIB_IO_IMPORT_H
#define RC_LIB_IO_IMPORT_H
/* Shared by the parts of the importer. */
#include "graph/graph.h"
#include "wire/onnx.h"

/* A node of before opset 7 whose operand 1 lies along the axes of operand 0 from `axis` on. */
struct import_aligned {
    rci_id node;
    int64_t axis;
};

struct import {
    struct rc_graph *g; /* being built */
    struct rci_arena *arena;
    const Onnx__GraphProto *from;
    int64_t opset; /* of the file; g->opset is at least 7 */
    struct import_aligned *aligned;
    uint32_t n_aligned, cap_aligned;
};

/* "" and "ai.onnx" are one domain. */
bool rci_import_is_onnx(const char *domain);

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

/* Attributes that only operators of before opset 7 had are marked in `used` (import_legacy.c). */
rc_status rci_import_legacy(struct import *m, const Onnx__NodeProto *n, rci_id node, bool *used);
/* Operands that lie along given axes get their shape, once the graph is complete. */
rc_status rci_import_align(struct import *m);

/* "conv1", or the name of its first result for a node without a name. */
const char *rci_import_node_name(const Onnx__NodeProto *n);
#endif
