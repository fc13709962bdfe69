/**
 * @file rescomp/train.h
 * Train or fine-tune a model; re-estimate its BatchNormalization statistics.
 */
#ifndef RESCOMP_TRAIN_H
#define RESCOMP_TRAIN_H

#include <rescomp/dataset.h>
#include <rescomp/graph.h>

RC_BEGIN

/** Opaque. One training run. One thread at a time. */
typedef struct rc_trainer rc_trainer;

/** State of a run, given to the progress callback after every step. */
typedef struct rc_train_progress {
    size_t size;              /**< sizeof(rc_train_progress) of this library. */
    uint64_t epoch;           /**< Running epoch, from 1. */
    uint64_t epochs;          /**< All epochs. */
    uint64_t step;            /**< Steps done, over all epochs. */
    uint64_t steps;           /**< All steps. */
    double loss;              /**< Loss of this step's batch. */
    double epoch_loss;        /**< Mean loss of the running epoch so far. */
    double epoch_top1;        /**< Accuracy on this epoch's training batches so far. [percent] */
    double rate;              /**< Learning rate of this step. */
    double images_per_second; /**< Since the run started. [1/s] */
    double seconds_left;      /**< Estimate. [s] */
    double top1;              /**< Last validation; 0 before the first. [percent] */
    double gradient_norm;     /**< L2 norm of the last update's gradient, before clipping; 0: not
                                   measured (only with clip or events). */
} rc_train_progress;

/** Called on the thread that called rc_trainer_run(). */
typedef void (*rc_train_progress_fn)(void *user, const rc_train_progress *progress);

/**
 * Sums arrays over the processes ("ranks") that train one model together, as MPI_Allreduce() does:
 * data[i] becomes the sum of data[i] over all ranks, with the same bytes on all of them. All ranks
 * call it in the same order with the same n. Called on the thread that called rc_trainer_run():
 * once for every BatchNormalization in each direction, for gradients in buckets of some 65,536
 * floats, last layers first, while the backward walk goes on, and for a few numbers per step.
 *
 * @param[in]     user all_reduce_user.
 * @param[in,out] data **[n]**.
 * @return RC_OK; an RC_ERR_* ends the run on this rank.
 */
typedef rc_status (*rc_all_reduce_fn)(void *user, float *data, size_t n);

/** Zero means "default" for every member. Strings are read during rc_trainer_new() only. */
typedef struct rc_train_options {
    size_t size;              /**< sizeof(rc_train_options), set by the INIT macro. */
    uint64_t epochs;          /**< 0: 1. Range 1..100,000. */
    uint64_t batch;           /**< Images per step; 0: 128, or the model's own when that is fixed.
                                   Range 2..65,536. Images left over at the end of an epoch are
                                   not used in it. */
    double lr;                /**< Base learning rate; 0: the optimiser's default.
                                   Range (0, 1000]. */
    const char *rate;         /**< Schedule over all steps, a "rate" method; NULL: "cosine". */
    const char *optimizer;    /**< An "optimizer" method; NULL: "sgd". Weight decay is one of its
                                   parameters and spares biases and BatchNormalization. */
    const char *loss;         /**< A "loss" method; NULL: "cross-entropy". */
    const char *augmentation; /**< "augmentation" methods joined by +, as in "crop:pad=4+flip", or
                                   "usual" for what suits the data set; NULL or "none": none. */
    uint64_t replays;         /**< R: order and augmentation of the images repeat after R epochs, so
                                   that a teacher's answers can be kept; 0: they never repeat. */
    uint64_t images;          /**< Only the first images of the split; 0: all. */
    uint64_t seed;            /**< Of order, augmentation and Dropout; 0: the context's. */
    uint64_t threads;         /**< 0: the context's. Range 1..1024. */
    double ema;               /**< Decay of an exponential moving average of the weights, which
                                   then is the result; 0: none. Range [0, 1). */
    uint64_t bn_images;       /**< Re-estimate BatchNormalization statistics from this many training
                                   images at the end; 0: only with ema, then 2,048;
                                   RC_ZERO: never. */
    const rc_dataset *validation; /**< Evaluated after every epoch; NULL: none. Borrowed. */
    uint64_t keep_best;       /**< 1: the result is the epoch with the best validation; 0: the
                                   last. */
    const char *checkpoint;   /**< File written after every epoch and when cancelled; NULL: none. */
    uint64_t checkpoint_steps; /**< Write it also every so many steps; 0: not. */
    uint64_t resume;          /**< 1: continue from the checkpoint file if it exists. */
    rc_train_progress_fn progress; /**< NULL: none. */
    void *progress_user;      /**< Its first argument. */
    uint64_t flags;           /**< RC_TRAIN_*; 0: none. */
    rc_all_reduce_fn all_reduce; /**< Sums over the ranks of a data-parallel run; NULL: one process.
                                      `batch` is then of all ranks together, each computes its part,
                                      and statistics of BatchNormalization are those of all. Rank 0
                                      writes the checkpoint, all read it. */
    void *all_reduce_user;    /**< Its first argument. */
    uint64_t ranks;           /**< Processes; 0: 1. Must divide batch. Range 1..4096. */
    uint64_t rank;            /**< Number of this process. Range 0..ranks-1. */
    uint64_t memory;          /**< Cap on rc_train_result.activation_bytes, of one process: what
                                   does not fit is computed a second time instead of being kept.
                                   The result has the same bytes. 0: none. [bytes] */
    double seconds;           /**< About how long the run may take: instead of epochs, which then
                                   must be 0. Some steps are timed first, and undone; the run is
                                   the one of that many epochs, 1 at least, without validation
                                   counted. Not with checkpoint or several ranks. 0: no such limit.
                                   Range [0, 1e9]. [s] */
    double clip;              /**< Gradients of all weights together are scaled down to this L2
                                   norm; 0: not. Range [0, 1e9]. */
    uint64_t accumulate;      /**< Batches whose mean gradient makes one update; 0: 1. The last
                                   update of an epoch may have fewer. Range 1..65,536. */
    double swa;               /**< The result is the mean of the weights at the ends of epochs from
                                   this share of the run on (stochastic weight averaging); 0: not.
                                   Not together with ema. Range [0, 1). */
    const char *layer_rates;  /**< "PATTERN=FACTOR,...": factors of the learning rate by the names
                                   of weights or of the nodes that read them, the first that matches
                                   counts; 0 freezes. Shell patterns (* ? [ ]). NULL: all 1. */
    uint64_t patience;        /**< End after this many epochs without a better validation; 0: never.
                                   Range 1..100,000. */
    const char *events;       /**< Folder for a TensorBoard event file with loss, rate and gradient
                                   norm of every step and top-1 of every epoch; NULL: none. */
} rc_train_options;

