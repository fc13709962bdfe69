/**
 * @file rescomp/device.h
 * What a model costs on a device: a table of times of layers, measured here with the kernels that
 * sessions run, or written by another device; and the latency and energy that it predicts for a
 * graph that was never run there.
 *
 *     graphs -> [profile] -> device -> save;   load -> device -> [predict] <- graph
 */
#ifndef RESCOMP_DEVICE_H
#define RESCOMP_DEVICE_H

#include <rescomp/graph.h>

RC_BEGIN

/** Opaque. Any number of threads may predict with it. */
typedef struct rc_device rc_device;

/** What is being timed. @p fraction 0..1. */
typedef void (*rc_device_progress_fn)(void *user, const char *what, double fraction);

/** Zero means "default" for every member. Strings are read during the call only. */
typedef struct rc_device_options {
    size_t size;            /**< sizeof(rc_device_options), set by the INIT macro. */
    const char *name;       /**< Of the device; NULL: the processor's. */
    const char *precisions; /**< Of "f32", "int8" and "bf16", with commas; NULL: "f32,int8". */
    uint64_t batch;         /**< Images in a run; 0: 1. Range 1..65,536. */
    uint64_t cuts;    /**< Narrower copies of every graph that are timed, with random channels of
                           every group; 0: 24. Range 1..1,000. */
    double seconds;   /**< Time for each of them and each precision; 0: 0.2. Range (0, 60]. [s] */
    uint64_t seed;    /**< Of the cuts; 0: the context's. */
    double watts;     /**< Power of the device while it computes; 0: measured by RAPL where that is
                           readable, else 10 for each thread. Up to 1,000,000. [W] */
    rc_device_progress_fn progress; /**< NULL: none. */
    void *progress_user;            /**< Its first argument. */
} rc_device_options;

#define RC_DEVICE_OPTIONS_INIT { sizeof(rc_device_options), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Time the layers of @p graphs and of narrower copies of them on this machine.
 *
 * Times are taken inside whole networks, so that weights and activations come from where they come
 * from in use, and of everything between two layers; integer layers in copies that are quantized.
 *
 * @param[out] out    New table; NULL on failure. Release with rc_device_free().
 * @param[in]  graphs **[count]** float graphs, 1..64. Read only.
 * @return RC_OK; RC_ERR_ARG; RC_ERR_UNSUPPORTED bf16 on a processor without; RC_ERR_CANCELLED;
 *         RC_ERR_MEMORY; what pruning, quantizing and running return.
 * Cost: count * (cuts + 1) * precisions * (seconds + compiling). @since 0.1
 */
RC_API rc_status rc_device_profile(rc_device **out, rc_context *context,
                                   const rc_graph *const *graphs, uint64_t count,
                                   const rc_device_options *options);

/** Read a table; docs/search.md has the format.
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_FORMAT the message names the key; RC_ERR_PATH, RC_ERR_IO;
 *  RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_device_load(rc_device **out, rc_context *context, const char *path);

/** Write a table, whole or not at all. @return RC_OK; RC_ERR_ARG; RC_ERR_PATH, RC_ERR_IO;
 *  RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_device_save(const rc_device *device, const char *path);

/** Release; accepts NULL, sets *device to NULL. @since 0.1 */
RC_API void rc_device_free(rc_device **device);

/** What a table is of. Strings are borrowed from the device. */
typedef struct rc_device_info {
    size_t size;        /**< sizeof(rc_device_info), set by the INIT macro. */
    const char *name;   /**< Of the device. */
    const char *energy; /**< Where energies are from, such as "RAPL" or an assumption. */
    uint64_t batch;     /**< Images in a run. */
    uint64_t threads;   /**< That its times were taken with. */
    uint64_t layers;    /**< Kinds of layers: work, size and precision. */
    uint64_t times;     /**< Measured times of all of them. */
    double watts;       /**< Power that energies without a measurement are reckoned with. [W] */
    double overhead_ms; /**< Of a run, beside its layers. [ms] */
} rc_device_info;

#define RC_DEVICE_INFO_INIT { sizeof(rc_device_info), 0, 0, 0, 0, 0, 0, 0, 0 }

/** @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_device_get_info(const rc_device *device, rc_device_info *info);

/** What a graph would cost. */
typedef struct rc_device_prediction {
    size_t size;       /**< sizeof(rc_device_prediction), set by the INIT macro. */
    double latency_ms; /**< Of a run of the table's batch. [ms] */
    double joules;     /**< Of one image. [J] */
    uint64_t layers;   /**< Layers with weights of the graph. */
    uint64_t exact;    /**< Of them, those whose very channels were measured. */
} rc_device_prediction;

#define RC_DEVICE_PREDICTION_INIT { sizeof(rc_device_prediction), 0, 0, 0, 0 }

/**
 * Predict latency and energy of @p graph; quantized layers count as int8.
 *
 * @return RC_OK; RC_ERR_ARG; RC_ERR_DATA the table lacks a kind of layer, the message names it;
 *         RC_ERR_ABI; RC_ERR_MEMORY.
 * Thread safety: any thread. Cost: microseconds for each layer. @since 0.1
 */
RC_API rc_status rc_device_predict(const rc_device *device, const rc_graph *graph,
                                   rc_device_prediction *prediction);

RC_END
#endif
