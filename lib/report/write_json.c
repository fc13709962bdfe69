/* The report as JSON; figures that were not measured are null. */
#include "base/json.h"
#include "report/report.h"

#include <float.h>

static void put_count(struct rci_json_writer *w, const char *key, uint64_t v)
{
    if (v)
        rci_json_put_integer(w, key, (int64_t) v);
    else
        rci_json_put_null(w, key);
}

static void put_real(struct rci_json_writer *w, const char *key, double v)
{
    if (v != 0)
        /* DBL_MIN is a measured 0 (report.c) */
        rci_json_put_number(w, key, v > DBL_MIN ? v : 0);
    else
        rci_json_put_null(w, key);
}

/* The figures of a step, and those of both summaries. */
static void put_figures(struct rci_json_writer *w, const rc_report_step *s)
{
    put_real(w, "top1", s->top1);
    if (s->top1_on[0])
        rci_json_put_text(w, "top1_on", s->top1_on);
    else
        rci_json_put_null(w, "top1_on");
    put_real(w, "median_ms", s->median_ms);
    put_count(w, "parameters", s->parameters);
    put_count(w, "macs", s->macs);
    put_count(w, "weight_bytes", s->weight_bytes);
    put_count(w, "file_bytes", s->file_bytes);
}

static void put_state(struct rci_json_writer *w, const char *key, const rc_report_step *s)
{
    if (!s) {
        rci_json_put_null(w, key);
        return;
    }
    rci_json_begin_object(w, key);
    rci_json_put_text(w, "step", s->name);
    put_figures(w, s);
    rci_json_end_object(w);
}

static void put_steps(struct rci_json_writer *w, const struct rc_report *r)
{
    rci_json_begin_array(w, "steps");
    for (uint32_t i = 0; i < r->n_steps; i++) {
        const rc_report_step *s = &r->steps[i];
        rci_json_begin_object(w, NULL);
        rci_json_put_text(w, "name", s->name);
        put_figures(w, s);
        put_real(w, "seconds", s->seconds);
        rci_json_put_bool(w, "kept", s->kept);
        rci_json_put_bool(w, "front", rci_report_on_front(r, i));
        rci_json_put_text(w, "note", s->note);
        rci_json_end_object(w);
    }
    rci_json_end_array(w);
}

static void put_layers(struct rci_json_writer *w, const struct rc_report *r)
{
    rci_json_begin_array(w, "layers");
    for (uint32_t i = 0; i < r->n_layers; i++) {
        const struct rci_report_layer *l = &r->layers[i];
        rci_json_begin_object(w, NULL);
        rci_json_put_text(w, "name", l->name);
        rci_json_put_text(w, "op", l->op);
        put_count(w, "width_before", l->width[0]);
        put_count(w, "width_after", l->width[1]);
        put_count(w, "macs_before", l->macs[0]);
        put_count(w, "macs_after", l->macs[1]);
        put_real(w, "ms_before", l->ms[0]);
        put_real(w, "ms_after", l->ms[1]);
        rci_json_end_object(w);
    }
    rci_json_end_array(w);
}

rc_status rci_report_write_json(struct rc_report *r)
{
    rci_buffer_free(&r->text);
    /* errors stay in the writer until rci_json_finish() */
    struct rci_json_writer w = rci_json_writer_make(&r->text, false);
    rci_json_begin_object(&w, NULL);
    rci_json_put_integer(&w, "schema", RCI_REPORT_SCHEMA);
    rci_json_put_text(&w, "title", r->title);
    rci_json_begin_object(&w, "facts");
    for (uint32_t i = 0; i < r->n_facts; i++)
        rci_json_put_text(&w, r->facts[i].name, r->facts[i].value);
    rci_json_end_object(&w);
    put_state(&w, "before", rci_report_before(r));
    put_state(&w, "after", rci_report_after(r));
    put_steps(&w, r);
    put_layers(&w, r);
    rci_json_end_object(&w);
    RC_TRY(rci_json_finish(&w));
    return rci_buffer_append(&r->text, "", 1);
}
