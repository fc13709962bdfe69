#include "totals.h"

#include <stdio.h>

static rc_status totals_take(struct totals *t, const rc_graph *graph, const char *path,
                             rc_dataset *data)
{
    *t = (struct totals){.info = RC_GRAPH_INFO_INIT, .top1 = -1, .median_ms = -1};
    rc_status st = rc_graph_get_info(graph, &t->info);
    if (path)
        t->file_bytes = tool_file_bytes(path);
    if (st == RC_OK && data) {
        rc_evaluate_result e = RC_EVALUATE_RESULT_INIT;
        st = rc_evaluate(graph, data, NULL, &e);
        t->top1 = e.top1;
    }
    return st;
}

rc_status totals_time(rc_context *context, const rc_graph *before, const rc_graph *after,
                      struct totals *b, struct totals *f)
{
    rc_session *s[2] = {NULL, NULL};
    rc_latency r[2] = {RC_LATENCY_INIT, RC_LATENCY_INIT};
    rc_latency_options o = RC_LATENCY_OPTIONS_INIT;
    o.seconds = 1;
    rc_status st = rc_session_new(&s[0], before, NULL);
    if (st == RC_OK)
        st = rc_session_new(&s[1], after, NULL);
    if (st == RC_OK)
        st = rc_measure_latency(context, s, 2, &o, r);
    if (st == RC_OK) {
        b->median_ms = r[0].median_ms;
        f->median_ms = r[1].median_ms;
    }
    rc_session_free(&s[0]);
    rc_session_free(&s[1]);
    return st;
}

void totals_json(const char *key, const struct totals *t)
{
    json_open(key);
    json_count("parameters", t->info.parameters);
    json_count("macs", t->info.macs);
    json_count("weight_bytes", t->info.weight_bytes);
    json_count("file_bytes", t->file_bytes);
    if (t->top1 >= 0)
        json_real("top1", t->top1);
    if (t->median_ms >= 0)
        json_real("median_ms", t->median_ms);
    json_close();
}

static void row(const char *what, double b, double a, const char *unit)
{
    char left[32], right[32];
    printf("%-16s %12s %12s %-4s", what, tool_short(b, left, sizeof(left)),
           tool_short(a, right, sizeof(right)), unit);
    if (a > 0)
        printf(" %6.2fx", b / a);
    printf("\n");
}

void totals_table(const struct totals *b, const struct totals *a)
{
    printf("%-16s %12s %12s\n", "", "before", "after");
    if (b->top1 >= 0 && a->top1 >= 0)
        printf("%-16s %12.2f %12.2f %%    %+.2f points\n", "top-1, test", b->top1, a->top1,
               a->top1 - b->top1);
    row("multiply-adds", (double) b->info.macs, (double) a->info.macs, "");
    row("parameters", (double) b->info.parameters, (double) a->info.parameters, "");
    row("weights", (double) b->info.weight_bytes, (double) a->info.weight_bytes, "B");
    if (b->file_bytes && a->file_bytes)
        row("file", (double) b->file_bytes, (double) a->file_bytes, "B");
    if (b->median_ms >= 0 && a->median_ms >= 0)
        printf("%-16s %12.3f %12.3f ms   %6.2fx\n", "latency, batch 1", b->median_ms, a->median_ms,
               b->median_ms / a->median_ms);
}

int totals_report(const struct totals_job *j, void (*steps)(const void *user), const void *user)
{
    struct totals b, f;
    rc_status st = totals_take(&b, j->before, j->a->positional[0], j->test);
    if (st == RC_OK)
        st = totals_take(&f, j->after, j->out, j->test);
    if (st == RC_OK)
        st = totals_time(j->context, j->before, j->after, &b, &f);
    if (st != RC_OK)
        return tool_fail(j->verb);
    if (!args_flag(j->a, "json")) {
        totals_table(&b, &f);
        return EXIT_DONE;
    }
    json_open(NULL);
    json_text("model", j->out);
    totals_json("before", &b);
    totals_json("after", &f);
    json_list("steps");
    steps(user);
    json_list_close();
    json_close();
    return EXIT_DONE;
}
