/* Cut channels to a target, look at the plan first, change it by hand, repair, save.
 *
 *     05_prune [MODEL.onnx [OUT.onnx [KIND:PATH]]] */
#include "images.h"

#include <rescomp/rescomp.h>

#include <inttypes.h>
#include <stdio.h>

static void print_gain(const char *what, const rc_prune_result *r)
{
    printf("%s: multiply-adds %" PRIu64 " -> %" PRIu64 ", parameters %" PRIu64 " -> %" PRIu64
           ", %" PRIu64 " groups lose channels\n",
           what, r->macs_before, r->macs_after, r->parameters_before, r->parameters_after,
           r->groups_cut);
}

static rc_status print_plan(rc_pruner *pruner)
{
    for (uint64_t i = 0; i < rc_pruner_count_groups(pruner); i++) {
        rc_prune_group_info group = RC_PRUNE_GROUP_INFO_INIT;
        const rc_status status = rc_pruner_get_group(pruner, i, &group);
        if (status != RC_OK)
            return status;
        if (group.may_cut)
            printf("  %-24s keeps %3" PRIu64 " of %3" PRIu64 "%s\n", group.name, group.kept,
                   group.channels, group.producers > 1 ? " (residual trunk)" : "");
    }
    return RC_OK;
}

/* Give the first group that loses channels two of them back. */
static rc_status milder(rc_pruner *pruner)
{
    for (uint64_t i = 0; i < rc_pruner_count_groups(pruner); i++) {
        rc_prune_group_info group = RC_PRUNE_GROUP_INFO_INIT;
        const rc_status status = rc_pruner_get_group(pruner, i, &group);
        if (status != RC_OK)
            return status;
        if (group.may_cut && group.kept + 2 <= group.channels)
            return rc_pruner_set_kept(pruner, i, group.kept + 2);
    }
    return RC_OK;
}

static rc_status prune(rc_graph **out, const rc_graph *graph, rc_dataset *dataset)
{
    const char *const keep[] = {"conv1"}; /* patterns with * and ? work too */
    rc_prune_options options = RC_PRUNE_OPTIONS_INIT;
    options.macs = 0.5;       /* keep at most half of the multiply-adds */
    options.round_to = 8;     /* widths that vector instructions fill */
    options.keep = keep;
    options.keep_count = 1;
    options.criterion = "block-obs"; /* what each channel's loss costs the answers ... */
    options.repair = "least-squares"; /* ... when weights behind the cut are fitted to make up */
    options.dataset = dataset;        /* with images both are the defaults, without: l2, none */
    options.images = 256;
    rc_pruner *pruner = NULL;
    rc_prune_result result = RC_PRUNE_RESULT_INIT;
    rc_status status = rc_pruner_new(&pruner, graph, &options);
    if (status == RC_OK)
        status = rc_pruner_plan(pruner, &result);
    if (status == RC_OK) {
        print_gain("plan", &result);
        status = print_plan(pruner);
    }
    if (status == RC_OK)
        status = milder(pruner);
    if (status == RC_OK)
        status = rc_pruner_apply(out, pruner, &result);
    if (status == RC_OK)
        print_gain("cut", &result);
    rc_pruner_free(&pruner);
    return status;
}

static rc_status print_accuracy(const char *what, const rc_graph *graph, rc_dataset *dataset)
{
    rc_evaluate_options options = RC_EVALUATE_OPTIONS_INIT;
    options.images = 256;
    rc_evaluate_result result = RC_EVALUATE_RESULT_INIT;
    const rc_status status = rc_evaluate(graph, dataset, &options, &result);
    if (status == RC_OK)
        printf("%s: top-1 %.2f\n", what, result.top1);
    return status;
}

int main(int argc, char **argv)
{
    rc_context *context = NULL;
    rc_graph *graph = NULL, *small = NULL;
    rc_dataset *dataset = NULL;
    rc_network_options network = RC_NETWORK_OPTIONS_INIT;
    network.channels = 1;
    network.height = network.width = 28;
    rc_status status = rc_context_new(&context, NULL);
    if (status == RC_OK)
        status = argc > 1 ? rc_graph_load(&graph, context, argv[1])
                          : rc_graph_new_network(&graph, context, "resnet8", &network);
    if (status == RC_OK)
        status = open_images(&dataset, context, argc > 3 ? argv[3] : NULL, "train");
    if (status == RC_OK)
        status = prune(&small, graph, dataset); /* graph stays as it is */
    if (status == RC_OK)
        status = print_accuracy("before", graph, dataset);
    if (status ==
        RC_OK) /* now fine-tune: 04_train.c, or with the original as teacher: 06_distill.c */
        status = print_accuracy("after, without fine-tuning", small, dataset);
    if (status == RC_OK && argc > 2)
        status = rc_graph_save(small, argv[2]);
    if (status != RC_OK)
        fprintf(stderr, "05_prune: %s\n", rc_last_error());
    rc_graph_free(&small);
    rc_graph_free(&graph);
    rc_dataset_free(&dataset);
    rc_context_free(&context);
    return status != RC_OK;
}
