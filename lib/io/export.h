#ifndef RC_LIB_IO_EXPORT_H
#define RC_LIB_IO_EXPORT_H
/* Shared by the parts of the exporter. */
#include "graph/graph.h"
#include "wire/onnx.h"

struct export
{
    const struct rc_graph *g;
    struct rci_arena *arena;
    Onnx__TensorProto **initializers;
    size_t n_initializers, cap_initializers;
};

rc_status rci_export_add_initializer(struct export *e, Onnx__TensorProto *t);
rc_status rci_export_nodes(struct export *e, Onnx__GraphProto *to);
rc_status rci_export_inputs(struct export *e, Onnx__GraphProto *to); /* after all initializers */
rc_status rci_export_outputs(struct export *e, Onnx__GraphProto *to);
#endif
