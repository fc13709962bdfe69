/**
 * @file rescomp/distill.h
 * Knowledge distillation: a trainer's loss also looks at the answers of a teacher model.
 */
#ifndef RESCOMP_DISTILL_H
#define RESCOMP_DISTILL_H

#include <rescomp/train.h>

RC_BEGIN

/** Opaque. A teacher and a loss. One thread at a time. */
typedef struct rc_distiller rc_distiller;

/** Zero means "default" for every member. Strings are read during the call only. */
typedef struct rc_distill_options {
    size_t size;          /**< sizeof(rc_distill_options), set by the INIT macro. */
    double temperature;   /**< Softens both distributions; 0: what loss says, or 4. */
    double alpha;         /**< Weight of the teacher against the labels; 0: what loss says, or 0.7.
                               Range (0, 1]. */
    const char *loss;     /**< "distill-loss" methods joined by +, as in "hinton+at:weight=500";
                               NULL: "hinton". */
    uint64_t cache_bytes; /**< Most memory for teacher answers that are seen again; 0: 256 MiB;
                               RC_ZERO: keep none. [bytes] */
    const char *const *hints; /**< **[hint_count]** Which values losses on features compare, each
                               "student=teacher": names of values, or patterns of them (* ? [...])
                               whose matches are paired in order. No commas. NULL: found, see
                               docs/methods/losses.md. */
    uint64_t hint_count;      /**< Length of hints. Range 0..64. */
} rc_distill_options;

#define RC_DISTILL_OPTIONS_INIT                   \
    {                                             \
        sizeof(rc_distill_options), 0, 0, 0, 0, 0 \
    }

/**
 * Make a distiller.
 *
 * @param[out] out     New distiller; NULL on failure. Release with rc_distiller_free().
 * @param[in]  teacher Copied. Its first output must be logits **[N, classes]**.
 * @param[in]  options NULL for defaults.
 * @return RC_OK; RC_ERR_ARG; RC_ERR_MODEL the teacher ends in a Softmax; RC_ERR_ABI; RC_ERR_MEMORY.
 * Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015. @since 0.1
 */
RC_API rc_status rc_distiller_new(rc_distiller **out, const rc_graph *teacher,
                                  const rc_distill_options *options);

/**
 * Use @p distiller's loss in @p trainer instead of its own. Teacher answers are kept and used again
 * when the trainer has no augmentation, or repeats it (rc_train_options.replays). Losses on
 * features read them where the student computes them; a convolution that joins two shapes is
 * trained along and is not part of the model.
 *
 * @param[in] distiller Borrowed: must outlive the trainer. Attached to one trainer only.
 * @return RC_OK; RC_ERR_ARG a hint matches nothing; RC_ERR_STATE attached already, or the trainer
 *         has a loss hook; RC_ERR_SHAPE classes or input shapes of teacher and student differ, or
 * no features of theirs fit; RC_ERR_UNSUPPORTED, RC_ERR_BACKEND; RC_ERR_MEMORY.
 * @since 0.1
 */
RC_API rc_status rc_distiller_attach(rc_distiller *distiller, rc_trainer *trainer);

/** Release; accepts NULL, sets *distiller to NULL. @since 0.1 */
RC_API void rc_distiller_free(rc_distiller **distiller);

RC_END
#endif
