#ifndef RC_LIB_IO_ONNX_H
#define RC_LIB_IO_ONNX_H
/* ONNX files. What is read, written and refused: docs/onnx.md. */
#include "base/file.h"
#include "graph/graph.h"

/* Errors of the file's content start with the path. */
rc_status rci_onnx_load(struct rc_graph **out, struct rc_context *c, const char *path);
rc_status rci_onnx_load_memory(struct rc_graph **out, struct rc_context *c, const void *data,
                               size_t size);

/* Deterministic: the same graph gives the same bytes. out->data from rci_alloc. */
rc_status rci_onnx_save_memory(struct rci_bytes *out, const struct rc_graph *g);
rc_status rci_onnx_save(const struct rc_graph *g, const char *path);
#endif
