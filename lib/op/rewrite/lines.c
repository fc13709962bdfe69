/* Convolutions and pools of lines [N, C, L] are those of images [N, C, 1, L]: gates of ECA nets,
 * and what audio exporters write. */
#include "op/rewrite/rules.h"

#include <string.h>

enum { LINE_AXIS = 2 }; /* the new axis of height 1 */

/* How many axes the window has; 0: the node does not say. */
static size_t window_axes(const struct rci_rule_call *c)
{
    static const char *const lists[] = {"kernel_shape", "strides", "dilations"};
    for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++) {
        const Onnx__AttributeProto *a = rci_rule_attr(c, lists[k]);
        if (a && a->n_ints)
            return a->n_ints;
    }
    const Onnx__AttributeProto *pads = rci_rule_attr(c, "pads");
    return pads ? pads->n_ints / 2 : 0;
}

static const char *const window_attrs[] = {"kernel_shape",   "strides",      "dilations", "pads",
                                           "output_padding", "output_shape", NULL};

/* The lists of a line's window, for a window of height 1. */
static void window_widen(struct rci_rule_call *c, struct rci_made m)
{
    for (const char *const *name = window_attrs; *name; name++) {
        const Onnx__AttributeProto *a = rci_rule_attr(c, *name);
        const bool both = !strcmp(*name, "pads");
        const int64_t unit = both || !strcmp(*name, "output_padding") ? 0 : 1;
        if (!a || a->n_ints != (both ? 2 : 1))
            continue;
        const int64_t wide[] = {unit, a->ints[0], 0, a->ints[a->n_ints - 1]};
        rci_made_ints(c, m, *name, wide, both ? 4 : 2);
    }
}

static rc_status line_rule(struct rci_rule_call *c)
{
    const struct rci_tensor *weights = rci_rule_const(c, rci_rule_in(c, 1));
    size_t axes = window_axes(c);
    if (weights)
        axes = weights->shape.rank == 3 && axes <= 1 ? 1 : 0;
    if (axes != 1 || !rci_rule_in(c, 0) || !rci_rule_out(c, 0) || rci_rule_out(c, 1)) {
        c->declined = true;
        return RC_OK;
    }
    const char *w = rci_rule_in(c, 1);
    const char *image = rci_rule_axis(c, "Unsqueeze", NULL, rci_rule_in(c, 0), LINE_AXIS);
    if (w)
        w = rci_rule_axis(c, "Unsqueeze", NULL, w, LINE_AXIS);
    const struct rci_made m = RC_MAKE(c, c->from->op_type, NULL, image, w, rci_rule_in(c, 2));
    window_widen(c, m);
    rci_made_copy(c, m, window_attrs);
    rci_rule_axis(c, "Squeeze", rci_rule_out(c, 0), m.out, LINE_AXIS);
    return RC_OK;
}

const struct rci_rule rci_rules_lines[] = {
    {"", "Conv", line_rule, "Unsqueeze, Conv, Squeeze for one axis"},
    {"", "ConvTranspose", line_rule, "Unsqueeze, ConvTranspose, Squeeze for one axis"},
    {"", "MaxPool", line_rule, "Unsqueeze, MaxPool, Squeeze for one axis"},
    {"", "AveragePool", line_rule, "Unsqueeze, AveragePool, Squeeze for one axis"},
    {"", "LpPool", line_rule, "Unsqueeze, LpPool, Squeeze for one axis"},
    {0},
};
