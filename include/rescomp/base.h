/**
 * @file rescomp/base.h
 * Status codes, the last error, versions, and the context every other object is made from.
 */
#ifndef RESCOMP_BASE_H
#define RESCOMP_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define RC_BEGIN extern "C" {
#define RC_END }
#else
#define RC_BEGIN
#define RC_END
#endif

#if defined(__GNUC__)
#define RC_API __attribute__((visibility("default")))
#else
#define RC_API
#endif

/** The version these headers are of. rc_version_number() is that of the library in use. */
#define RC_VERSION_MAJOR 0
#define RC_VERSION_MINOR 1
#define RC_VERSION_PATCH 0
/** One number that grows with the version: major * 1,000,000 + minor * 1,000 + patch. */
#define RC_VERSION_NUMBER \
    (UINT64_C(1000000) * RC_VERSION_MAJOR + UINT64_C(1000) * RC_VERSION_MINOR + RC_VERSION_PATCH)

/** The number 0 where a member's 0 means its default: for counts (uint64_t) ... */
#define RC_ZERO UINT64_MAX
/** ... and for reals (double). Members that take them say so. */
#define RC_ZERO_REAL (-1.0)

RC_BEGIN

/** Result of every call that can fail. Values are frozen; new ones are appended. */
typedef enum rc_status {
    RC_OK = 0,
    RC_ERR_ARG = -1,         /**< An argument breaks a documented rule. */
    RC_ERR_MEMORY = -2,      /**< The allocator returned NULL or the context's cap was reached. */
    RC_ERR_ABI = -3,         /**< An options struct asks for something this build does not know (a
                                  longer struct, an unknown flag), or its `size` is wrong. */
    RC_ERR_UNSUPPORTED = -4, /**< Valid, but not implemented (operator, version, data type). */
    RC_ERR_SHAPE = -5,       /**< Operand shapes do not fit together. */
    RC_ERR_FORMAT = -6,      /**< The bytes are not the format they should be. */
    RC_ERR_TRUNCATED = -7,   /**< The bytes end too early. */
    RC_ERR_LIMIT = -8,       /**< A limit of the context was exceeded. */
    RC_ERR_MODEL = -9,       /**< Well-formed file, but not a valid model. */
    RC_ERR_IO = -10,         /**< Reading or writing failed, or the path is not a regular file. */
    RC_ERR_PATH = -11,       /**< No such file, no permission, or a path that is not allowed. */
    RC_ERR_DATA = -12,       /**< A data set or image is invalid. */
    RC_ERR_STATE = -13,      /**< The object is not in a state that allows the call. */
    RC_ERR_CANCELLED = -14,  /**< The cancel callback asked to stop. */
    RC_ERR_BACKEND = -15,    /**< oneDNN failed or failed its self-test. */
    RC_ERR_GOAL = -16        /**< Finished, but a requested goal was not reached: outputs hold the
                                  best there is, as with RC_OK. */
} rc_status;

/**
 * Message of the last failure on the calling thread: one line that names the thing, its value
 * and what is allowed.
 *
 * @return Never NULL; "" if nothing failed yet. Valid until the next rc_* call on this thread.
 * Thread safety: any thread; each thread has its own message.
 * @since 0.1
 */
RC_API const char *rc_last_error(void);

/** Short name of a status, such as "RC_ERR_SHAPE"; "RC_ERR_UNKNOWN" for other numbers.
 *  Thread safety: any thread. @since 0.1 */
RC_API const char *rc_status_name(rc_status status);

/** Version of the library as "major.minor.patch". Thread safety: any thread. @since 0.1 */
RC_API const char *rc_version_string(void);

/** The same as RC_VERSION_NUMBER counts it. Thread safety: any thread. @since 0.1 */
RC_API uint64_t rc_version_number(void);

/** Opaque. Carries allocator, limits, threads, seed, log and cancel callbacks. Everything made
 *  from a context must be freed before it. Several threads may use one context. */
typedef struct rc_context rc_context;

/** Severity of a log line: the higher, the graver. Levels to come lie between or beyond. */
typedef enum rc_log_level {
    RC_LOG_DEBUG = 10,
    RC_LOG_INFO = 20,
    RC_LOG_WARNING = 30
} rc_log_level;

