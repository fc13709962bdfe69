#ifndef RC_LIB_IO_ONNX_H
#define RC_LIB_IO_ONNX_H
/* ONNX files. What is read, written and refused: docs/onnx.md. */
#include "base/file.h"
#include "graph/graph.h"

/* Errors of the file's content start with the path. */
enum { RCI_LOAD_CHECK = 1 }; /* compare the graph with the untouched model on random input */

/* How a model is read; zeros: as it is. */
struct rci_onnx_source {
    const char *path; /* NULL: bytes in memory */
    const char *const
        *shapes; /* "[NAME=]N,3,224,224": of an input, a word leaves its axis as it is */
    uint32_t n_shapes;
    uint32_t flags; /* RCI_LOAD_* */
};
rc_status rci_onnx_load_from(struct rc_graph **out, struct rc_context *c,
                             const struct rci_onnx_source *source, const void *data, size_t size);
rc_status rci_onnx_load(struct rc_graph **out, struct rc_context *c, const char *path);
rc_status rci_onnx_load_memory(struct rc_graph **out, struct rc_context *c, const void *data,
                               size_t size);

enum { RCI_OPSET_FIRST = 7, RCI_OPSET_LAST = 25 }; /* that can be written */

/* How a graph is written; zero means as it was read. */
struct rci_onnx_form {
    int64_t opset;
    enum rci_dtype storage; /* of weights: f32, f16 or bf16, which readers convert to f32 */
    bool qoperators;        /* operators on integers in place of QuantizeLinear around others */
    bool narrow; /* integer weights in 4 or 2 bits where their values and the opset allow it */
};

/* Deterministic: the same graph gives the same bytes. out->data from rci_alloc. */
rc_status rci_onnx_save_memory(struct rci_bytes *out, const struct rc_graph *g);
rc_status rci_onnx_save(const struct rc_graph *g, const char *path);
/* form NULL: zeros */
rc_status rci_onnx_save_memory_as(struct rci_bytes *out, const struct rc_graph *g,
                                  const struct rci_onnx_form *form);
rc_status rci_onnx_save_as(const struct rc_graph *g, const char *path,
                           const struct rci_onnx_form *form);
#endif
