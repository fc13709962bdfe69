#ifndef TOTALS_H
#define TOTALS_H
#include "tool.h"
/* What `before` and `after` of prune, quantize and compress hold. */
struct totals {
    rc_graph_info info;
    uint64_t file_bytes;
    double top1, median_ms; /* negative: not measured */
};

/* Size and cost of a graph, file size of `path`, top-1 on `data` (NULL: not measured). */
rc_status totals_take(struct totals *t, const rc_graph *graph, const char *path, rc_dataset *data);
/* Latency at batch 1 of both, interleaved. */
rc_status totals_time(rc_context *context, const rc_graph *before, const rc_graph *after,
                      struct totals *b, struct totals *f);
void totals_json(const char *key, const struct totals *t);
void totals_table(const struct totals *before, const struct totals *after);
#endif
