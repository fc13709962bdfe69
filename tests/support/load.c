#include "load.h"

#include "io/onnx.h"

rc_status load_bytes(struct pb bytes, struct rc_context *c, struct rc_graph **g)
{
    struct rc_graph *own = NULL;
    const rc_status st =
        rci_onnx_load_memory(&own, c, bytes.data ? bytes.data : (uint8_t *) "", bytes.size);
    pb_free(&bytes);
    if (g)
        *g = own;
    else
        rci_graph_free(own);
    return st;
}

rc_status load_model(struct onnx_model *m, struct rc_context *c, struct rc_graph **g)
{
    return load_bytes(onnx_bytes(m), c, g);
}

rc_status load_node(struct onnx_model *m, const char *shape, struct pb node, struct rc_context *c)
{
    onnx_add(m, node);
    onnx_input(m, "x", shape);
    onnx_output(m, "y", "?");
    return load_model(m, c, NULL);
}
