/* Accuracy of a model on a data set, as a whole and per class.
 *
 *     03_evaluate [MODEL.onnx [KIND:PATH]]
 *
 * KIND:PATH as in docs/data.md, such as cifar10:DIR or idx:DIR. Without a model: an untrained
 * ResNet-8, which guesses. */
#include "images.h"

#include <rescomp/rescomp.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The preprocessing that a model was trained with travels in its file. */
static rc_status open_as_trained(rc_dataset **out, const rc_graph *graph, rc_context *context,
                                 const char *spec)
{
    rc_dataset_options options = RC_DATASET_OPTIONS_INIT;
    options.split = "test";
    rc_status status = rc_graph_get_metadata(graph, "rescomp.preprocess", &options.preprocess);
    return status == RC_OK ? rc_dataset_open(out, context, spec, &options) : status;
}

static rc_status evaluate(const rc_graph *graph, rc_dataset *dataset)
{
    const uint64_t classes = rc_dataset_count_classes(dataset);
    rc_evaluate_options options = RC_EVALUATE_OPTIONS_INIT;
    options.images = 2000; /* the first ones; 0 would be all */
    if (options.images > rc_dataset_count_images(dataset))
        options.images = rc_dataset_count_images(dataset);
    options.confusion_size = classes * classes;
    options.confusion = calloc(classes * classes, sizeof(*options.confusion));
    if (!options.confusion)
        return RC_ERR_MEMORY;
    rc_evaluate_result result = RC_EVALUATE_RESULT_INIT;
    const rc_status status = rc_evaluate(graph, dataset, &options, &result);
    if (status == RC_OK)
        printf("%" PRIu64 " images: top-1 %.2f, top-5 %.2f, loss %.4f, %.0f images/s\n",
               result.images, result.top1, result.top5, result.loss, result.images_per_second);
    for (uint64_t c = 0; status == RC_OK && c < classes; c++) {
        const uint64_t *row =
            options.confusion + c * classes; /* what images of class c are called */
        uint64_t all = 0;
        for (uint64_t k = 0; k < classes; k++)
            all += row[k];
        const char *name = rc_dataset_get_class_name(dataset, (uint32_t) c);
        printf("  class %2" PRIu64 " %-12s %5.1f of %4" PRIu64 "\n", c, name ? name : "",
               all ? 100.0 * (double) row[c] / (double) all : 0, all);
    }
    free(options.confusion);
    return status;
}

int main(int argc, char **argv)
{
    rc_context *context = NULL;
    rc_graph *graph = NULL;
    rc_dataset *dataset = NULL;
    rc_network_options network = RC_NETWORK_OPTIONS_INIT;
    network.channels = 1;
    network.height = network.width = 28;
    rc_status status = rc_context_new(&context, NULL);
    if (status == RC_OK)
        status = argc > 1 ? rc_graph_load(&graph, context, argv[1])
                          : rc_graph_new_network(&graph, context, "resnet8", &network);
    if (status == RC_OK)
        status = argc > 2 ? open_as_trained(&dataset, graph, context, argv[2])
                          : open_images(&dataset, context, NULL, "test");
    if (status == RC_OK)
        status = evaluate(graph, dataset);
    if (status != RC_OK)
        fprintf(stderr, "03_evaluate: %s\n", rc_last_error());
    rc_dataset_free(&dataset);
    rc_graph_free(&graph);
    rc_context_free(&context);
    return status != RC_OK;
}
