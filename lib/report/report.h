#ifndef RC_LIB_REPORT_REPORT_H
#define RC_LIB_REPORT_REPORT_H
/* What a run reports, collected first and written at the end. */
#include "base/file.h"
#include "exec/session.h"
#include "graph/graph.h"
#include "report/diagram.h"
#include <rescomp/report.h>

struct rci_report_fact {
    char *name, *value;
};

/* [0] before, [1] after. */
struct rci_report_layer {
    char *name, *op;
    uint32_t width[2]; /* output channels; 0: the layer is not there */
    uint64_t macs[2];
    double ms[2]; /* 0: not measured */
};

struct rc_report {
    uint64_t magic;
    struct rc_context *ctx;
    char *title;
    struct rci_report_fact *facts;
    uint32_t n_facts, cap_facts;
    rc_report_step *steps;     /* texts owned */
    rc_report_step summary[2]; /* before, after; name NULL: what the steps say */
    uint32_t n_steps, cap_steps;
    struct rci_report_layer *layers;
    uint32_t n_layers, cap_layers, last_hit;
    bool timed;
    bool compares;          /* two runs, "A" and "B", in place of before and after */
    uint32_t split;         /* then the steps of B begin here */
    struct rci_diagram diagram; /* of the graph after */
    struct rci_buffer text; /* what the last rc_report_get_json or rc_report_get_html gave out */
};

enum { RCI_REPORT_SCHEMA = 1 }; /* of the JSON; raised when a key changes its meaning */

rc_status rci_report_new(struct rc_report **out, struct rc_context *c, const char *title);
bool rci_report_valid(const struct rc_report *r); /* magic */
void rci_report_free(struct rc_report *r);
rc_status rci_report_set_fact(struct rc_report *r, const char *name, const char *value);
rc_status rci_report_add_step(struct rc_report *r, const rc_report_step *step);
rc_status rci_report_set_summary(struct rc_report *r, int32_t which, const rc_report_step *step);
rc_status rci_report_set_layers(struct rc_report *r, const struct rc_graph *before,
                                const struct rc_graph *after);
rc_status rci_report_set_times(struct rc_report *r, int32_t which, const struct rc_session *s);
/* `path`: report.json, or the folder that holds it. */
rc_status rci_report_load(struct rc_report **out, struct rc_context *c, const char *path);
rc_status rci_report_compare(struct rc_report **out, const struct rc_report *a,
                             const struct rc_report *b);
/* What column `which` is of: "before", "after", or a capital; "A", "B" of a comparison. */
const char *rci_report_label(const struct rc_report *r, int which, bool capital);
struct rci_report_layer *rci_report_find_layer(struct rc_report *r, const char *name);
rc_status rci_report_add_layer(struct rc_report *r, const char *name, const char *op,
                               struct rci_report_layer **out);
rc_status rci_report_write_json(struct rc_report *r);
rc_status rci_report_write_html(struct rc_report *r);
rc_status rci_report_save(struct rc_report *r, const char *folder);

/* No other step is as accurate with fewer multiply-adds, bytes and milliseconds, as far as both
 * were measured. */
bool rci_report_on_front(const struct rc_report *r, uint32_t step);
/* NULL while there is no step. */
const rc_report_step *rci_report_before(const struct rc_report *r);
const rc_report_step *rci_report_after(const struct rc_report *r);
#endif
