/* Inline SVG of a diagram: boxes from top to bottom, the share of the multiply-adds as a bar at the
 * left of each; shortcuts run at the right of what they go around. */
#include "report/page.h"

/* Pixels. */
enum { BOX_WIDE = 372, BOX_HIGH = 26, ROW_HIGH = 40, GAP = 64, EDGE = 12, BAR_WIDE = 40 };
/* Beyond it nobody reads it. */
enum { BOXES_MOST = 4096 };

static uint32_t left_of(const struct rci_box *b)
{
    return EDGE + b->column * (BOX_WIDE + GAP);
}

static uint32_t top_of(const struct rci_box *b)
{
    return EDGE + b->row * ROW_HIGH;
}

/* To the next row straight down, to a later one around what is between. */
static void draw_wire(struct rci_page *p, const struct rci_box *a, const struct rci_box *b)
{
    const uint32_t x = left_of(a) + BOX_WIDE / 2, y = top_of(a) + BOX_HIGH;
    const uint32_t u = left_of(b) + BOX_WIDE / 2, v = top_of(b), side = v + BOX_HIGH / 2;
    rci_page_raw(p, "<path class=\"wire\" d=\"");
    if (b->row == a->row + 1)
        rci_page_format(p, "M%u %uC%u %u %u %u %u %u", x, y, x, y + 7, u, v - 7, u, v);
    else if (a->column > b->column)
        rci_page_format(p, "M%u %uV%uH%u", x, y, side, left_of(b) + BOX_WIDE);
    else if (a->column < b->column)
        rci_page_format(p, "M%u %uH%uV%u", left_of(a) + BOX_WIDE, y - BOX_HIGH / 2, u, v);
    else {
        const uint32_t far = b->row - a->row, lane = far > 10 ? GAP - 8 : 8 + 5 * far;
        const uint32_t right = left_of(a) + BOX_WIDE, from = y - BOX_HIGH / 2;
        rci_page_format(p, "M%u %uC%u %u %u %u %u %u", right, from, right + lane, from,
                        right + lane, side, right, side);
    }
    rci_page_raw(p, "\"/>\n");
}

static void put_shape(struct rci_page *p, const struct rci_shape *s)
{
    for (uint32_t k = 1; k < s->rank; k++)
        rci_page_format(p, "%s%lld", k > 1 ? "\xC3\x97" : "", (long long) s->dim[k]);
}

static void draw_box(struct rci_page *p, const struct rci_box *b, double share)
{
    const uint32_t x = left_of(b), y = top_of(b), text = y + BOX_HIGH / 2 + 4;
    rci_page_raw(p, "<g><title>");
    rci_page_text(p, b->name);
    rci_page_format(p, ": %llu multiply-adds, %llu parameters%s</title>\n",
                    (unsigned long long) b->macs, (unsigned long long) b->parameters,
                    b->quantized ? ", integers" : "");
    rci_page_format(
        p, "<rect class=\"box%s%s\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" rx=\"4\"/>\n",
        b->input || b->output ? " end-point" : "", b->quantized ? " integers" : "", x, y, BOX_WIDE,
        BOX_HIGH);
    if (share > 0) {
        rci_page_format(p, "<rect class=\"after\" x=\"%u\" y=\"%u\" height=\"4\" width=\"", x + 4,
                        y + BOX_HIGH - 6);
        rci_page_real(p, share * BAR_WIDE, 1);
        rci_page_raw(p, "\"/>\n");
    }
    rci_page_format(p, "<text class=\"number\" x=\"%u\" y=\"%u\">", x + 8,
                    text - (share > 0 ? 2 : 0));
    rci_page_short_text(p, b->ops, 26);
    rci_page_format(p, "</text>\n<text class=\"label\" x=\"%u\" y=\"%u\">", x + 184, text);
    rci_page_short_text(p, b->name, 18);
    rci_page_format(p, "</text>\n<text class=\"value end\" x=\"%u\" y=\"%u\">", x + BOX_WIDE - 8,
                    text);
    put_shape(p, &b->shape);
    rci_page_raw(p, "</text></g>\n");
}

void rci_page_graph(struct rci_page *p, const struct rci_diagram *d)
{
    const uint32_t wide = 2 * EDGE + d->columns * (BOX_WIDE + GAP);
    const uint32_t high = 2 * EDGE + d->rows * ROW_HIGH;
    uint64_t most = 0;
    if (d->n_boxes == 0)
        return;
    rci_page_raw(p, "<section><h2>Graph</h2>\n");
    if (d->n_boxes > BOXES_MOST) {
        rci_page_format(p, "<p>%u layers, which is too many to draw.</p></section>\n", d->n_boxes);
        return;
    }
    for (uint32_t i = 0; i < d->n_boxes; i++)
        most = d->box[i].macs > most ? d->box[i].macs : most;
    rci_page_raw(p, "<p>After, from input to output: what a layer gives for one image. Bars: "
                    "multiply-adds beside those of the largest layer; hover for numbers. Dashed: "
                    "computed on integers.</p>\n");
    rci_page_format(
        p,
        "<figure><svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" class=\"graph\" "
        "viewBox=\"0 0 %u %u\" width=\"%u\" height=\"%u\" aria-label=\"graph of %u "
        "layers\">\n",
        wide, high, wide, high, d->n_boxes);
    for (uint32_t i = 0; i < d->n_wires; i++)
        draw_wire(p, &d->box[d->wire[i].from], &d->box[d->wire[i].to]);
    for (uint32_t i = 0; i < d->n_boxes; i++)
        draw_box(p, &d->box[i], most ? (double) d->box[i].macs / (double) most : 0);
    rci_page_raw(p, "</svg></figure></section>\n");
}
