/* The border of latencies, and of what is known of the processor. */
#include "exec/measure.h"
#include "api/check.h"
#include "kernel/onednn/engine.h"

#include <pthread.h>
#include <string.h>

RC_ABI_NO_TAIL(rc_latency_options, warmup);
RC_ABI_NO_TAIL(rc_latency, energy);
RC_ABI_NO_TAIL(rc_system_info, cpu_given);

/* The results of all lie on the stack. */
enum { MAX_SESSIONS = 64, MAX_RUNS = 10000000 };

static rc_status measure_options_read(rc_latency_options *o, const rc_latency_options *caller)
{
    RC_TRY(rci_abi_read(o, sizeof(*o), caller, "rc_latency_options"));
    if (o->seconds == 0)
        o->seconds = 2;
    /* written so that NaN is refused */
    if (!(o->seconds > 0 && o->seconds <= 3600))
        return rci_fail(RC_ERR_ARG, "seconds is %g, allowed is (0, 3600]", o->seconds);
    if (!o->min_runs)
        o->min_runs = 10;
    if (!o->max_runs)
        o->max_runs = 100000;
    /* 0 is "not set"; RC_ZERO says none */
    o->warmup = o->warmup == RC_ZERO ? 0 : o->warmup ? o->warmup : 3;
    if (o->min_runs > o->max_runs || o->max_runs > MAX_RUNS)
        return rci_fail(
            RC_ERR_ARG, "min_runs is %llu and max_runs %llu, allowed is 1 <= min <= max <= %d",
            (unsigned long long) o->min_runs, (unsigned long long) o->max_runs, MAX_RUNS);
    if (o->warmup > MAX_RUNS)
        return rci_fail(RC_ERR_ARG, "warmup is %llu, allowed is up to %d",
                        (unsigned long long) o->warmup, MAX_RUNS);
    return RC_OK;
}

/* An array of the caller's structs has the caller's stride: the size that the first one says. */
static rc_status check_results(void *results, uint64_t count, size_t *stride)
{
    RC_TRY(rci_abi_clear(results, "rc_latency"));
    memcpy(stride, results, sizeof(*stride));
    for (uint64_t i = 1; i < count; i++) {
        size_t size;
        memcpy(&size, (char *) results + i * *stride, sizeof(size));
        if (size != *stride)
            return rci_fail(RC_ERR_ABI, "rc_latency.size of results[%llu] is %zu, of the first %zu",
                            (unsigned long long) i, size, *stride);
    }
    return RC_OK;
}

rc_status rc_measure_latency(rc_context *context, rc_session *const *sessions, uint64_t count,
                             const rc_latency_options *options, rc_latency *results)
{
    rc_latency_options o;
    rc_latency full[MAX_SESSIONS];
    size_t stride;
    RC_CHECK(context, context);
    RC_CHECK_SET(sessions);
    RC_CHECK_SET(results);
    if (count < 1 || count > MAX_SESSIONS)
        return rci_fail(RC_ERR_ARG, "count is %llu, allowed is 1..%d", (unsigned long long) count,
                        MAX_SESSIONS);
    for (uint64_t i = 0; i < count; i++)
        if (!rci_session_valid(sessions[i]))
            return rci_fail(RC_ERR_ARG, "sessions[%llu] is NULL, not a session, or was freed",
                            (unsigned long long) i);
    RC_TRY(measure_options_read(&o, options));
    RC_TRY(check_results(results, count, &stride));
    memset(full, 0, sizeof(full));
    RC_TRY(rci_measure_latency(context, sessions, (uint32_t) count, &o, full));
    for (uint64_t i = 0; i < count; i++)
        RC_TRY(
            rci_abi_write((char *) results + i * stride, &full[i], sizeof(full[0]), "rc_latency"));
    return RC_OK;
}

static char onednn[RC_ONEDNN_VERSION]; /* written once: callers keep pointers to it */

static void read_version(void)
{
    rci_onednn_version(onednn);
}

/* Texts that live as long as the library and are never rewritten: what the self-test found, which
 * cannot change, and what the environment variable RESCOMP_SELF_TEST makes of it. */
static const char *keep_message(rc_status st, const char *text)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char kept[2][512];
    const char *found = "oneDNN self-test failed";
    if (st == RC_OK)
        return "";
    if (st == RC_ERR_MEMORY)
        return "out of memory";
    pthread_mutex_lock(&lock);
    for (int i = 0; i < 2; i++) {
        if (!kept[i][0])
            strncpy(kept[i], text, sizeof(kept[i]) - 1);
        if (!strncmp(kept[i], text, sizeof(kept[i]) - 1)) {
            found = kept[i];
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

rc_status rc_system_get_info(rc_context *context, rc_system_info *info)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    RC_CHECK(context, context);
    RC_CHECK_SET(info);
    pthread_once(&once, read_version);
    const struct rci_cpu *cpu = context->cpu;
    const rc_status st = rci_engine_self_test(context);
    const rc_system_info full = {
        .size = sizeof(full),
        .version = rc_version_string(),
        .onednn = onednn,
        .isa = cpu->isa,
        .cpu = cpu->model,
        .threads = rci_context_threads(context),
        .vnni = rci_cpu_dot8(cpu),
        .bf16 = cpu->bf16,
#ifdef RC_HAVE_PNG
        .png = 1,
#endif
#ifdef RC_HAVE_JPEG
        .jpeg = 1,
#endif
        .self_test = st,
        .self_test_message = keep_message(st, rci_error_text()),
        .l1_bytes = cpu->l1,
        .l2_bytes = cpu->l2,
        .l3_bytes = cpu->l3,
        .cores = cpu->cores,
        .cpu_given = cpu->given,
    };
    return rci_abi_write(info, &full, sizeof(full), "rc_system_info");
}