/** Take the images in their own order instead of a new random one per epoch. */
#define RC_TRAIN_IN_ORDER UINT64_C(1)
/** BatchNormalization uses and keeps its running statistics. */
#define RC_TRAIN_FREEZE_BN UINT64_C(2)
/** Activations and their gradients are bfloat16; weights, their gradients, BatchNormalization
 *  statistics and the loss stay f32. A teacher answers in bf16 too; validation runs in f32.
 *  rc_trainer_new() gives RC_ERR_UNSUPPORTED where the processor or ONEDNN_MAX_CPU_ISA has no bf16
 *  (rc_system_info.bf16). @since 0.1 */
#define RC_TRAIN_BF16 UINT64_C(4)

#define RC_TRAIN_OPTIONS_INIT \
    { sizeof(rc_train_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** What a run did. */
typedef struct rc_train_result {
    size_t size;              /**< sizeof(rc_train_result), set by the INIT macro. */
    uint64_t epochs;          /**< Epochs done, those before a resume included. */
    uint64_t steps;           /**< Steps done, those before a resume included. */
    uint64_t best_epoch;      /**< Epoch with the best validation, from 1; 0: no validation. */
    double loss;              /**< Mean training loss of the last epoch. */
    double train_top1;        /**< Accuracy on the last epoch's training batches. [percent] */
    double top1;              /**< Validation of the resulting weights; 0: none. [percent] */
    double seconds;           /**< Time of this call. [s] */
    double images_per_second; /**< Over the steps of this call, without validation, on all ranks.
                                   [1/s] */
    uint64_t activation_bytes; /**< Memory of activations and their gradients. [bytes] */
} rc_train_result;

#define RC_TRAIN_RESULT_INIT { sizeof(rc_train_result), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Prepare a training run.
 *
 * @param[out] out     New trainer; NULL on failure. Release with rc_trainer_free().
 * @param[in]  graph   Trained in place; one input **[N, C, H, W]**, one output **[N, classes]** of
 *                     logits. Borrowed: must outlive the trainer and keep its structure.
 * @param[in]  dataset As many classes as the model, images of its shape. Borrowed.
 * @param[in]  options NULL for defaults.
 * @return RC_OK; RC_ERR_ARG; RC_ERR_SHAPE images or classes do not fit the model; RC_ERR_MODEL the
 *         model cannot be trained (Softmax at the end, no weights); RC_ERR_UNSUPPORTED an operator
 *         has no gradient; RC_ERR_LIMIT `memory` is below what the batch needs at least, which the
 *         message gives; RC_ERR_DATA fewer images than one batch; RC_ERR_BACKEND; RC_ERR_ABI;
 *         RC_ERR_MEMORY.
 * Thread safety: any thread. @since 0.1
 */
RC_API rc_status rc_trainer_new(rc_trainer **out, rc_graph *graph, const rc_dataset *dataset,
                                const rc_train_options *options);

/**
 * Train. The same options, seed and number of threads give the same bytes, also when the run was
 * interrupted and resumed from its checkpoint.
 *
 * @param[out] result May be NULL; its size must be set.
 * @return RC_OK; RC_ERR_CANCELLED after the running step, with the checkpoint written; RC_ERR_STATE
 *         the loss is not finite any more, or the trainer ran already; RC_ERR_FORMAT,
 *         RC_ERR_TRUNCATED the checkpoint is damaged; RC_ERR_ARG it belongs to another model or
 *         other options, or the ranks have different models or options; RC_ERR_DATA; RC_ERR_IO,
 *         RC_ERR_PATH; RC_ERR_BACKEND; RC_ERR_ABI; RC_ERR_MEMORY. On failure the graph holds the
 *         weights of the last step.
 * Not thread safe per trainer. @since 0.1
 */
RC_API rc_status rc_trainer_run(rc_trainer *trainer, rc_train_result *result);

/** The range test's course. Zero means "default" for every member. */
typedef struct rc_rate_test {
    size_t size;    /**< sizeof(rc_rate_test), set by the INIT macro. */
    uint64_t steps; /**< Steps; 0: 100. Range 10..100,000. */
    double first;   /**< First rate; 0: 1e-5. Rates grow by one factor a step. */
    double last;    /**< Last rate; 0: 10. Range (first, 1000]. */
} rc_rate_test;

#define RC_RATE_TEST_INIT { sizeof(rc_rate_test), 0, 0, 0 }

/** What the range test found. */
typedef struct rc_rate_test_result {
    size_t size;     /**< sizeof(rc_rate_test_result), set by the INIT macro. */
    uint64_t steps;  /**< Steps done; fewer than asked where the loss ran away. */
    double rate;     /**< A rate to train with: a tenth of `least`. */
    double least;    /**< Rate with the least smoothed loss. */
    double steepest; /**< Rate at which the smoothed loss fell fastest. */
} rc_rate_test_result;

#define RC_RATE_TEST_RESULT_INIT { sizeof(rc_rate_test_result), 0, 0, 0, 0 }

/**
 * Learning rate range test: a short run whose rate grows from step to step until the loss runs
 * away. Weights, statistics and the optimiser are put back, so that rc_trainer_run() afterwards
 * gives the same bytes as without. The smoothed loss is the mean of all so far, each step counting
 * 0.9 of the one after it.
 *
 * @param[in]  test   NULL for defaults.
 * @param[out] result Its size must be set.
 * @param[out] rates  **[steps]** rate of each step done; may be NULL.
 * @param[out] losses **[steps]** its loss, not smoothed; may be NULL.
 * @return RC_OK; RC_ERR_STATE the trainer ran already; RC_ERR_ARG; RC_ERR_UNSUPPORTED several
 *         ranks; RC_ERR_CANCELLED; RC_ERR_DATA; RC_ERR_BACKEND; RC_ERR_ABI; RC_ERR_MEMORY.
 * Source: Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017. Not thread safe
 * per trainer. @since 0.1
 */
RC_API rc_status rc_trainer_find_rate(rc_trainer *trainer, const rc_rate_test *test,
                                      rc_rate_test_result *result, double *rates, double *losses);

/** Release; accepts NULL, sets *trainer to NULL. @since 0.1 */
RC_API void rc_trainer_free(rc_trainer **trainer);

/**
 * Replace the running statistics of every BatchNormalization by the exact statistics of training
 * images under the present weights. Useful after anything that changed weights or channels.
 *
 * @param[in] images Training images to use, rounded down to whole batches; 0: 2,048 or all.
 * @param[in] batch  Images per run; 0: 128.
 * @return RC_OK; RC_ERR_ARG; RC_ERR_SHAPE; RC_ERR_DATA; RC_ERR_CANCELLED; RC_ERR_BACKEND;
 *         RC_ERR_MEMORY.
 * Source: Li et al., "EagleEye", ECCV 2020. Thread safety: any thread. @since 0.1
 */
RC_API rc_status rc_graph_reestimate_bn(rc_graph *graph, const rc_dataset *dataset,
                                        uint64_t images, uint64_t batch);

RC_END
#endif
