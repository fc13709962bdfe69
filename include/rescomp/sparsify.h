/**
 * @file rescomp/sparsify.h
 * Sparse training: a penalty on the weights of whole channels, so that they can be cut afterwards.
 *
 *     graph -> trainer + sparsifier -> the same graph with weak channels -> pruner
 */
#ifndef RESCOMP_SPARSIFY_H
#define RESCOMP_SPARSIFY_H

#include <rescomp/prune.h>
#include <rescomp/train.h>

RC_BEGIN

/** Opaque. A penalty in one training run. One thread at a time. */
typedef struct rc_sparsifier rc_sparsifier;

/** Zero means "default" for every member. Strings and lists are read during the call only. */
typedef struct rc_sparsify_options {
    size_t size;             /**< sizeof(rc_sparsify_options), set by the INIT macro. */
    const char *method;      /**< A "regularizer" method; NULL: "group-lasso". */
    const char *const *keep; /**< Layers whose channels are left alone, as in rc_prune_options. */
    uint64_t keep_count;     /**< Entries of keep. */
    uint64_t trunk;          /**< RC_PRUNE_TRUNK_CUT: residual trunks too; else they are left
                                  alone. */
} rc_sparsify_options;

#define RC_SPARSIFY_OPTIONS_INIT            \
    {                                       \
        sizeof(rc_sparsify_options), 0, 0, 0, 0 \
    }

/**
 * Add a penalty on the groups of channels of the graph that @p trainer trains. It comes on top of
 * the loss, a distiller's too, and of the optimiser's weight decay (methods that are published
 * without decay want "sgd:weight_decay=0"). What it remembers is part of the checkpoint.
 *
 * @param[out] out     New sparsifier; NULL on failure. Must outlive the trainer. Release with
 *                     rc_sparsifier_free().
 * @param[in]  trainer That has not run yet.
 * @param[in]  options NULL for defaults.
 * @return RC_OK; RC_ERR_ARG unknown method, keep pattern without a match, no channels may be cut;
 *         RC_ERR_STATE the trainer ran already; RC_ERR_LIMIT; RC_ERR_ABI; RC_ERR_MEMORY.
 * Cost: some percent of a step. Source: docs/methods/pruning.md. @since 0.1
 */
RC_API rc_status rc_sparsifier_new(rc_sparsifier **out, rc_trainer *trainer,
                                   const rc_sparsify_options *options);

/** Release; accepts NULL, sets *sparsifier to NULL. @since 0.1 */
RC_API void rc_sparsifier_free(rc_sparsifier **sparsifier);

RC_END
#endif
