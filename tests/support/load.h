#ifndef LOAD_H
#define LOAD_H
/* Importing ONNX models that a test has built in memory. */
#include "pb.h"
#include "test.h"

#include "graph/graph.h"

/* Import; on success the graph goes to *g, or is freed when g is NULL. Frees the bytes. */
rc_status load_bytes(struct pb bytes, struct rc_context *c, struct rc_graph **g);
rc_status load_model(struct onnx_model *m, struct rc_context *c, struct rc_graph **g);
/* x (shape) -> node -> y, the node's operands being x and the initializers put in before. */
rc_status load_node(struct onnx_model *m, const char *shape, struct pb node, struct rc_context *c);
#endif
