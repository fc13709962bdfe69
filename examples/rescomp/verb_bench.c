/* Latency and throughput; several models are interleaved so that drift falls on all alike. */
#include "peak.h"
#include "profile.h"
#include "tool.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct option options[] = {
    {"batch", "N", "images per run; default: 1"},
    {"seconds", "S", "time per model; default: 2"},
    {"profile", NULL, "per layer: time, GMAC/s, share of the measured peak; passes over memory"},
    {"reference", NULL, "plain C instead of oneDNN"},
    {"device", "TABLE", "say what a table of profile-device predicts for every model"},
    PRECISION_OPTION_MIXED,
    {NULL, NULL, NULL},
};

struct subject {
    const char *path;
    rc_context *context; /* its own, so that memory is counted per model */
    rc_graph *graph;
    rc_session *session;
    double load_ms;
    uint64_t peak_bytes;
    rc_device_prediction predicted; /* latency_ms 0: no table was given */
};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec * 1e-6;
}

static rc_status prepare(const struct args *a, struct subject *s)
{
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    o.batch = args_count(a, "batch", 1, 1, 65536);
    if (args_flag(a, "reference"))
        o.flags |= RC_SESSION_REFERENCE;
    if (args_flag(a, "profile"))
        o.flags |= RC_SESSION_PROFILE;
    o.flags |= args_precision_flags(a, RC_SESSION_BF16, RC_SESSION_MIXED);
    rc_status st = tool_context(&s->context, a);
    const double begin = now_ms();
    if (st == RC_OK)
        st = tool_load(&s->graph, s->context, a, s->path);
    if (st == RC_OK)
        st = rc_session_new(&s->session, s->graph, &o);
    s->load_ms = now_ms() - begin;
    return st;
}

static void free_subject(struct subject *s)
{
    rc_session_free(&s->session);
    rc_graph_free(&s->graph);
    rc_context_free(&s->context);
}

static void print_json(const struct args *a, const struct subject *s, const rc_latency *r,
                       const rc_system_info *info)
{
    const double peak = args_flag(a, "profile") ? peak_multiply_adds(info->threads) : 0;
    json_open(NULL);
    json_list("models");
    for (unsigned i = 0; i < a->n_positional; i++) {
        json_open(NULL);
        json_text("model", s[i].path);
        json_count("batch", args_count(a, "batch", 1, 1, 65536));
        json_count("threads", info->threads);
        json_count("runs", r[i].runs);
        json_real("min_ms", r[i].min_ms);
        json_real("mean_ms", r[i].mean_ms);
        json_real("median_ms", r[i].median_ms);
        json_real("p90_ms", r[i].p90_ms);
        json_real("p99_ms", r[i].p99_ms);
        json_real("images_per_second", r[i].images_per_second);
        json_real("load_ms", s[i].load_ms);
        json_count("peak_bytes", s[i].peak_bytes);
        json_real("ratio_to_first", r[i].median_ms / r[0].median_ms);
        json_real("joules_per_image", r[i].joules_per_image);
        json_text("energy", r[i].energy);
        if (s[i].predicted.latency_ms > 0) {
            json_real("predicted_ms", s[i].predicted.latency_ms);
            json_real("predicted_joules", s[i].predicted.joules);
        }
        if (args_flag(a, "profile"))
            print_profile(s[i].session, peak, true);
        json_close();
    }
    json_list_close();
    json_text("precision", args_precision(a));
    json_text("isa", info->isa);
    json_text("cpu", info->cpu);
    json_text("onednn", info->onednn);
    json_close();
}

