#include "packednet.h"
#include "shared.h"
#include "test.h"

#include "io/onnx.h"

struct rc_graph *packed_small_graph(struct rc_context *c)
{
    struct rc_graph *g;
    OK(rci_onnx_load(&g, c, source_path("tests/fuzz/corpus/onnx/residual")));
    const rci_id w = rci_graph_find_value(g, "w2");
    float *x = g->values[w].tensor.data;
    for (int64_t i = 0; i < rci_shape_count(&g->values[w].tensor.shape); i++)
        x[i] = 0.125f * (float) (i * i % 5 - 1);
    return g;
}