/** One line without newline; level: an rc_log_level. May be called from the thread that made the
 *  library call. */
typedef void (*rc_log_fn)(void *user, int32_t level, const char *line);
/** Return non-zero to stop the running call, which then returns RC_ERR_CANCELLED. */
typedef int32_t (*rc_cancel_fn)(void *user);
/** Return memory of @p size bytes aligned to @p alignment (a power of two), or NULL. */
typedef void *(*rc_allocate_fn)(void *user, size_t size, size_t alignment);
/** Give back what rc_allocate_fn returned. Never called with NULL. */
typedef void (*rc_release_fn)(void *user, void *memory);

/** Zero means "default" for every member. */
typedef struct rc_context_options {
    size_t size;             /**< sizeof(rc_context_options), set by the INIT macro. */
    rc_allocate_fn allocate; /**< NULL: the C library's. Set both or none. */
    rc_release_fn release;   /**< NULL: the C library's. */
    void *allocator_user;    /**< First argument of both. */
    uint64_t max_memory;     /**< Cap on live bytes of this context; 0: none. [bytes] */
    uint64_t threads;        /**< 0: what OpenMP was told, else by cores, quota. Range 1..1024. */
    uint64_t seed;           /**< Seed of everything random. */
    rc_log_fn log;           /**< NULL: silent. */
    void *log_user;          /**< First argument of log. */
    rc_cancel_fn cancel;     /**< NULL: never. Asked between steps. */
    void *cancel_user;       /**< First argument of cancel. */
    uint64_t max_file_bytes; /**< Largest file read into memory; 0: 2 GiB - 1. [bytes] */
    uint64_t max_nodes;      /**< Most nodes of a model file; 0: 65,536. */
    uint64_t flags;          /**< RC_CONTEXT_*; 0: none. */
    const char *choices;     /**< Which implementation of a layer is fastest is measured when a
                                  session is made, and remembered. A file keeps that for later
                                  processes: it is read by rc_context_new(), need not exist, and is
                                  added to after each session. "off" measures nothing: a fixed rule
                                  decides, so that a machine gives the same bits each time. NULL or
                                  "": what the environment variable RESCOMP_CHOICES says in the same
                                  way, else the process remembers. See docs/execution.md. */
} rc_context_options;

/** Run every operator on its plain-C reference instead of oneDNN. Slow; for comparison. */
#define RC_CONTEXT_REFERENCE UINT64_C(1)
/** Hold every thread of compute to a processor of its own (docs/threading.md). @since 0.1 */
#define RC_CONTEXT_PIN UINT64_C(2)

#define RC_CONTEXT_OPTIONS_INIT \
    { sizeof(rc_context_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Make a context.
 * @param[out] out     New context; NULL on failure. Release with rc_context_free().
 * @param[in]  options NULL for defaults. Read during the call only.
 * @return RC_OK; RC_ERR_ARG value out of range; RC_ERR_ABI; RC_ERR_MEMORY. For the file of choices
 *         RC_ERR_PATH, RC_ERR_IO, RC_ERR_LIMIT (larger than 1 MiB), RC_ERR_TRUNCATED, RC_ERR_FORMAT
 *         (not such a file, or damaged), RC_ERR_UNSUPPORTED (of a later version); it is never
 *         overwritten then.
 * Thread safety: any thread. Cost: none, or reading that file. @since 0.1
 */
RC_API rc_status rc_context_new(rc_context **out, const rc_context_options *options);

/** Release; all objects made from it must be gone. As every rc_x_free(): accepts NULL and a pointer
 *  to NULL, leaves a handle of another kind alone, sets *context to NULL. @since 0.1 */
RC_API void rc_context_free(rc_context **context);

/** Live and peak bytes allocated through @p context. Either pointer may be NULL.
 *  @return RC_OK; RC_ERR_ARG. Thread safety: any thread. @since 0.1 */
RC_API rc_status rc_context_get_memory(const rc_context *context, uint64_t *live, uint64_t *peak);

RC_END
#endif
