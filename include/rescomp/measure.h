/**
 * @file rescomp/measure.h
 * Measure latency side by side, and say what machine and kernels the figures are from.
 */
#ifndef RESCOMP_MEASURE_H
#define RESCOMP_MEASURE_H

#include <rescomp/session.h>

RC_BEGIN

/** How long to measure; zero means default. */
typedef struct rc_latency_options {
    size_t size;       /**< sizeof(rc_latency_options), set by the INIT macro. */
    double seconds;    /**< Time per session after warm-up; 0: 2. Range (0, 3600]. [s] */
    uint64_t min_runs; /**< At least this many runs of each; 0: 10. */
    uint64_t max_runs; /**< At most this many runs of each; 0: 100,000. */
    uint64_t warmup;   /**< Runs of each that are not counted; 0: 3; RC_ZERO: none. At most
                            10,000,000. */
} rc_latency_options;

#define RC_LATENCY_OPTIONS_INIT                \
    {                                          \
        sizeof(rc_latency_options), 0, 0, 0, 0 \
    }

/** Times of one session. Percentiles are nearest rank: sorted[ceil(p * runs) - 1]. */
typedef struct rc_latency {
    size_t size;              /**< sizeof(rc_latency), set by the caller. */
    uint64_t runs;            /**< Counted runs. */
    double min_ms;            /**< Fastest run. [ms] */
    double mean_ms;           /**< Mean. [ms] */
    double median_ms;         /**< 50th percentile. [ms] */
    double p90_ms;            /**< 90th percentile. [ms] */
    double p99_ms;            /**< 99th percentile; 0 with fewer than 100 runs. [ms] */
    double images_per_second; /**< Batch size / median. [1/s] */
    double joules_per_image;  /**< Energy of an image: what energy says. [J] */
    const char *energy;       /**< "RAPL": counted by the processor over all runs, of all that it
                                   did meanwhile; else the assumption, such as "time x 10 W for
                                   each thread". Lives as long as the library. */
} rc_latency;

#define RC_LATENCY_INIT                               \
    {                                                 \
        sizeof(rc_latency), 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/**
 * Run sessions in turn, A B C A B C ..., on the same kind of random input at their compiled batch,
 * so that a machine that drifts slows all of them alike.
 *
 * @param[in]  context  Allocates the inputs; its cancel callback is asked between rounds.
 * @param[in]  sessions @p count sessions (1..64).
 * @param[in]  options  NULL for defaults.
 * @param[out] results  @p count structs with `size` set, all to the same.
 * @return RC_OK; RC_ERR_ARG; RC_ERR_ABI; RC_ERR_CANCELLED; RC_ERR_MEMORY; errors of running.
 * Cost: count * seconds. @since 0.1
 */
RC_API rc_status rc_measure_latency(rc_context *context, rc_session *const *sessions,
                                    uint64_t count, const rc_latency_options *options,
                                    rc_latency *results);

/** What figures depend on. Strings live as long as the library. */
typedef struct rc_system_info {
    size_t size;         /**< sizeof(rc_system_info), set by the caller. */
    const char *version; /**< Of this library. */
    const char *onednn;  /**< Of oneDNN. */
    const char *isa;     /**< Instruction set that oneDNN uses, as limited by its environment. */
    const char *cpu;     /**< Processor name. */
    uint64_t threads;    /**< Of the context. */
    uint64_t vnni;       /**< 1: 8-bit products accumulate exactly in hardware. */
    uint64_t bf16;       /**< 1: bfloat16 instructions. */
    uint64_t png;        /**< 1: PNG images can be read. */
    uint64_t jpeg;       /**< 1: JPEG images can be read. */
    int64_t self_test;   /**< rc_status of oneDNN's start-up self-test. */
    const char *self_test_message; /**< "" when it passed. */
    uint64_t l1_bytes;             /**< First-level data cache of a core. [bytes] */
    uint64_t l2_bytes;             /**< L2 cache of a core. [bytes] */
    uint64_t l3_bytes;             /**< Third-level cache, shared by cores; 0: none. [bytes] */
    uint64_t cores;                /**< Logical processors that the process may use. */
    const char
        *cpu_given; /**< What the environment variable RESCOMP_CPU says of them; "": nothing. */
} rc_system_info;

#define RC_SYSTEM_INFO_INIT                                                    \
    {                                                                          \
        sizeof(rc_system_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/** @return RC_OK, also when the self-test failed (see self_test); RC_ERR_ARG; RC_ERR_ABI.
 *  @since 0.1 */
RC_API rc_status rc_system_get_info(rc_context *context, rc_system_info *info);

RC_END
#endif
