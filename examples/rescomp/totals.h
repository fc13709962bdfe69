#ifndef TOTALS_H
#define TOTALS_H
#include "tool.h"
/* What `before` and `after` of prune, quantize and compress hold. */
struct totals {
    rc_graph_info info;
    uint64_t file_bytes;
    double top1, median_ms; /* negative: not measured */
};

/* Latency at batch 1 of both, interleaved. */
rc_status totals_time(rc_context *context, const rc_graph *before, const rc_graph *after,
                      struct totals *b, struct totals *f);
void totals_json(const char *key, const struct totals *t);
void totals_table(const struct totals *before, const struct totals *after);

struct totals_job {
    const struct args *a;   /* --json, and the model read */
    const char *verb, *out; /* out: the model written */
    rc_context *context;
    const rc_graph *before, *after;
    rc_dataset *test; /* NULL: top-1 is not measured */
};
/* Measures both and prints a table, or JSON in which `steps` writes the objects of "steps". An exit
 * code. */
int totals_report(const struct totals_job *j, void (*steps)(const void *user), const void *user);
#endif
