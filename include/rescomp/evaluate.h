/**
 * @file rescomp/evaluate.h
 * Accuracy and loss of a model on a data set.
 */
#ifndef RESCOMP_EVALUATE_H
#define RESCOMP_EVALUATE_H

#include <rescomp/dataset.h>
#include <rescomp/session.h>

RC_BEGIN

/** Zero means "default" for every member. */
typedef struct rc_evaluate_options {
    size_t size;             /**< sizeof(rc_evaluate_options), set by the INIT macro. */
    uint64_t batch;          /**< Images per run; 0: 128, or the model's own when that is fixed. */
    uint64_t threads;        /**< 0: the context's. Range 1..1024. */
    uint64_t images;         /**< Only the first images of the split; 0: all. */
    uint64_t *confusion;     /**< Room for **[classes, classes]** counts, row: label, column:
                                  answer; overwritten. NULL: not wanted. */
    uint64_t confusion_size; /**< Elements of confusion; must be classes x classes. */
    uint64_t flags;          /**< RC_EVALUATE_*; 0: none. */
} rc_evaluate_options;

/** The model computes in bf16, see RC_SESSION_BF16. */
#define RC_EVALUATE_BF16 UINT64_C(1)
/** Integer convolutions compute in f32 where that is faster, see RC_SESSION_MIXED. */
#define RC_EVALUATE_MIXED UINT64_C(2)

#define RC_EVALUATE_OPTIONS_INIT { sizeof(rc_evaluate_options), 0, 0, 0, 0, 0, 0 }

/** What was found. */
typedef struct rc_evaluate_result {
    size_t size;              /**< sizeof(rc_evaluate_result), set by the INIT macro. */
    uint64_t images;          /**< Images evaluated. */
    uint64_t classes;         /**< Classes of the model. */
    double top1;              /**< Label is the first answer. [percent] */
    double top5;              /**< Label is among the first five answers. [percent] */
    double loss;              /**< Mean cross-entropy. */
    double seconds;           /**< Time of the whole evaluation, data included. [s] */
    double images_per_second; /**< Images over the time inside the model. [1/s] */
} rc_evaluate_result;

#define RC_EVALUATE_RESULT_INIT { sizeof(rc_evaluate_result), 0, 0, 0, 0, 0, 0, 0 }

/**
 * Run the images of @p dataset through @p graph and compare the first output with the labels.
 *
 * Equal answers count in favour of the lower class; an answer that is not a number is wrong.
 *
 * @param[in]  graph   One input **[N, C, H, W]**; first output **[N, classes]**, logits or the
 *                     result of a Softmax.
 * @param[in]  dataset As many classes as the model, images of its shape.
 * @param[in]  options NULL for defaults.
 * @param[out] result  Its size must be set.
 * @return RC_OK; RC_ERR_ARG; RC_ERR_SHAPE images or classes do not fit the model; RC_ERR_DATA;
 *         RC_ERR_CANCELLED; RC_ERR_UNSUPPORTED, RC_ERR_BACKEND; RC_ERR_ABI; RC_ERR_MEMORY.
 * Thread safety: any thread. Cost: compiles a session, then one run per batch. @since 0.1
 */
RC_API rc_status rc_evaluate(const rc_graph *graph, const rc_dataset *dataset,
                             const rc_evaluate_options *options, rc_evaluate_result *result);

RC_END
#endif
