/* Your own allocator, a cap on memory, cancelling, the log - and what errors look like.
 * The program checks all that it claims and returns 1 if something else happens. */
#include <rescomp/rescomp.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct host {
    uint64_t blocks;      /* live blocks; several threads may allocate */
    uint64_t allocations; /* since the start */
    int asked;            /* how often the library asked whether to stop */
    int stop_at;
};

static void *host_allocate(void *user, size_t size, size_t alignment)
{
    struct host *host = user;
    __atomic_fetch_add(&host->blocks, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&host->allocations, 1, __ATOMIC_RELAXED);
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void host_release(void *user, void *memory)
{
    struct host *host = user;
    __atomic_fetch_sub(&host->blocks, 1, __ATOMIC_RELAXED);
    free(memory);
}

static int32_t host_cancel(void *user)
{
    struct host *host = user;
    return ++host->asked >= host->stop_at;
}

static void host_log(void *user, int32_t level, const char *line)
{
    (void) user; /* the library itself never prints */
    fprintf(stderr, "[%s] %s\n", level >= RC_LOG_WARNING ? "warning" : "info", line);
}

static int failures;

/* Every failing call leaves one line that says what, where, and what is allowed. */
static void expect(const char *what, rc_status expected, rc_status status)
{
    printf("%-28s %-16s %s\n", what, rc_status_name(status), status ? rc_last_error() : "");
    failures += status != expected;
}

static rc_status context_new(rc_context **out, struct host *host, uint64_t cap)
{
    rc_context_options options = RC_CONTEXT_OPTIONS_INIT;
    options.allocate = host_allocate; /* reached by file parsers too, so a cap is real */
    options.release = host_release;
    options.allocator_user = host;
    options.max_memory = cap;
    options.cancel = host_cancel;
    options.cancel_user = host;
    options.log = host_log;
    options.threads = 2;
    options.seed = 1;
    return rc_context_new(out, &options);
}

static void mistakes(rc_context *context, const rc_graph *graph)
{
    rc_graph *none = NULL;
    rc_session *session = NULL;
    expect("a missing file", RC_ERR_PATH, rc_graph_load(&none, context, "/no/such.onnx"));
    expect("bytes that are no model", RC_ERR_FORMAT,
           rc_graph_load_memory(&none, context, "not a model", 11));
    expect("an unknown network", RC_ERR_ARG,
           rc_graph_new_network(&none, context, "resnet21", NULL));
    rc_session_options options = RC_SESSION_OPTIONS_INIT;
    options.threads = 5000;
    expect("an option out of range", RC_ERR_ARG, rc_session_new(&session, graph, &options));
    expect("a NULL pointer", RC_ERR_ARG, rc_session_new(&session, NULL, NULL));
    failures += none != NULL || session != NULL; /* failed calls give nothing out */
}

/* Long calls ask between their steps; here measuring is stopped at the third question. */
static void cancelled(rc_context *context, const rc_graph *graph, struct host *host)
{
    rc_session *session = NULL;
    rc_latency latency = RC_LATENCY_INIT;
    expect("a session", RC_OK, rc_session_new(&session, graph, NULL));
    host->asked = 0;
    host->stop_at = 3;
    expect("cancelled", RC_ERR_CANCELLED, rc_measure_latency(context, &session, 1, NULL, &latency));
    host->stop_at = INT32_MAX;
    rc_session_free(&session);
}

static void capped(void)
{
    struct host host = {.stop_at = INT32_MAX};
    rc_context *context = NULL;
    rc_graph *graph = NULL;
    expect("a context of 512 KiB", RC_OK, context_new(&context, &host, 512 << 10));
    expect("a network of 90 MB in it", RC_ERR_MEMORY,
           rc_graph_new_network(&graph, context, "resnet50", NULL));
    rc_context_free(&context);
    printf("%" PRIu64 " blocks left\n", host.blocks);
    failures += host.blocks != 0; /* what was made before the cap was reached is gone */
}

int main(void)
{
    struct host host = {.stop_at = INT32_MAX};
    rc_context *context = NULL;
    rc_graph *graph = NULL;
    uint64_t live = 0, peak = 0;
    expect("a context", RC_OK, context_new(&context, &host, 0));
    expect("a network", RC_OK, rc_graph_new_network(&graph, context, "resnet8", NULL));
    mistakes(context, graph);
    cancelled(context, graph, &host);
    rc_context_get_memory(context, &live, &peak);
    printf("%" PRIu64 " bytes in use, at most %" PRIu64 ", by %" PRIu64 " allocations\n", live,
           peak, host.allocations);
    rc_graph_free(&graph);
    rc_graph_free(&graph); /* twice is fine: the first call set it to NULL */
    rc_context_free(&context);
    failures += host.blocks != 0;
    capped();
    if (failures)
        fprintf(stderr, "09_memory_and_errors: %d things were not as expected\n", failures);
    return failures != 0;
}
