/* Inline SVG: accuracy against multiply-adds as points, widths and times of layers as pairs of
 * bars. Colours come from the page's style sheet, so they follow its light or dark scheme. */
#include "report/page.h"
#include <math.h>

/* Pixels: the accuracy plot, then the rows of bars. */
enum { WIDE = 760, LEFT = 64, RIGHT = 24, TOP = 16, HIGH = 340, BOTTOM = 52 };
enum { NAME_WIDE = 220, VALUE_WIDE = 180, ROW = 26, BAR = 9 };

struct axis {
    double low, high, step;
    double from, to; /* pixels of low and high */
};

/* The smallest of 1, 2, 5 times a power of ten that needs at most `most` steps. */
static double nice_step(double range, double most)
{
    const double power = pow(10, floor(log10(range / most)));
    const double part = range / most / power;
    return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

/* Ends are whole steps. An empty range is widened to 1, so that a single point has axes. */
static struct axis axis_make(double low, double high, double from, double to)
{
    const double range = high > low ? high - low : 1;
    const double step = nice_step(range, 6);
    return (struct axis){floor(low / step) * step, ceil(high / step) * step, step, from, to};
}

/* `from` may be below or above `to`: y grows downwards in SVG. */
static double plot_place(const struct axis *a, double v)
{
    return a->from + (v - a->low) / (a->high - a->low) * (a->to - a->from);
}

/* Digits behind the point that tell neighbouring ticks apart. */
static int digits_of(double step)
{
    return step >= 1 ? 0 : (int) fmin(6, ceil(-log10(step) - 1e-9));
}

static void plot_attribute(struct rci_page *p, const char *name, double v)
{
    rci_page_format(p, " %s=\"", name);
    rci_page_real(p, v, 1);
    rci_page_raw(p, "\"");
}

static void line(struct rci_page *p, const char *style, const double at[4])
{
    static const char *const names[] = {"x1", "y1", "x2", "y2"};
    rci_page_format(p, "<line class=\"%s\"", style);
    for (int i = 0; i < 4; i++)
        plot_attribute(p, names[i], at[i]);
    rci_page_raw(p, "/>\n");
}

static void open_text(struct rci_page *p, const char *style, double x, double y)
{
    rci_page_format(p, "<text class=\"%s\"", style);
    plot_attribute(p, "x", x);
    plot_attribute(p, "y", y);
    rci_page_raw(p, ">");
}

static void open_svg(struct rci_page *p, double height, const char *label)
{
    rci_page_format(p, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 %d ",
                    WIDE);
    rci_page_real(p, height, 0);
    rci_page_format(p, "\" width=\"%d\"", WIDE);
    plot_attribute(p, "height", height);
    rci_page_format(p, " aria-label=\"%s\">\n", label);
}

static void draw_axes(struct rci_page *p, const struct axis *x, const struct axis *y,
                      const char *along)
{
    for (int i = 0; y->low + i * y->step <= y->high + y->step / 2; i++) {
        const double v = y->low + i * y->step, at = plot_place(y, v);
        line(p, "grid", (double[]){x->from, at, x->to, at});
        open_text(p, "end", LEFT - 8, at + 4);
        rci_page_real(p, v, digits_of(y->step));
        rci_page_raw(p, "</text>\n");
    }
    for (int i = 0; x->low + i * x->step <= x->high + x->step / 2; i++) {
        const double v = x->low + i * x->step, at = plot_place(x, v);
        line(p, "grid", (double[]){at, y->to, at, y->from});
        open_text(p, "middle", at, HIGH - BOTTOM + 18);
        rci_page_real(p, v, digits_of(x->step));
        rci_page_raw(p, "</text>\n");
    }
    line(p, "axis", (double[]){x->from, y->from, x->to, y->from});
    line(p, "axis", (double[]){x->from, y->from, x->from, y->to});
    open_text(p, "middle label", (x->from + x->to) / 2, HIGH - 12);
    rci_page_format(p, "%s</text>\n", along);
    open_text(p, "label", 4, 12);
    rci_page_raw(p, "top-1 %</text>\n");
}

/* What accuracy is drawn against; 0 is "not measured", which has no place in a plot. */
struct cost {
    const char *title, *label, *along, *what;
    double (*of)(const rc_report_step *s);
};

static double million_macs(const rc_report_step *s)
{
    return (double) s->macs / 1e6;
}

static double latency(const rc_report_step *s)
{
    return s->median_ms;
}

static bool plottable(const rc_report_step *s, const struct cost *c)
{
    return s->top1 > 0 && c->of(s) > 0;
}

/* The way that a run took: kept steps of from..to-1 joined in their order. */
static void draw_path(struct rci_page *p, const struct rc_report *r, const struct cost *c,
                      const struct axis a[2], const uint32_t part[2])
{
    const struct axis *x = &a[0], *y = &a[1];
    rci_page_raw(p, "<polyline class=\"path\" points=\"");
    for (uint32_t i = part[0]; i < part[1]; i++) {
        const rc_report_step *s = &r->steps[i];
        if (!plottable(s, c) || !(s->kept || i == 0))
            continue;
        rci_page_real(p, plot_place(x, c->of(s)), 1);
        rci_page_raw(p, ",");
        rci_page_real(p, plot_place(y, s->top1), 1);
        rci_page_raw(p, " ");
    }
    rci_page_raw(p, "\"/>\n");
}

/* The front as steps: what is the best accuracy up to so much of the cost. */
static void draw_front(struct rci_page *p, const struct rc_report *r, const struct cost *c,
                       const struct axis a[2])
{
    double cost = -1, top1 = -1;
    rci_page_raw(p, "<polyline class=\"front\" points=\"");
    for (;;) {
        const rc_report_step *next = NULL;
        for (uint32_t i = 0; i < r->n_steps; i++) {
            const rc_report_step *s = &r->steps[i];
            const double v = c->of(s);
            if (plottable(s, c) && v > cost && s->top1 > top1 &&
                (!next || v < c->of(next) || (v <= c->of(next) && s->top1 > next->top1)))
                next = s;
        }
        if (!next)
            break;
        cost = c->of(next);
        top1 = next->top1;
        rci_page_real(p, plot_place(&a[0], cost), 1);
        rci_page_raw(p, ",");
        rci_page_real(p, plot_place(&a[1], top1), 1);
        rci_page_raw(p, " ");
    }
    rci_page_raw(p, "\"/>\n");
}

static void draw_point(struct rci_page *p, const struct rc_report *r, uint32_t i,
                       const double at[2])
{
    const rc_report_step *s = &r->steps[i];
    const bool kept = s->kept || i == 0;
    rci_page_format(p, "<circle class=\"%s\" r=\"6\" data-step=\"%u\"", kept ? "kept" : "dropped",
                    i);
    plot_attribute(p, "cx", at[0]);
    plot_attribute(p, "cy", at[1]);
    rci_page_raw(p, "><title>");
    rci_page_text(p, s->name);
    rci_page_raw(p, ": ");
    rci_page_figure(p, s->top1, RC_UNIT_PERCENT);
    rci_page_raw(p, ", ");
    rci_page_figure(p, (double) s->macs, RC_UNIT_COUNT);
    rci_page_raw(p, " multiply-adds, ");
    rci_page_figure(p, s->median_ms, RC_UNIT_MS);
    rci_page_raw(p, "</title></circle>\n");
    /* every other number stands below its point, as neighbours often share their place */
    open_text(p, "middle number", at[0] + 9, i & 1 ? at[1] + 16 : at[1] - 8);
    rci_page_format(p, "%u</text>\n", i + 1);
}

static void draw_plot(struct rci_page *p, const struct rc_report *r, const struct cost *c)
{
    double most = 0, low = 100, high = 0;
    for (uint32_t i = 0; i < r->n_steps; i++)
        if (plottable(&r->steps[i], c)) {
            most = fmax(most, c->of(&r->steps[i]));
            low = fmin(low, r->steps[i].top1);
            high = fmax(high, r->steps[i].top1);
        }
    if (most == 0)
        return;
    /* x, y; a margin of 0.2 points, but nothing above 100 % */
    const struct axis a[2] = {axis_make(0, most, LEFT, WIDE - RIGHT),
                              axis_make(low - 0.2, fmin(high + 0.2, 100), HIGH - BOTTOM, TOP + 8)};
    rci_page_format(
        p,
        "<section><h2>%s</h2>\n<p>Numbers are those of the steps above. Filled: kept; "
        "hollow: tried and given up. The dashed line joins the front: no other step has "
        "more accuracy at as little %s.</p>\n<figure class=\"points\">",
        c->title, c->what);
    open_svg(p, HIGH, c->label);
    draw_axes(p, &a[0], &a[1], c->along);
    const uint32_t ends[] = {0, r->compares ? r->split : r->n_steps, r->n_steps};
    draw_path(p, r, c, a, ends);
    if (r->compares)
        draw_path(p, r, c, a, ends + 1);
    draw_front(p, r, c, a);
    for (uint32_t i = 0; i < r->n_steps; i++) {
        const rc_report_step *s = &r->steps[i];
        if (plottable(s, c))
            draw_point(p, r, i,
                       (double[]){plot_place(&a[0], c->of(s)), plot_place(&a[1], s->top1)});
    }
    rci_page_raw(p, "</svg></figure></section>\n");
}

void rci_page_accuracy_plot(struct rci_page *p, const struct rc_report *r)
{
    static const struct cost macs = {
        "Accuracy against multiply-adds", "Top-1 accuracy of each step against its multiply-adds",
        "million multiply-adds per image", "computation", million_macs};
    draw_plot(p, r, &macs);
}

void rci_page_latency_plot(struct rci_page *p, const struct rc_report *r)
{
    static const struct cost time = {"Accuracy against latency",
                                     "Top-1 accuracy of each step against its latency",
                                     "median latency, ms", "time", latency};
    draw_plot(p, r, &time);
}

static void draw_bar(struct rci_page *p, const char *style, double y, double wide)
{
    rci_page_format(p, "<rect class=\"%s\" rx=\"2\" height=\"%d\" x=\"%d\"", style, BAR, NAME_WIDE);
    plot_attribute(p, "y", y);
    plot_attribute(p, "width", fmax(wide, 0));
    rci_page_raw(p, "/>\n");
}

/* v: before and after. */
static void draw_row(struct rci_page *p, const struct rci_report_layer *l, double y,
                     const double v[2], double scale)
{
    open_text(p, "end", NAME_WIDE - 8, y + 14);
    rci_page_short_text(p, l->name, 30);
    rci_page_raw(p, "</text>\n");
    draw_bar(p, "before", y + 1, v[0] * scale);
    draw_bar(p, "after", y + 1 + BAR + 1, v[1] * scale);
    open_text(p, "value", NAME_WIDE + fmax(v[0], v[1]) * scale + 8, y + 14);
}

static void legend(struct rci_page *p, const struct rc_report *r)
{
    rci_page_format(p,
                    "<p class=\"legend\"><span class=\"swatch before\"></span> %s "
                    "<span class=\"swatch after\"></span> %s</p>\n<figure>",
                    rci_report_label(r, 0, false), rci_report_label(r, 1, false));
}

/* What is drawn of a layer: its values before and after, and how they are written. */
struct bars {
    const char *title, *label;
    void (*value)(const struct rci_report_layer *l, double v[2]);
    void (*put)(struct rci_page *p, const double v[2]);
};

static void width_of(const struct rci_report_layer *l, double v[2])
{
    v[0] = l->width[0];
    v[1] = l->width[1];
}

static void put_widths(struct rci_page *p, const double v[2])
{
    rci_page_format(p, "%u \xE2\x86\x92 %u", (unsigned) v[0], (unsigned) v[1]);
}

static void time_of(const struct rci_report_layer *l, double v[2])
{
    v[0] = l->ms[0];
    v[1] = l->ms[1];
}

static void put_times(struct rci_page *p, const double v[2])
{
    rci_page_figure(p, v[0], RC_UNIT_MS);
    rci_page_raw(p, " \xE2\x86\x92 ");
    rci_page_figure(p, v[1], RC_UNIT_MS);
}

/* Opens the picture, for rows of all layers that have a value; returns the pixels per unit. */
static double open_bars(struct rci_page *p, const struct rc_report *r, const struct bars *b)
{
    double most = 0, v[2];
    uint32_t rows = 0;
    for (uint32_t i = 0; i < r->n_layers; i++) {
        b->value(&r->layers[i], v);
        most = fmax(most, fmax(v[0], v[1]));
        rows += v[0] > 0 || v[1] > 0;
    }
    legend(p, r);
    open_svg(p, rows * ROW + 4.0, b->label);
    return most > 0 ? (WIDE - NAME_WIDE - VALUE_WIDE) / most : 0;
}

/* A row says all it shows to the pointer and to a screen reader. */
static void open_row(struct rci_page *p, const struct rci_report_layer *l, const struct bars *b,
                     const double v[2])
{
    rci_page_raw(p, "<g class=\"row\"><title>");
    rci_page_text(p, l->name);
    rci_page_raw(p, ": ");
    b->put(p, v);
    rci_page_raw(p, "</title>\n");
}

static void draw_bars(struct rci_page *p, const struct rc_report *r, const struct bars *b)
{
    rci_page_format(p, "<section><h2>%s</h2>\n", b->title);
    const double scale = open_bars(p, r, b);
    double y = 0, v[2];
    for (uint32_t i = 0; i < r->n_layers; i++) {
        b->value(&r->layers[i], v);
        if (v[0] == 0 && v[1] == 0)
            continue;
        open_row(p, &r->layers[i], b, v);
        draw_row(p, &r->layers[i], y, v, scale);
        b->put(p, v);
        rci_page_raw(p, "</text></g>\n");
        y += ROW;
    }
    rci_page_raw(p, "</svg></figure></section>\n");
}

void rci_page_width_plot(struct rci_page *p, const struct rc_report *r)
{
    static const struct bars widths = {"Channels per layer", "Output channels of each layer",
                                       width_of, put_widths};
    draw_bars(p, r, &widths);
}

void rci_page_time_plot(struct rci_page *p, const struct rc_report *r)
{
    static const struct bars times = {"Time per layer", "Time of each layer", time_of, put_times};
    draw_bars(p, r, &times);
}
