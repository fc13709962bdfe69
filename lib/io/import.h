#ifndef RC_LIB_IO_IMPORT_H
#define RC_LIB_IO_IMPORT_H
/* Shared by the parts of the importer. */
#include "graph/graph.h"
#include "io/onnx.h"
#include "wire/onnx.h"

/* A node of before opset 7 whose operand 1 lies along the axes of operand 0 from `axis` on. */
struct import_aligned {
    rci_id node;
    int64_t axis;
};

/* State of one import. The message lives in `arena` and is gone when the graph is finished. */
struct import {
    struct rc_graph *g; /* being built */
    struct rci_arena *arena;
    const Onnx__GraphProto *from;
    const struct rci_onnx_source *source;
    uint32_t shapes_used;
    int64_t opset; /* of the file; g->opset is at least 7 */
    struct import_aligned *aligned;
    uint32_t n_aligned, cap_aligned;
};

/* A message whose weights are there becomes a graph; the arena goes. */
rc_status rci_import_model(struct rc_graph **out, struct rci_arena *arena, Onnx__ModelProto *m,
                           const struct rci_onnx_source *source);

/* "" and "ai.onnx" are one domain. */
bool rci_import_is_onnx(const char *domain);

/* Data of other files comes into the message (import_external.c). */
rc_status rci_import_external(struct import *m);

/* Inputs, initializers (import_value.c). */
rc_status rci_import_initializers(struct import *m);
rc_status rci_import_inputs(struct import *m);
rc_status rci_import_outputs(struct import *m);

/* The shape that the caller gives input `name`, or is the only one given without a name; *given:
 * -1 where it says a word. *n = 0: none (import_shape.c). */
rc_status rci_import_given_shape(struct import *m, const char *name, int64_t *given, uint32_t *n);

enum { FUNCTIONS_MOST = 1024 };
/* Nodes that call functions of the model become the functions' nodes (import_function.c). */
rc_status rci_import_inline(struct import *m, Onnx__ModelProto *model);
const Onnx__FunctionProto *rci_import_function(const Onnx__ModelProto *model,
                                               const Onnx__NodeProto *n);
/* Can the node be imported, as far as its operator tells? */
bool rci_import_supports(const Onnx__ModelProto *model, const Onnx__NodeProto *n);

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
