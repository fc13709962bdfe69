#ifndef RC_LIB_API_CHECK_H
#define RC_LIB_API_CHECK_H
/* What every public function checks first: handles and pointers. Each handle begins with a number
 * that says what it is, so that one of another kind, or one that was freed, is an error. */
#include "base/abi.h"
#include "base/error.h"

static inline rc_status rci_check_handle(bool valid, const void *handle, const char *name,
                                         const char *kind)
{
    if (valid)
        return RC_OK;
    if (!handle)
        return rci_fail(RC_ERR_ARG, "%s is NULL", name);
    return rci_fail(RC_ERR_ARG, "%s is not a %s, or was freed", name, kind);
}

/* Leave with RC_ERR_ARG unless `handle` is one of `kind` (context, graph, session, ...). */
#define RC_CHECK(kind, handle) \
    RC_TRY(rci_check_handle(rci_##kind##_valid(handle), (handle), #handle, #kind))

/* The same for a handle that may be NULL; `name`: as the caller knows it. */
#define RC_CHECK_OPTIONAL(kind, handle, name) \
    RC_TRY(rci_check_handle(!(handle) || rci_##kind##_valid(handle), (handle), (name), #kind))

static inline rc_status rci_check_set(const void *pointer, const char *name)
{
    return pointer ? RC_OK : rci_fail(RC_ERR_ARG, "%s is NULL", name);
}

/* Leave with RC_ERR_ARG when a pointer that must be given is NULL. */
#define RC_CHECK_SET(pointer) RC_TRY(rci_check_set((pointer), #pointer))

/* For functions that make an object: *out is NULL until they succeed. */
#define RC_CHECK_OUT(out)  \
    do {                   \
        RC_CHECK_SET(out); \
        *(out) = NULL;     \
    } while (0)

/* Leave with RC_ERR_ARG unless index < count. */
static inline rc_status rci_check_index(const char *what, uint64_t index, uint64_t count)
{
    if (index < count)
        return RC_OK;
    return rci_fail(RC_ERR_ARG, "%s %llu does not exist, there are %llu", what,
                    (unsigned long long) index, (unsigned long long) count);
}

/* The body of every rc_x_free(): NULL, a pointer to NULL and half-built objects are fine, a handle
 * of another kind is not touched, and the variable is NULL afterwards. */
#define RC_FREE(kind, handle)              \
    do {                                   \
        if (!(handle))                     \
            return;                        \
        if (rci_##kind##_valid(*(handle))) \
            rci_##kind##_free(*(handle));  \
        *(handle) = NULL;                  \
    } while (0)
#endif
