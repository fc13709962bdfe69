/* The report as one page: facts, before and after, steps, plots, layers. */
#include "report/page.h"
#include <math.h>

static void write_head(struct rci_page *p, const struct rc_report *r)
{
    rci_page_raw(p, "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n"
                    "<head><meta charset=\"utf-8\"/>\n<meta name=\"viewport\" "
                    "content=\"width=device-width, initial-scale=1\"/>\n"
                    "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>");
    rci_page_text(p, r->title);
    rci_page_raw(p, "</title>\n");
    rci_page_style(p);
    rci_page_raw(p, "</head>\n<body><main>\n<h1>");
    rci_page_text(p, r->title);
    rci_page_raw(p, "</h1>\n");
}

static void write_facts(struct rci_page *p, const struct rc_report *r)
{
    if (r->n_facts == 0)
        return;
    rci_page_raw(p, "<dl>\n");
    for (uint32_t i = 0; i < r->n_facts; i++) {
        rci_page_raw(p, "<dt>");
        rci_page_text(p, r->facts[i].name);
        rci_page_raw(p, "</dt><dd>");
        rci_page_text(p, r->facts[i].value);
        rci_page_raw(p, "</dd>\n");
    }
    rci_page_raw(p, "</dl>\n");
}

/* "1.50x less", "+0.25 points"; nothing where a figure was not measured. */
static void write_change(struct rci_page *p, double before, double after, enum rci_unit unit)
{
    if (before == 0 || after == 0) {
        rci_page_raw(p, "<td></td>");
        return;
    }
    /* accuracies are compared by difference, everything else by ratio */
    const bool points = unit == RC_UNIT_PERCENT;
    const double worth = points ? after - before : before / after - 1;
    rci_page_format(p, "<td class=\"%s\">", worth >= 0 ? "better" : "worse");
    if (points) {
        rci_page_raw(p, worth >= 0 ? "+" : "\xE2\x88\x92");
        rci_page_real(p, fabs(worth), 2);
        rci_page_raw(p, " points</td>");
        return;
    }
    rci_page_real(p, worth >= 0 ? before / after : after / before, 2);
    rci_page_raw(p, "\xC3\x97 ");
    rci_page_raw(p, unit == RC_UNIT_MS ? (worth >= 0 ? "faster" : "slower")
                                       : (worth >= 0 ? "less" : "more"));
    rci_page_raw(p, "</td>");
}

/* Which images an accuracy is of. */
static void write_images(struct rci_page *p, const rc_report_step *s)
{
    if (!s->top1_on[0])
        return;
    rci_page_raw(p, " (");
    rci_page_text(p, s->top1_on);
    rci_page_raw(p, ")");
}

static void write_summary(struct rci_page *p, const struct rc_report *r)
{
    const rc_report_step *b = rci_report_before(r), *a = rci_report_after(r);
    if (!b)
        return;
    const struct {
        const char *name;
        double before, after;
        enum rci_unit unit;
    } rows[] = {
        {"Top-1 accuracy", b->top1, a->top1, RC_UNIT_PERCENT},
        {"Latency, median", b->median_ms, a->median_ms, RC_UNIT_MS},
        {"Model file", (double) b->file_bytes, (double) a->file_bytes, RC_UNIT_BYTES},
        {"Weights", (double) b->weight_bytes, (double) a->weight_bytes, RC_UNIT_BYTES},
        {"Multiply-adds", (double) b->macs, (double) a->macs, RC_UNIT_COUNT},
        {"Parameters", (double) b->parameters, (double) a->parameters, RC_UNIT_COUNT},
    };
    const char *const first = rci_report_label(r, 0, true);
    const char *const second = rci_report_label(r, 1, true);
    rci_page_format(p,
                    "<section><h2>%s and %s</h2>\n<div class=\"scroll\"><table "
                    "class=\"summary\"><thead><tr><td></td><th scope=\"col\">%s</th>"
                    "<th scope=\"col\">%s</th><th scope=\"col\">Change</th></tr></thead><tbody>\n",
                    first, rci_report_label(r, 1, r->compares), first, second);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].before == 0 && rows[i].after == 0)
            continue;
        rci_page_format(p, "<tr><th scope=\"row\">%s", rows[i].name);
        if (rows[i].unit == RC_UNIT_PERCENT)
            write_images(p, a);
        rci_page_raw(p, "</th><td>");
        rci_page_figure(p, rows[i].before, rows[i].unit);
        rci_page_raw(p, "</td><td>");
        rci_page_figure(p, rows[i].after, rows[i].unit);
        rci_page_raw(p, "</td>");
        write_change(p, rows[i].before, rows[i].after, rows[i].unit);
        rci_page_raw(p, "</tr>\n");
    }
    rci_page_raw(p, "</tbody></table></div></section>\n");
}

/* `data-v` is what the script sorts by: the figure itself. */
static void write_cell(struct rci_page *p, double v, enum rci_unit unit)
{
    rci_page_raw(p, "<td data-v=\"");
    rci_page_real(p, v, unit == RC_UNIT_COUNT || unit == RC_UNIT_BYTES ? 0 : 6);
    rci_page_raw(p, "\">");
    rci_page_figure(p, v, unit);
    rci_page_raw(p, "</td>");
}

