/* Knowledge distillation: a pruned model learns from the answers of the model it was cut from.
 *
 *     06_distill [TEACHER.onnx STUDENT.onnx [OUT.onnx [KIND:PATH]]]
 *
 * Without files: a small network is trained, pruned, and recovers with and without its teacher on
 * few images. Seconds of training show how it is done; what it gains is in docs/results.md. */
#include "images.h"

#include <rescomp/rescomp.h>

#include <stdio.h>

/* Train with a teacher, or alone when it is NULL. */
static rc_status fit(rc_graph *student, const rc_graph *teacher, rc_dataset *dataset,
                     uint64_t images, double lr)
{
    rc_train_options options = RC_TRAIN_OPTIONS_INIT;
    options.epochs = 2;
    options.batch = 64;
    options.images = images;
    options.lr = lr;
    rc_distill_options distill = RC_DISTILL_OPTIONS_INIT;
    distill.temperature = 4;
    distill.alpha = 0.9; /* 0.9 the teacher's answers, 0.1 the labels */
    rc_trainer *trainer = NULL;
    rc_distiller *distiller = NULL;
    rc_status status = rc_trainer_new(&trainer, student, dataset, &options);
    if (status == RC_OK && teacher)
        status = rc_distiller_new(&distiller, teacher, &distill);
    if (status == RC_OK && teacher)
        status = rc_distiller_attach(distiller, trainer);
    if (status == RC_OK)
        status = rc_trainer_run(trainer, NULL);
    rc_trainer_free(&trainer); /* before the distiller that it uses */
    rc_distiller_free(&distiller);
    return status;
}

static rc_status print_accuracy(const char *what, const rc_graph *graph, rc_dataset *dataset)
{
    rc_evaluate_options options = RC_EVALUATE_OPTIONS_INIT;
    options.images = 400;
    rc_evaluate_result result = RC_EVALUATE_RESULT_INIT;
    const rc_status status = rc_evaluate(graph, dataset, &options, &result);
    if (status == RC_OK)
        printf("%-24s top-1 %.2f, loss %.3f\n", what, result.top1, result.loss);
    return status;
}

static rc_status make_teacher(rc_graph **out, rc_context *context, rc_dataset *dataset)
{
    rc_network_options network = RC_NETWORK_OPTIONS_INIT;
    network.channels = 1;
    network.height = network.width = 28;
    const rc_status status = rc_graph_new_network(out, context, "resnet8", &network);
    return status == RC_OK ? fit(*out, NULL, dataset, 6144, 0.05) : status;
}

static rc_status cut(rc_graph **out, const rc_graph *graph)
{
    rc_prune_options options = RC_PRUNE_OPTIONS_INIT;
    options.macs = 0.6;
    options.round_to = 8; /* widths that vector instructions fill */
    rc_pruner *pruner = NULL;
    rc_status status = rc_pruner_new(&pruner, graph, &options);
    if (status == RC_OK)
        status = rc_pruner_apply(out, pruner, NULL);
    rc_pruner_free(&pruner);
    return status;
}

/* The student twice, with a teacher and alone; the taught one stays. */
static rc_status compare(rc_graph *student, const rc_graph *teacher, rc_dataset *train_set,
                         rc_dataset *calib)
{
    rc_graph *alone = NULL;
    rc_status status = rc_graph_clone(&alone, student);
    if (status == RC_OK)
        status = print_accuracy("teacher", teacher, calib);
    if (status == RC_OK)
        status = print_accuracy("student", student, calib);
    if (status == RC_OK)
        status = fit(alone, NULL, train_set, 512, 0.02);
    if (status == RC_OK)
        status = print_accuracy("student, tuned alone", alone, calib);
    if (status == RC_OK)
        status = fit(student, teacher, train_set, 512, 0.02);
    if (status == RC_OK)
        status = print_accuracy("student, taught", student, calib);
    rc_graph_free(&alone);
    return status;
}

int main(int argc, char **argv)
{
    const char *spec = argc > 4 ? argv[4] : NULL;
    rc_context *context = NULL;
    rc_dataset *train_set = NULL, *calib = NULL;
    rc_graph *teacher = NULL, *student = NULL;
    rc_status status = rc_context_new(&context, NULL);
    if (status == RC_OK)
        status = open_images(&train_set, context, spec, "train");
    if (status == RC_OK)
        status = open_images(&calib, context, spec, "calib");
    if (status == RC_OK)
        status = argc > 2 ? rc_graph_load(&teacher, context, argv[1])
                          : make_teacher(&teacher, context, train_set);
    if (status == RC_OK)
        status = argc > 2 ? rc_graph_load(&student, context, argv[2]) : cut(&student, teacher);
    if (status == RC_OK)
        status = compare(student, teacher, train_set, calib);
    if (status == RC_OK && argc > 3)
        status = rc_graph_save(student, argv[3]);
    if (status != RC_OK)
        fprintf(stderr, "06_distill: %s\n", rc_last_error());
    rc_graph_free(&student);
    rc_graph_free(&teacher);
    rc_dataset_free(&calib);
    rc_dataset_free(&train_set);
    rc_context_free(&context);
    return status != RC_OK;
}
