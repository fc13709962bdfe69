#ifndef RC_LIB_IO_EXPORT_H
#define RC_LIB_IO_EXPORT_H
/* Shared by the parts of the exporter. */
#include "graph/graph.h"
#include "io/onnx.h"
#include "wire/onnx.h"

struct export
{
    const struct rc_graph *g;
    struct rci_arena *arena;
    struct rci_onnx_form form;
    int64_t opset, ir_version;
    enum rci_dtype storage; /* all reals are of this type and compute in it; 0: f32 */
    enum rci_dtype
        *narrow;  /* by value: s4, u4, s2, u2 for integers of few bits (export_narrow.c) */
    char **inner; /* by value: its name among nodes, behind or before a Cast; NULL: its own */
    char **outer; /* by value: the name of a constant before its Cast; NULL: its own */
    Onnx__TensorProto **initializers;
    size_t n_initializers, cap_initializers;
};

/* A graph as a message that borrows from it; rci_arena_free(&x.arena) in any case. */
struct rci_exported {
    struct rci_arena arena;
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
};
rc_status rci_export_model(struct rci_exported *x, const struct rc_graph *g,
                           const struct rci_onnx_form *form);

rc_status rci_export_narrow(struct export *e); /* fills narrow */
rc_status rci_export_add_initializer(struct export *e, Onnx__TensorProto *t);
rc_status rci_export_nodes(struct export *e, Onnx__GraphProto *to);
rc_status rci_export_inputs(struct export *e, Onnx__GraphProto *to); /* after all initializers */
rc_status rci_export_outputs(struct export *e, Onnx__GraphProto *to);

/* What reals are stored as, and the Casts around them (export_storage.c). */
rc_status rci_export_storage(struct export *e); /* fills storage and inner */
enum rci_dtype rci_export_type(const struct export *e, rci_id v, enum rci_dtype computed);
/* Does the node only hand a constant on to an output that has a Cast of its own? That Cast reads
 * the constant then; otherwise reading the file would fold the node. */
bool rci_export_is_cast(const struct export *e, rci_id node);
/* Casts behind inputs and constants, or before outputs, put at to->node[to->n_node]. */
uint32_t rci_export_count_casts(const struct export *e);
rc_status rci_export_casts(struct export *e, Onnx__GraphProto *to, bool outputs);
/* "<hint><suffix>", with a number behind it when a value has that name already. */
char *rci_export_fresh_name(struct export *e, const char *hint, const char *suffix);

static inline char *rci_export_name(const struct export *e, rci_id v)
{
    return v == RC_NONE ? (char *) "" : e->inner[v] ? e->inner[v] : e->g->values[v].name;
}
#endif