static void print_table(const struct args *a, const struct subject *s, const rc_latency *r,
                        const rc_system_info *info)
{
    const bool csv = args_flag(a, "csv");
    printf(csv ? "%s,%s,%s,%s,%s,%s,%s,%s,%s\n" : "%-40s %6s %9s %9s %9s %9s %11s %8s %7s\n",
           "model", "runs", "min_ms", "median_ms", "p90_ms", "p99_ms", "images/s", "load_ms",
           "ratio");
    for (unsigned i = 0; i < a->n_positional; i++)
        printf(csv ? "%s,%llu,%.4f,%.4f,%.4f,%.4f,%.1f,%.1f,%.3f\n"
                   : "%-40s %6llu %9.3f %9.3f %9.3f %9.3f %11.1f %8.1f %7.3f\n",
               s[i].path, (unsigned long long) r[i].runs, r[i].min_ms, r[i].median_ms, r[i].p90_ms,
               r[i].p99_ms, r[i].images_per_second, s[i].load_ms, r[i].median_ms / r[0].median_ms);
    if (csv)
        return;
    printf("batch %llu, %s, %llu threads, %s, %s, oneDNN %s\n",
           (unsigned long long) args_count(a, "batch", 1, 1, 65536), args_precision(a),
           (unsigned long long) info->threads, info->cpu, info->isa, info->onednn);
    printf("energy:");
    for (unsigned i = 0; i < a->n_positional; i++)
        printf("%s %.4g J an image", i ? "," : "", r[i].joules_per_image);
    printf(" (%s)\n", r[0].energy);
    for (unsigned i = 0; i < a->n_positional; i++)
        if (s[i].predicted.latency_ms > 0)
            printf("%s: predicted %.3f ms (%+.1f %%), %.4g J; %llu of %llu layers were measured\n",
                   s[i].path, s[i].predicted.latency_ms,
                   100 * (s[i].predicted.latency_ms / r[i].median_ms - 1), s[i].predicted.joules,
                   (unsigned long long) s[i].predicted.exact,
                   (unsigned long long) s[i].predicted.layers);
    const double peak = args_flag(a, "profile") ? peak_multiply_adds(info->threads) : 0;
    for (unsigned i = 0; i < a->n_positional && args_flag(a, "profile"); i++) {
        printf("\n%s\n", s[i].path);
        print_profile(s[i].session, peak, false);
    }
}

/* Of the graphs as they are, so at batch 1 unless the table is of another one. */
static rc_status predict(const struct args *a, struct subject *s, unsigned n)
{
    rc_device *device = NULL;
    const char *path = args_text(a, "device", NULL);
    rc_status st = path ? rc_device_load(&device, s[0].context, path) : RC_OK;
    for (unsigned i = 0; i < n && device && st == RC_OK; i++) {
        s[i].predicted = (rc_device_prediction) RC_DEVICE_PREDICTION_INIT;
        st = rc_device_predict(device, s[i].graph, &s[i].predicted);
    }
    rc_device_free(&device);
    return st;
}

static int bench(const struct args *a)
{
    struct subject s[MAX_POSITIONAL];
    rc_session *sessions[MAX_POSITIONAL];
    rc_latency r[MAX_POSITIONAL];
    rc_latency_options o = RC_LATENCY_OPTIONS_INIT;
    rc_system_info info = RC_SYSTEM_INFO_INIT;
    rc_status st = RC_OK;
    const char *at = "bench";
    const unsigned n = a->n_positional;
    memset(s, 0, sizeof(s));
    o.seconds = args_real(a, "seconds", 0, 0.001, 3600);
    for (unsigned i = 0; i < n && st == RC_OK; i++) {
        r[i] = (rc_latency) RC_LATENCY_INIT;
        s[i].path = a->positional[i];
        st = prepare(a, &s[i]);
        sessions[i] = s[i].session;
    }
    if (st == RC_OK)
        st = predict(a, s, n);
    if (st == RC_OK)
        st = rc_measure_latency(s[0].context, sessions, n, &o, r);
    for (unsigned i = 0; i < n && st == RC_OK; i++)
        st = rc_context_get_memory(s[i].context, NULL, &s[i].peak_bytes);
    if (st == RC_OK)
        st = rc_system_get_info(s[0].context, &info);
    if (st == RC_OK)
        (args_flag(a, "json") ? print_json : print_table)(a, s, r, &info);
    const int code = st == RC_OK ? EXIT_DONE : tool_fail(at);
    for (unsigned i = 0; i < n; i++)
        free_subject(&s[i]);
    return code;
}

const struct verb verb_bench = {
    "bench", "MODEL...", "latency and throughput, models side by side", 1, MAX_POSITIONAL,
    options, bench};
