#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H
#include "data.h"
/* Options of training, shared by train, prune and quantize. */
#define TRAIN_OPTIONS                                                                        \
    { "epochs", "N", "passes over the training images" },                                    \
    { "minutes", "M", "as many epochs as fit into that time, instead of --epochs" },          \
    { "batch", "N", "images per step; default: 128" },                                       \
    { "lr", "F", "base learning rate; default: the optimizer's" },                           \
    { "rate", "METHOD", "schedule, see rescomp methods rate; default: cosine" },             \
    { "optimizer", "METHOD", "see rescomp methods optimizer; default: sgd" },                \
    { "loss", "METHOD", "see rescomp methods loss; default: cross-entropy" },                \
    { "augment", "SPEC", "see rescomp methods augmentation, joined by +; default: crop+flip" }, \
    { "teacher", "MODEL", "distil from this model" },                                        \
    { "temperature", "T", "of distillation; default: 4" },                                   \
    { "alpha", "F", "weight of the teacher against the labels; default: 0.7" },              \
    { "distill-loss", "METHOD", "see rescomp methods distill-loss; default: hinton" },       \
    { "hint", "STUDENT=TEACHER", "values that losses on features compare; repeatable" },     \
    { "sparsity", "METHOD", "penalty on channels, see rescomp methods regularizer" }, \
    { "replays", "R", "images repeat after R epochs: a teacher runs R times; default: never" }, \
    { "ema", "F", "decay of an average of the weights; default: none" },                     \
    { "swa", "F", "average the weights of epochs from this share of the run on; default: not" }, \
    { "clip", "F", "scale gradients down to this norm; default: not" },                      \
    { "accumulate", "N", "batches per update; default: 1" },                                 \
    { "layer-rate", "PATTERN=F", "factor of the rate for weights or nodes; repeatable" },    \
    { "freeze", "PATTERN", "weights or nodes that stay as they are; repeatable" },           \
    { "patience", "N", "end after N epochs that were no better on held-out training images" }, \
    { "tensorboard", "DIR", "write the curves there as an event file", "DIR" },              \
    { "checkpoint", "FILE", "written after every epoch and at Ctrl-C" },                     \
    { "resume", NULL, "continue from the checkpoint" },                                      \
    { "keep-best", NULL, "keep the epoch that is best on held-out training images" },        \
    { "memory", "MIB", "cap on activations, by computing some twice; default: none" },       \
    { "images", "N", "only the first N images" },                                            \
    { "all-images", NULL, "train on the held-out part (calib) of the training images too" }, \
    PRECISION_OPTION

struct train_job {
    rc_graph *graph;         /* trained in place */
    rc_quantizer *quantizer; /* acts in the run; NULL: none */
    uint64_t epochs;         /* when the option is not given */
    double lr;               /* the same; 0: the optimiser's */
    bool frozen;             /* BatchNormalization is */
    bool estimate;           /* BatchNormalization anew at the end */
    bool best;               /* keep the best epoch, unless --all-images */
};

/* Train with the options of `a`. Shows progress. */
int train_graph(const struct args *a, rc_context *context, const struct train_job *job,
                rc_train_result *result);
/* The range test of the learning rate instead of training; prints its curve. */
int train_find_rate(const struct args *a, rc_context *context, rc_graph *graph);
#endif
