/* Write a model as a packed file, see what its weights became, and run it from there.
 *
 *     10_pack [MODEL.onnx [OUT.rcz]]      without files: a ResNet-8 with fresh weights, m.rcz
 */
#include <rescomp/rescomp.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Coder, bits and bytes of each weight. */
static rc_status tell(rc_context *context, const char *path)
{
    rc_packed *packed = NULL;
    rc_packed_info info = RC_PACKED_INFO_INIT;
    rc_status status = rc_packed_new(&packed, context, path);
    if (status == RC_OK)
        status = rc_packed_get_info(packed, &info);
    for (uint64_t i = 0; i < info.tensors && status == RC_OK; i++) {
        rc_packed_tensor_info t = RC_PACKED_TENSOR_INFO_INIT;
        status = rc_packed_get_tensor(packed, i, &t);
        if (status == RC_OK)
            printf("%-40s %-8s %-8s %8" PRIu64 " -> %8" PRIu64 " bytes\n", t.name, t.coder,
                   t.entropy, t.bytes, t.stored);
    }
    if (status == RC_OK)
        printf("weights %" PRIu64 " -> %" PRIu64 " bytes, graph %" PRIu64 " -> %" PRIu64
               ", file %" PRIu64 "\n",
               info.bytes, info.stored, info.graph_bytes, info.graph_stored, info.file_bytes);
    rc_packed_free(&packed);
    return status;
}

/* Every weight of `a` has the same bits in `b`. */
static rc_status compare(const rc_graph *a, const rc_graph *b, uint64_t *different)
{
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    rc_status status = rc_graph_get_info(a, &info);
    for (uint64_t i = 0; i < info.nodes && status == RC_OK; i++) {
        rc_node_info node = RC_NODE_INFO_INIT;
        status = rc_graph_get_node(a, i, &node);
        for (uint64_t k = 0; k < node.operands && status == RC_OK; k++) {
            const char *name;
            const float *x = NULL, *y = NULL;
            int64_t dims[8];
            uint64_t rank = 0, constant = 0, n = 1;
            status = rc_graph_get_operand(a, i, k, &name, &constant);
            if (status != RC_OK || !constant)
                continue;
            status = rc_graph_get_weight(a, name, &x, dims, &rank);
            if (status == RC_OK)
                status = rc_graph_get_weight(b, name, &y, dims, &rank);
            for (uint64_t d = 0; d < rank; d++)
                n *= (uint64_t) dims[d];
            if (status == RC_OK && x)
                *different += !y || memcmp(x, y, n * sizeof(*x)) != 0;
        }
    }
    return status;
}

int main(int argc, char **argv)
{
    rc_context *context = NULL;
    rc_graph *graph = NULL, *back = NULL;
    rc_session *session = NULL;
    uint64_t different = 0;
    const char *const path = argc > 2 ? argv[2] : "m.rcz";
    rc_status status = rc_context_new(&context, NULL);
    if (status == RC_OK && argc > 1)
        status = rc_graph_load(&graph, context, argv[1]);
    else if (status == RC_OK)
        status = rc_graph_new_network(&graph, context, "resnet8", NULL);
    if (status == RC_OK)
        status = rc_graph_save_packed(graph, path, NULL);
    if (status == RC_OK)
        status = tell(context, path);
    if (status == RC_OK)
        status = rc_graph_load(&back, context, path); /* as an ONNX file */
    if (status == RC_OK)
        status = compare(graph, back, &different);
    if (status == RC_OK)
        status = rc_session_load(&session, context, path, NULL);
    if (status != RC_OK)
        fprintf(stderr, "10_pack: %s\n", rc_last_error());
    else
        printf("%" PRIu64 " weights differ\n", different);
    rc_session_free(&session);
    rc_graph_free(&back);
    rc_graph_free(&graph);
    rc_context_free(&context);
    return status != RC_OK || different;
}