static void write_steps(struct rci_page *p, const struct rc_report *r)
{
    if (r->n_steps == 0)
        return;
    rci_page_raw(p, "<section><h2 id=\"steps\">Steps</h2>\n<div class=\"scroll\"><table "
                    "class=\"steps explore\" aria-labelledby=\"steps\"><thead><tr>"
                    "<th scope=\"col\">#</th><th scope=\"col\" class=\"left\">Step</th>"
                    "<th scope=\"col\">Top-1");
    write_images(p, &r->steps[0]);
    rci_page_raw(p, "</th><th scope=\"col\">Latency</th><th scope=\"col\">File</th>"
                    "<th scope=\"col\">Multiply-adds</th><th scope=\"col\">Parameters</th>"
                    "<th scope=\"col\">Took</th><th scope=\"col\" class=\"left\">Kept</th>"
                    "<th scope=\"col\" class=\"left\">Note</th></tr></thead><tbody>\n");
    for (uint32_t i = 0; i < r->n_steps; i++) {
        const rc_report_step *s = &r->steps[i];
        /* the first step is the original, which is kept by definition */
        const bool kept = s->kept || i == 0;
        rci_page_format(p, "<tr data-step=\"%u\"%s><td data-v=\"%u\">%u</td><td class=\"left\">", i,
                        kept ? "" : " class=\"dropped\"", i + 1, i + 1);
        rci_page_text(p, s->name);
        rci_page_raw(p, "</td>");
        write_cell(p, s->top1, RC_UNIT_PERCENT);
        write_cell(p, s->median_ms, RC_UNIT_MS);
        write_cell(p, (double) s->file_bytes, RC_UNIT_BYTES);
        write_cell(p, (double) s->macs, RC_UNIT_COUNT);
        write_cell(p, (double) s->parameters, RC_UNIT_COUNT);
        write_cell(p, s->seconds, RC_UNIT_SECONDS);
        rci_page_format(p, "<td class=\"left\">%s</td><td class=\"note\">", kept ? "yes" : "no");
        rci_page_text(p, s->note);
        rci_page_raw(p, "</td></tr>\n");
    }
    rci_page_raw(p, "</tbody></table></div></section>\n");
}

/* Two columns: "Channels before", "after". */
static void write_pair(struct rci_page *p, const struct rc_report *r, const char *name)
{
    for (int k = 0; k < 2; k++)
        rci_page_format(p, "<th scope=\"col\">%s %s</th>", name, rci_report_label(r, k, false));
}

static void write_layers(struct rci_page *p, const struct rc_report *r)
{
    rci_page_raw(p, "<section><h2 id=\"layers\">Layers</h2>\n<div class=\"scroll\"><table "
                    "class=\"layers explore filter\" aria-labelledby=\"layers\"><thead><tr>"
                    "<th scope=\"col\">Layer</th><th scope=\"col\" class=\"left\">Operator</th>");
    write_pair(p, r, "Channels");
    write_pair(p, r, "Multiply-adds");
    if (r->timed)
        write_pair(p, r, "Time");
    rci_page_raw(p, "</tr></thead><tbody>\n");
    for (uint32_t i = 0; i < r->n_layers; i++) {
        const struct rci_report_layer *l = &r->layers[i];
        rci_page_raw(p, "<tr><td>");
        rci_page_text(p, l->name);
        rci_page_raw(p, "</td><td class=\"left\">");
        rci_page_text(p, l->op);
        rci_page_raw(p, "</td>");
        for (int k = 0; k < 2; k++)
            write_cell(p, l->width[k], RC_UNIT_COUNT);
        for (int k = 0; k < 2; k++)
            write_cell(p, (double) l->macs[k], RC_UNIT_COUNT);
        for (int k = 0; r->timed && k < 2; k++)
            write_cell(p, l->ms[k], RC_UNIT_MS);
        rci_page_raw(p, "</tr>\n");
    }
    rci_page_raw(p, "</tbody></table></div></section>\n");
}

rc_status rci_report_write_html(struct rc_report *r)
{
    rci_buffer_free(&r->text);
    struct rci_page p = {.to = &r->text};
    write_head(&p, r);
    write_facts(&p, r);
    write_summary(&p, r);
    write_steps(&p, r);
    rci_page_accuracy_plot(&p, r);
    rci_page_latency_plot(&p, r);
    if (r->n_layers) {
        rci_page_width_plot(&p, r);
        if (r->timed)
            rci_page_time_plot(&p, r);
        write_layers(&p, r);
    }
    rci_page_graph(&p, &r->diagram);
    rci_page_raw(&p, "</main>\n");
    rci_page_script(&p);
    rci_page_raw(&p, "</body></html>\n");
    RC_TRY(p.failed);
    /* a NUL: callers get the text as a string */
    return rci_buffer_append(&r->text, "", 1);
}
