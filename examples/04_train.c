/* Train a small network from scratch, with progress, validation and a checkpoint; save it as ONNX.
 *
 *     04_train [OUT.onnx [KIND:PATH]] */
#include "images.h"

#include <rescomp/rescomp.h>

#include <inttypes.h>
#include <stdio.h>

static void show(void *user, const rc_train_progress *p)
{
    (void) user;
    if (p->step % 8 == 0 || p->step == p->steps)
        printf("epoch %" PRIu64 "/%" PRIu64 " step %" PRIu64 "/%" PRIu64
               ": loss %.3f, accuracy so far %.1f, rate %.4f, %.0f images/s\n",
               p->epoch, p->epochs, p->step, p->steps, p->loss, p->epoch_top1, p->rate,
               p->images_per_second);
}

/* A network that fits the images. */
static rc_status create(rc_graph **out, rc_context *context, const rc_dataset *dataset)
{
    int64_t chw[3];
    rc_status status = rc_dataset_get_shape(dataset, chw);
    rc_network_options options = RC_NETWORK_OPTIONS_INIT;
    options.classes = rc_dataset_count_classes(dataset);
    options.channels = (uint64_t) chw[0];
    options.height = (uint64_t) chw[1];
    options.width = (uint64_t) chw[2];
    options.multiplier = 0.5;
    return status == RC_OK ? rc_graph_new_network(out, context, "resnet8", &options) : status;
}

static rc_status train(rc_graph *graph, rc_dataset *train_set, rc_dataset *calib, const char *path)
{
    rc_train_options options = RC_TRAIN_OPTIONS_INIT;
    options.epochs = 2;
    options.batch = 64;
    options.images = 2048; /* for an example that ends soon; 0 would be all */
    options.lr = 0.05;
    options.rate =
        "cosine:min=0.0005"; /* methods are chosen by name; `rescomp methods` lists them */
    options.augmentation = "usual";
    options.validation = calib;
    options.keep_best = 1;
    options.progress = show;
    char checkpoint[1024];
    if (path) { /* written after each epoch; with resume an interrupted run goes on from it */
        snprintf(checkpoint, sizeof(checkpoint), "%s.checkpoint", path);
        options.checkpoint = checkpoint;
    }
    rc_trainer *trainer = NULL;
    rc_train_result result = RC_TRAIN_RESULT_INIT;
    rc_status status = rc_trainer_new(&trainer, graph, train_set, &options);
    if (status == RC_OK)
        status = rc_trainer_run(trainer, &result); /* changes the weights in graph */
    if (status == RC_OK)
        printf("best epoch %" PRIu64 ": validation %.2f\n", result.best_epoch, result.top1);
    rc_trainer_free(&trainer);
    if (path)
        remove(checkpoint);
    return status;
}

int main(int argc, char **argv)
{
    const char *spec = argc > 2 ? argv[2] : NULL;
    rc_context *context = NULL;
    rc_dataset *train_set = NULL, *calib = NULL;
    rc_graph *graph = NULL;
    rc_status status = rc_context_new(&context, NULL);
    if (status == RC_OK)
        status = open_images(&train_set, context, spec, "train");
    if (status == RC_OK)
        status = open_images(&calib, context, spec, "calib"); /* not in train, never in test */
    if (status == RC_OK)
        status = create(&graph, context, train_set);
    if (status == RC_OK)
        status = train(graph, train_set, calib, argc > 1 ? argv[1] : NULL);
    if (status == RC_OK) /* so that whoever loads the file can prepare images alike */
        status =
            rc_graph_set_metadata(graph, "rescomp.preprocess", rc_dataset_get_preprocess(calib));
    if (status == RC_OK && argc > 1)
        status = rc_graph_save(graph, argv[1]);
    if (status != RC_OK)
        fprintf(stderr, "04_train: %s\n", rc_last_error());
    rc_graph_free(&graph);
    rc_dataset_free(&calib);
    rc_dataset_free(&train_set);
    rc_context_free(&context);
    return status != RC_OK;
}
