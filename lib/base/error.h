#ifndef RC_LIB_BASE_ERROR_H
#define RC_LIB_BASE_ERROR_H
#include <rescomp/base.h>
#include <stdbool.h>

#if defined(__GNUC__)
#define RC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define RC_PRINTF(fmt, args)
#endif

/* Record a message for this thread and hand back `st`, so that a failure is one
 * statement. Formats into a fixed buffer: safe when memory is exhausted. Control
 * characters in the text are escaped, so names from files are safe to pass. */
rc_status rci_fail(rc_status st, const char *fmt, ...) RC_PRINTF(2, 3);

/* Put "prefix: " before the message that is already recorded (for example the file name). */
rc_status rci_fail_prefix(rc_status st, const char *fmt, ...) RC_PRINTF(2, 3);

/* Append one more line-free piece, cut off at the end of the buffer. */
void rci_fail_append(const char *fmt, ...) RC_PRINTF(1, 2);

const char *rci_error_text(void);

/* Forward a failure unchanged; the callee already said what happened. */
#define RC_TRY(call)                       \
    do {                                   \
        const rc_status rci_try_ = (call); \
        if (rci_try_ != RC_OK)             \
            return rci_try_;               \
    } while (0)

/* The same for functions that hold something: jumps to the single exit label. */
#define RC_TRY_OUT(st, call)          \
    do {                              \
        if (((st) = (call)) != RC_OK) \
            goto out;                 \
    } while (0)
#endif
