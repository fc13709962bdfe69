/* What is in a model: layers with shapes and cost, and which channels can be cut together.
 *
 *     01_inspect [MODEL.onnx]        without a file: a fresh ResNet-8 */
#include <rescomp/rescomp.h>

#include <inttypes.h>
#include <stdio.h>

static rc_status print_layers(const rc_graph *graph)
{
    rc_graph_info total = RC_GRAPH_INFO_INIT;
    rc_status status = rc_graph_get_info(graph, &total);
    if (status != RC_OK)
        return status;
    printf("%-24s %-20s %-18s %10s %12s\n", "node", "operator", "output", "parameters", "MACs");
    for (uint64_t i = 0; i < total.nodes; i++) {
        rc_node_info node = RC_NODE_INFO_INIT;
        if ((status = rc_graph_get_node(graph, i, &node)) != RC_OK)
            return status;
        char shape[64] = "";
        int at = 0;
        for (uint64_t d = 0; d < node.rank && at < 50; d++)
            at += snprintf(shape + at, sizeof(shape) - (size_t) at, d ? " x %" PRId64 : "%" PRId64,
                           node.shape[d]);
        printf("%-24s %-20s %-18s %10" PRIu64 " %12" PRIu64 "\n", node.name, node.op, shape,
               node.parameters, node.macs);
    }
    printf("opset %" PRId64 ", %" PRIu64 " nodes, %" PRIu64 " parameters, %" PRIu64
           " multiply-adds, %" PRIu64 " bytes\n\n",
           total.opset, total.nodes, total.parameters, total.macs, total.weight_bytes);
    return RC_OK;
}

static rc_status print_groups(const rc_graph *graph)
{
    rc_pruner *pruner = NULL;
    rc_status status = rc_pruner_new(&pruner, graph, NULL);
    printf("channels that are cut together:\n");
    for (uint64_t i = 0; i < rc_pruner_count_groups(pruner); i++) {
        rc_prune_group_info group = RC_PRUNE_GROUP_INFO_INIT;
        if ((status = rc_pruner_get_group(pruner, i, &group)) != RC_OK)
            break;
        printf("%-24s %4" PRIu64 " channels, %" PRIu64 " layers make them; ", group.name,
               group.channels, group.producers);
        if (group.may_cut)
            printf("one channel saves %" PRIu64 " multiply-adds\n", group.macs);
        else
            printf("may not be cut: %s\n", group.reason);
    }
    rc_pruner_free(&pruner);
    return status;
}

int main(int argc, char **argv)
{
    rc_context *context = NULL;
    rc_graph *graph = NULL;
    rc_status status = rc_context_new(&context, NULL);
    if (status == RC_OK)
        status = argc > 1 ? rc_graph_load(&graph, context, argv[1])
                          : rc_graph_new_network(&graph, context, "resnet8", NULL);
    if (status == RC_OK)
        status = print_layers(graph);
    if (status == RC_OK)
        status = print_groups(graph);
    if (status != RC_OK)
        fprintf(stderr, "01_inspect: %s (%s)\n", rc_last_error(), rc_status_name(status));
    rc_graph_free(&graph); /* freeing NULL is fine, so one exit serves all */
    rc_context_free(&context);
    return status != RC_OK;
}
