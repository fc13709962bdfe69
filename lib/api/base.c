/* The border of contexts, versions, statuses and errors. RC_ABI_NO_TAIL(struct, last) here and in
 * its neighbours proves that a public struct ends with that member: with padding behind it, two
 * versions of the struct could have the same size. */
#include "api/check.h"
#include "base/context.h"
#include "kernel/choice/choice.h"
#include "kernel/cpu_threads.h"

#include <stdlib.h>

RC_ABI_NO_TAIL(rc_context_options, choices);

const char *rc_last_error(void)
{
    return rci_error_text();
}

const char *rc_version_string(void)
{
    return RC_VERSION;
}

uint64_t rc_version_number(void)
{
    return RC_VERSION_NUMBER;
}

const char *rc_status_name(rc_status status)
{
    /* statuses are 0, -1, -2 ... */
    static const char *const names[] = {
        "RC_OK",          "RC_ERR_ARG",    "RC_ERR_MEMORY",    "RC_ERR_ABI",   "RC_ERR_UNSUPPORTED",
        "RC_ERR_SHAPE",   "RC_ERR_FORMAT", "RC_ERR_TRUNCATED", "RC_ERR_LIMIT", "RC_ERR_MODEL",
        "RC_ERR_IO",      "RC_ERR_PATH",   "RC_ERR_DATA",      "RC_ERR_STATE", "RC_ERR_CANCELLED",
        "RC_ERR_BACKEND", "RC_ERR_GOAL",
    };
    const int64_t i = -(int64_t) status;
    /* a status of a newer library, or a number that never was one */
    return i >= 0 && i < (int64_t) (sizeof(names) / sizeof(names[0])) ? names[i] : "RC_ERR_UNKNOWN";
}

rc_status rc_context_new(rc_context **out, const rc_context_options *options)
{
    rc_context_options o;
    RC_CHECK_OUT(out);
    RC_TRY(rci_abi_read(&o, sizeof(o), options, "rc_context_options"));
    RC_TRY(
        rci_abi_check_flags(o.flags, RC_CONTEXT_REFERENCE | RC_CONTEXT_PIN, "rc_context_options"));
    RC_TRY(rci_context_new(out, &o));
    /* the option goes before the environment; an empty text counts as none */
    const bool told = o.choices && *o.choices;
    rc_status st = rci_cpu_open(*out);
    if (st == RC_OK && !o.threads)
        rci_cpu_default_threads(*out);
    if (st == RC_OK)
        st = rci_choice_open(*out, told ? o.choices : getenv("RESCOMP_CHOICES"));
    if (st != RC_OK)
        rc_context_free(out);
    return st;
}

void rc_context_free(rc_context **context)
{
    /* choices lie in memory of the context */
    if (context && rci_context_valid(*context))
        rci_choice_close(*context);
    RC_FREE(context, context);
}

rc_status rc_context_get_memory(const rc_context *context, uint64_t *live, uint64_t *peak)
{
    RC_CHECK(context, context);
    /* counters are atomic: other threads may be allocating */
    if (live)
        *live = atomic_load(&((rc_context *) context)->live);
    if (peak)
        *peak = atomic_load(&((rc_context *) context)->peak);
    return RC_OK;
}
