/**
 * @file rescomp/recipe.h
 * A whole compression as data: prune, recover by distillation, quantize, measure after every step,
 * and try a step again, milder, when it costs more accuracy than allowed.
 *
 * A recipe is a JSON object; docs/recipe.md lists its steps and their options:
 *
 *     { "schema": 1, "steps": [
 *         { "step": "prune", "macs": 0.6, "round_to": 8 },
 *         { "step": "train", "epochs": 5, "lr": 0.01, "distill": true },
 *         { "step": "quantize", "observer": "mse" } ] }
 */
#ifndef RESCOMP_RECIPE_H
#define RESCOMP_RECIPE_H

#include <rescomp/dataset.h>
#include <rescomp/device.h>
#include <rescomp/graph.h>
#include <rescomp/report.h>

RC_BEGIN

/** State of a run. Strings are valid during the callback. */
typedef struct rc_compress_progress {
    size_t size;        /**< sizeof(rc_compress_progress) of this library. */
    const char *stage;  /**< What is being done, such as "prune, attempt 2". */
    const char *detail; /**< One line of figures, or "". */
    double fraction;    /**< Of this stage, 0..1. */
    uint64_t index;     /**< Stage, from 1. */
    uint64_t stages;    /**< All stages. */
} rc_compress_progress;

/** Called on the thread that called rc_compress(). */
typedef void (*rc_compress_progress_fn)(void *user, const rc_compress_progress *progress);

/** A cost of the caller's own, such as the time on a simulator.
 *  @param[out] cost Finite and above 0. @return 0, or anything else to fail with RC_ERR_DATA. */
typedef int32_t (*rc_compress_cost_fn)(void *user, const rc_graph *graph, double *cost);

/** Zero means "default" for every member. */
typedef struct rc_compress_options {
    size_t size;           /**< sizeof(rc_compress_options), set by the INIT macro. */
    const char *recipe;    /**< JSON text; NULL: the default recipe, see rc_recipe_get_default(). */
    const rc_dataset *train; /**< Must be set: images to prune and train with. */
    const rc_dataset *calib; /**< Must be set: images to calibrate on, and to decide by
                                  what is kept; not in train. */
    const rc_dataset *test;  /**< Only measured, before and after; NULL: not. */
    const rc_graph *teacher; /**< To distil from; NULL: the graph as given. */
    double max_drop;       /**< Most top-1 that may be lost on calib; 0: 1; RC_ZERO_REAL:
                                nothing. Range (0, 100]. [percentage points] */
    double size_ratio;     /**< Goal: file bytes after / before; 0: none. Range (0, 1]. */
    double latency_ratio;  /**< Goal: latency at batch 1 after / before; 0: none. Range (0, 1]. */
    const char *target;    /**< A method of kind "target": how channels are rounded and integers
                                are made, see docs/recipe.md; NULL: "cpu". */
    const char *folder;    /**< Finished stages and checkpoints are kept there; NULL: nowhere. The
                                folder is made when only its last part is missing. */
    uint64_t resume;       /**< 1: continue from what folder holds for the same recipe and graph. */
    const char *table;     /**< File for the calibration table (JSON) of the quantization
                                that was kept; NULL: none. */
    rc_report *report;     /**< Every attempt is added to it; NULL: none. Borrowed. */
    rc_compress_progress_fn progress; /**< NULL: none. */
    void *progress_user;   /**< Its first argument. */
    double macs_ratio;     /**< Goal: multiply-adds after / before; 0: none. Range (0, 1]. */
    double energy_ratio;   /**< Goal: energy of an image after / before; 0: none. Range (0, 1]. */
    double cost_ratio;     /**< Goal: what cost says after / before; 0: none. Range (0, 1]. */
    rc_compress_cost_fn cost; /**< A cost of the caller's own; must be set with cost_ratio. */
    void *cost_user;       /**< Its first argument. */
    double minutes;        /**< Time for all of it, training included, when goals are to be reached
                                (see rc_compress()); 0: 10. Not with recipe. [min] */
    const rc_device *device; /**< Latency and energy are those that it predicts; NULL: measured
                                  here. Not with recipe. */
    uint64_t packed;       /**< 1: file bytes after are those of a packed file. */
    const char *points;    /**< Folder: the model of every measured point is written there, as
                                point-K.onnx; NULL: nowhere. Not with recipe. */
    const char *search;    /**< A "searcher" method: looks among widths within the goals for those
                                with the best accuracy before training; NULL: by losses alone. Not
                                with recipe. */
    uint64_t evaluations;  /**< Policies that it tries, in at most 40 % of the time; 0: 16. At most
                                1,000,000. */
} rc_compress_options;

