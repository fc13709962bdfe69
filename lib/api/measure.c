#include "exec/measure.h"
#include "base/abi.h"
#include "kernel/onednn/engine.h"

#include <stdatomic.h>
#include <string.h>

RC_ABI_NO_TAIL(rc_latency_options, warmup);
RC_ABI_NO_TAIL(rc_latency, images_per_second);
RC_ABI_NO_TAIL(rc_system_info, self_test_message);

static rc_status resolve(rc_latency_options *o, const rc_latency_options *caller)
{
    RC_TRY(rci_abi_read(o, sizeof(*o), sizeof(*o), caller, "rc_latency_options"));
    if (o->seconds == 0)
        o->seconds = 2;
    if (!(o->seconds > 0 && o->seconds <= 3600))
        return rci_fail(RC_ERR_ARG, "seconds is %g, allowed is (0, 3600]", o->seconds);
    if (!o->min_runs)
        o->min_runs = 10;
    if (!o->max_runs)
        o->max_runs = 100000;
    if (!o->warmup)
        o->warmup = 3;
    if (o->min_runs > o->max_runs || o->max_runs > 10000000)
        return rci_fail(RC_ERR_ARG,
                        "min_runs is %llu and max_runs %llu, allowed is 1 <= min <= max"
                        " <= 10,000,000",
                        (unsigned long long) o->min_runs, (unsigned long long) o->max_runs);
    return RC_OK;
}

rc_status rc_measure_latency(rc_context *context, rc_session *const *sessions, uint64_t count,
                             const rc_latency_options *options, rc_latency *results)
{
    rc_latency_options o;
    rc_latency full[64];
    if (!rci_context_valid(context) || !sessions || !results)
        return rci_fail(RC_ERR_ARG, "context, sessions or results is NULL");
    if (count < 1 || count > 64)
        return rci_fail(RC_ERR_ARG, "count is %llu, allowed is 1..64", (unsigned long long) count);
    for (uint64_t i = 0; i < count; i++)
        if (!sessions[i])
            return rci_fail(RC_ERR_ARG, "sessions[%llu] is NULL", (unsigned long long) i);
    RC_TRY(resolve(&o, options));
    memset(full, 0, sizeof(full));
    RC_TRY(rci_latency_measure(context, sessions, (uint32_t) count, &o, full));
    for (uint64_t i = 0; i < count; i++)
        RC_TRY(
            rci_abi_write(&results[i], sizeof(full[0]), &full[i], sizeof(full[0]), "rc_latency"));
    return RC_OK;
}

/* Written once, under a flag: the strings must outlive every context. */
static struct {
    struct rci_cpu_info cpu;
    char message[512];
} system_text;

rc_status rc_system_get_info(rc_context *context, rc_system_info *info)
{
    static atomic_flag busy = ATOMIC_FLAG_INIT;
    if (!rci_context_valid(context) || !info)
        return rci_fail(RC_ERR_ARG, "%s is NULL", info ? "context" : "info");
    while (atomic_flag_test_and_set(&busy))
        ;
    rci_cpu_info(&system_text.cpu);
    const rc_status st = rci_engine_self_test(context);
    strncpy(system_text.message, st == RC_OK ? "" : rci_error_text(),
            sizeof(system_text.message) - 1);
    atomic_flag_clear(&busy);
    const rc_system_info full = {
        .size = sizeof(full),
        .version = rc_version_string(),
        .onednn = system_text.cpu.onednn,
        .isa = system_text.cpu.isa,
        .cpu = system_text.cpu.model,
        .threads = rci_context_threads(context),
        .vnni = system_text.cpu.vnni,
        .bf16 = system_text.cpu.bf16,
#ifdef RC_HAVE_PNG
        .png = 1,
#endif
#ifdef RC_HAVE_JPEG
        .jpeg = 1,
#endif
        .self_test = st,
        .self_test_message = system_text.message,
    };
    return rci_abi_write(info, sizeof(full), &full, sizeof(full), "rc_system_info");
}
