/* The report as one page: facts, before and after, steps, plots, layers. */
#include "report/page.h"
#include <math.h>

/* Blue and orange stay apart for every common kind of colour blindness; text has a contrast of at
 * least 4.5 to its background in both schemes. */
static const char style[] =
    ":root{--ink:#1d2430;--soft:#5a6472;--paper:#ffffff;--card:#f5f6f8;--rule:#d9dde3;"
    "--before:#9aa5b4;--after:#1f6fb2;--warn:#b3541e;--good:#1f6fb2}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#a3adba;--paper:#14181e;"
    "--card:#1d232b;--rule:#343c47;--before:#667080;--after:#5aa9e6;--warn:#f0a060;"
    "--good:#5aa9e6}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:64rem;background:var(--paper);"
    "color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:0 0 1rem}\n"
    "h2{font-size:1.2rem;margin:2.5rem 0 .75rem}\n"
    "p{color:var(--soft);margin:.25rem 0 .75rem}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.25rem;margin:0;"
    "font-size:.9rem}\n"
    "dt{color:var(--soft)}\ndd{margin:0;overflow-wrap:anywhere}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;font-size:.92rem;"
    "font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.45rem .7rem;border-bottom:1px solid var(--rule);text-align:right;"
    "white-space:nowrap}\n"
    "th{color:var(--soft);font-weight:600}\n"
    "th:first-child,td:first-child,.left{text-align:left}\n"
    "td.note{white-space:normal;text-align:left;min-width:12rem;color:var(--soft)}\n"
    "tr.dropped td{color:var(--soft)}\n"
    ".better{color:var(--good);font-weight:600}\n.worse{color:var(--warn);font-weight:600}\n"
    ".summary td{font-size:1.05rem}\n"
    "figure{margin:0;overflow-x:auto;background:var(--card);border-radius:8px;padding:.75rem}\n"
    "svg{max-width:100%;height:auto;min-width:36rem;display:block}\n"
    "svg text{fill:var(--ink);font:12px system-ui,sans-serif}\n"
    "svg .end{text-anchor:end}\nsvg .middle{text-anchor:middle}\n"
    "svg .label,svg .value{fill:var(--soft)}\nsvg .number{font-weight:600}\n"
    "svg .grid{stroke:var(--rule);stroke-width:1}\nsvg .axis{stroke:var(--soft);stroke-width:1}\n"
    "svg .path{fill:none;stroke:var(--after);stroke-width:2;stroke-opacity:.5}\n"
    "svg .front{fill:none;stroke:var(--before);stroke-width:2;stroke-dasharray:5 4}\n"
    "svg .kept{fill:var(--after);stroke:var(--card);stroke-width:1.5}\n"
    "svg .dropped{fill:var(--card);stroke:var(--warn);stroke-width:2}\n"
    "svg .before{fill:var(--before)}\nsvg .after{fill:var(--after)}\n"
    ".swatch{display:inline-block;width:.8em;height:.8em;border-radius:2px}\n"
    ".legend .before{background:var(--before)}\n"
    ".legend .after{background:var(--after);margin-left:1em}\n"
    "@media print{body{padding:0}section{break-inside:avoid}}\n";

static void write_head(struct rci_page *p, const struct rc_report *r)
{
    rci_page_raw(p, "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n"
                    "<head><meta charset=\"utf-8\"/>\n<meta name=\"viewport\" "
                    "content=\"width=device-width, initial-scale=1\"/>\n"
                    "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>");
    rci_page_text(p, r->title);
    rci_page_raw(p, "</title>\n<style>\n");
    rci_page_raw(p, style);
    rci_page_raw(p, "</style></head>\n<body><main>\n<h1>");
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
    rci_page_raw(p, "<section><h2>Before and after</h2>\n<div class=\"scroll\"><table "
                    "class=\"summary\"><thead><tr><th></th><th>Before</th><th>After</th>"
                    "<th>Change</th></tr></thead><tbody>\n");
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].before == 0 && rows[i].after == 0)
            continue;
        rci_page_format(p, "<tr><td>%s", rows[i].name);
        if (rows[i].unit == RC_UNIT_PERCENT)
            write_images(p, a);
        rci_page_raw(p, "</td><td>");
        rci_page_figure(p, rows[i].before, rows[i].unit);
        rci_page_raw(p, "</td><td>");
        rci_page_figure(p, rows[i].after, rows[i].unit);
        rci_page_raw(p, "</td>");
        write_change(p, rows[i].before, rows[i].after, rows[i].unit);
        rci_page_raw(p, "</tr>\n");
    }
    rci_page_raw(p, "</tbody></table></div></section>\n");
}

static void write_cell(struct rci_page *p, double v, enum rci_unit unit)
{
    rci_page_raw(p, "<td>");
    rci_page_figure(p, v, unit);
    rci_page_raw(p, "</td>");
}

static void write_steps(struct rci_page *p, const struct rc_report *r)
{
    if (r->n_steps == 0)
        return;
    rci_page_raw(p, "<section><h2>Steps</h2>\n<div class=\"scroll\"><table><thead><tr><th>#</th>"
                    "<th class=\"left\">Step</th><th>Top-1");
    write_images(p, &r->steps[0]);
    rci_page_raw(p,
                 "</th><th>Latency</th><th>File</th>"
                 "<th>Multiply-adds</th><th>Parameters</th><th>Took</th>"
                 "<th class=\"left\">Kept</th><th class=\"left\">Note</th></tr></thead><tbody>\n");
    for (uint32_t i = 0; i < r->n_steps; i++) {
        const rc_report_step *s = &r->steps[i];
        /* the first step is the original, which is kept by definition */
        const bool kept = s->kept || i == 0;
        rci_page_format(p, "<tr%s><td>%u</td><td class=\"left\">", kept ? "" : " class=\"dropped\"",
                        i + 1);
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

static void write_layers(struct rci_page *p, const struct rc_report *r)
{
    rci_page_format(p,
                    "<section><h2>Layers</h2>\n<div class=\"scroll\"><table><thead><tr>"
                    "<th>Layer</th><th class=\"left\">Operator</th><th>Channels</th><th>after</th>"
                    "<th>Multiply-adds</th><th>after</th>%s</tr></thead><tbody>\n",
                    r->timed ? "<th>Time</th><th>after</th>" : "");
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
    if (r->n_layers) {
        rci_page_width_plot(&p, r);
        if (r->timed)
            rci_page_time_plot(&p, r);
        write_layers(&p, r);
    }
    rci_page_raw(&p, "</main></body></html>\n");
    RC_TRY(p.failed);
    /* a NUL: callers get the text as a string */
    return rci_buffer_append(&r->text, "", 1);
}
