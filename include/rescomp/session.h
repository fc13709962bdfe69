/**
 * @file rescomp/session.h
 * Run a graph: compiled once for a largest batch, then executed without allocating.
 */
#ifndef RESCOMP_SESSION_H
#define RESCOMP_SESSION_H

#include <rescomp/graph.h>

RC_BEGIN

/** Opaque. Independent of its graph after creation. One thread at a time per session. */
typedef struct rc_session rc_session;

/** Zero means "default" for every member. */
typedef struct rc_session_options {
    size_t size;      /**< sizeof(rc_session_options), set by the INIT macro. */
    uint64_t batch;   /**< Largest batch; 0: 1. Graphs with a fixed batch accept only theirs. */
    uint64_t threads; /**< 0: the context's. Range 1..1024. */
    uint64_t flags;   /**< RC_SESSION_*; 0: none. */
    const char *const *observe; /**< Names of further values to give out, behind the outputs; read
                                     during rc_session_new() only. */
    uint64_t observe_count;     /**< Entries of observe, 0..4096. */
} rc_session_options;

/** Run every operator on its plain-C reference (slow; to compare against). */
#define RC_SESSION_REFERENCE UINT64_C(1)
/** Collect per-step times for rc_session_get_step(). */
#define RC_SESSION_PROFILE UINT64_C(2)
/** Convolutions, pooling and linear layers compute in bfloat16 and add up in f32; inputs and
 *  outputs stay f32. RC_ERR_UNSUPPORTED where the processor or ONEDNN_MAX_CPU_ISA has no bf16
 *  (rc_system_info.bf16) and together with RC_SESSION_REFERENCE. @since 0.1 */
#define RC_SESSION_BF16 UINT64_C(4)
/** Integer convolutions compute their sums in f32 where that is measured to be faster here, with
 *  the conversions before and behind. Outputs of such a layer can be off by one step: f32 kernels
 *  (Winograd's) round, integer ones do not. Other networks: no effect. Where the context's choices
 *  are "off" nothing is measured and all stay in integers. @since 0.1 */
#define RC_SESSION_MIXED UINT64_C(8)

#define RC_SESSION_OPTIONS_INIT { sizeof(rc_session_options), 0, 0, 0, 0, 0 }

/**
 * Compile @p graph.
 *
 * @param[out] out     New session; NULL on failure. Release with rc_session_free().
 * @param[in]  graph   Read during the call only.
 * @param[in]  options NULL for defaults.
 * @return RC_OK; RC_ERR_ARG also for an unknown name in observe;
 *         RC_ERR_SHAPE the batch does not fit the graph; RC_ERR_UNSUPPORTED an
 *         operator cannot run; RC_ERR_BACKEND; RC_ERR_ABI; RC_ERR_MEMORY.
 * Cost: creates kernels, milliseconds to a second. @since 0.1
 */
RC_API rc_status rc_session_new(rc_session **out, const rc_graph *graph,
                                const rc_session_options *options);

/**
 * Compile the model in a file, which rc_graph_load() would read. For models that are only to be
 * run: no graph stays, so loading takes half the memory and less time than in two steps.
 *
 * @param[out] out     New session; NULL on failure. Release with rc_session_free().
 * @param[in]  context Must outlive the session.
 * @param[in]  path    UTF-8, a regular file.
 * @param[in]  options NULL for defaults.
 * @return RC_OK; what rc_graph_load() and rc_session_new() return.
 * @since 0.1
 */
RC_API rc_status rc_session_load(rc_session **out, rc_context *context, const char *path,
                                 const rc_session_options *options);

/** Release; accepts NULL, sets *session to NULL. @since 0.1 */
RC_API void rc_session_free(rc_session **session);

/**
 * Run on @p images images.
 *
 * @param[in]  images  1..batch.
 * @param[in]  inputs  One array per graph input, row-major f32 **[images, C, H, W]**. [normalised]
 * @param[out] outputs One array per output, row-major **[images, ...]**, or of the whole shape
 * where rc_session_io_info.batched is 0; NULL entries are skipped.
 * @return RC_OK; RC_ERR_ARG images out of range or a NULL array; RC_ERR_STATE called from a forked
 *         child; RC_ERR_BACKEND.
 * Allocates nothing. Not thread safe per session. @since 0.1
 */
RC_API rc_status rc_session_run(rc_session *session, uint64_t images, const float *const *inputs,
                                float *const *outputs);

/** Number of inputs; 0 for NULL. @since 0.1 */
RC_API uint64_t rc_session_count_inputs(const rc_session *session);

/** Number of outputs, the observed values included; 0 for NULL. @since 0.1 */
RC_API uint64_t rc_session_count_outputs(const rc_session *session);

/** An input or output, at the compiled batch. */
typedef struct rc_session_io_info {
    size_t size;      /**< sizeof(rc_session_io_info), set by the INIT macro. */
    const char *name; /**< Borrowed from the session. */
    uint64_t rank;    /**< Dimensions. */
    int64_t shape[8]; /**< The first `rank` count; the first of them is the batch, where batched. */
    uint64_t batched; /**< 1: arrays hold as many images as rc_session_run() is asked for; 0: always
                           the whole shape (a sum over images, weights that are an output). */
} rc_session_io_info;

#define RC_SESSION_IO_INFO_INIT                  \
    {                                            \
        sizeof(rc_session_io_info), 0, 0, {0}, 0 \
    }

/** Input @p index. @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_session_get_input(const rc_session *session, uint64_t index,
                                      rc_session_io_info *info);

/** Output @p index. @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_session_get_output(const rc_session *session, uint64_t index,
                                       rc_session_io_info *info);

/** One executed step, for profiles. All numbers are totals since creation. */
typedef struct rc_session_step_info {
    size_t size;        /**< Set by the caller. */
    const char *name;   /**< Node name, borrowed from the session. */
    const char *op;     /**< Operator, or "reorder". */
    const char *kernel; /**< Implementation. */
    const char *layout; /**< Memory layout of the output. */
    double seconds;     /**< Total time. [s] */
    uint64_t runs;      /**< Executions. */
    uint64_t macs;      /**< Multiply-adds per execution. */
    uint64_t bytes;     /**< Bytes read and written per execution. */
} rc_session_step_info;

#define RC_SESSION_STEP_INFO_INIT { sizeof(rc_session_step_info), 0, 0, 0, 0, 0, 0, 0, 0 }

/** Number of steps. @since 0.1 */
RC_API uint64_t rc_session_count_steps(const rc_session *session);
/** @return RC_OK; RC_ERR_ARG; RC_ERR_ABI. @since 0.1 */
RC_API rc_status rc_session_get_step(const rc_session *session, uint64_t index,
                                     rc_session_step_info *info);

/** Bytes of activations (arena) and packed weights held. Either may be NULL. @since 0.1 */
RC_API rc_status rc_session_get_memory(const rc_session *session, uint64_t *activations,
                                   uint64_t *weights);

RC_END
#endif