#define RC_COMPRESS_OPTIONS_INIT                                                        \
    {                                                                                   \
        sizeof(rc_compress_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
            0, 0, 0, 0, 0, 0, 0, 0, 0                                                   \
    }

/** What a run gained: _before of the graph as given, _after of the result. */
typedef struct rc_compress_result {
    size_t size;                  /**< sizeof(rc_compress_result), set by the INIT macro. */
    double top1_before;           /**< On test, or on calib without test. [percent] */
    double top1_after;            /**< On the same images. [percent] */
    double calib_top1_before;     /**< On calib. [percent] */
    double calib_top1_after;      /**< On calib. [percent] */
    double median_ms_before;      /**< Latency at batch 1. [ms] */
    double median_ms_after;       /**< Both from one interleaved run. [ms] */
    uint64_t file_bytes_before;   /**< As ONNX. [bytes] */
    uint64_t file_bytes_after;    /**< As ONNX. [bytes] */
    uint64_t weight_bytes_before; /**< Of all weights. [bytes] */
    uint64_t weight_bytes_after;  /**< Of all weights. [bytes] */
    uint64_t macs_before;         /**< Multiply-adds for one image. */
    uint64_t macs_after;          /**< Multiply-adds for one image. */
    uint64_t parameters_before;   /**< Weight elements. */
    uint64_t parameters_after;    /**< Weight elements. */
    uint64_t attempts;            /**< Attempts made over all stages. */
    uint64_t kept;                /**< Stages whose result was kept. */
    double seconds;               /**< Time of this call. [s] */
    double joules_before;         /**< Energy of an image. [J] */
    double joules_after;          /**< As rc_latency, or the device, says. [J] */
} rc_compress_result;

#define RC_COMPRESS_RESULT_INIT \
    { sizeof(rc_compress_result), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Compress a copy of @p graph.
 *
 * A stage is a recipe step, for "prune" together with the "train" steps behind it. After each stage
 * accuracy, latency, size, multiply-adds and parameters are measured. A stage that would lose more
 * than max_drop against the graph as given is tried again milder, and given up when that does not
 * help; the last state that was good enough is the result.
 *
 * Without a recipe, and with a goal besides max_drop or with minutes, the goals are reached for
 * instead: widths of all layers are chosen for least loss within the costs that the goals allow,
 * by times of layers where latency or energy is a goal; what was cut is measured, and budgets are
 * corrected both ways; weights get 8 bits, or 4 where that meets the size with less loss; training
 * takes the minutes that are left, in rounds, and ends when all goals are met. Without a goal of
 * cost the smallest network within max_drop is looked for. Every measured point is in the report.
 * A call that is cancelled gives the best point so far.
 *
 * @param[out] out    The best result; NULL only on failure. Release with rc_graph_free().
 * @param[in]  graph  Read only.
 * @param[out] result May be NULL.
 * @return RC_OK; RC_ERR_GOAL a goal was not reached, or a stage was given up: *out is the nearest
 *         there is, and the message says what was missed by how much; RC_ERR_ARG also goals that
 *         cannot be reached, which is known before anything is trained;
 *         RC_ERR_FORMAT the recipe is not valid, the message names the key; RC_ERR_CANCELLED
 *         *out may be set, to the best so far; RC_ERR_IO, RC_ERR_PATH; whatever the steps return.
 * Cost: that of the steps. @since 0.1
 */
RC_API rc_status rc_compress(rc_graph **out, const rc_graph *graph,
                             const rc_compress_options *options, rc_compress_result *result);

/** The default recipe as JSON text. Static. @since 0.1 */
RC_API const char *rc_recipe_get_default(void);

/** Check a recipe. @return RC_OK; RC_ERR_ARG; RC_ERR_FORMAT the message names the key;
 *  RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_recipe_check(rc_context *context, const char *recipe);

RC_END
#endif
