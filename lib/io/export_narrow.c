/* Which integer weights are written in 4 or 2 bits: those that were read so, or with form.narrow
 * all whose values allow it. ONNX has the types from opset 21 and 25 on, for DequantizeLinear,
 * whose x and zero point are of one type: so weights and zero points that meet in nodes share their
 * width. */
#include "io/export.h"

enum { WHOLE = 8, FOUR_SINCE = 21, TWO_SINCE = 25, X = 0, ZERO = 2 };

static bool is_dequantize(const struct rci_node *n)
{
    return rci_node_quant(n) == RC_QUANT_TO_REAL;
}

static rci_id operand(const struct rci_node *n, uint32_t k)
{
    return k < n->n_in ? n->in[k] : RC_NONE;
}

/* The width that all values of a constant fit in. */
static uint8_t width_of(const struct rci_tensor *t, int64_t opset)
{
    const bool whole = t->dtype == RC_S8;
    const int64_t n = rci_shape_count(&t->shape);
    int low = 0, high = 0;
    for (int64_t i = 0; i < n; i++) {
        const int v = whole ? ((const int8_t *) t->data)[i] : ((const uint8_t *) t->data)[i];
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    for (int bits = opset >= TWO_SINCE ? 2 : 4; bits < WHOLE; bits *= 2)
        if (low >= (whole ? -(1 << (bits - 1)) : 0) && high < 1 << (whole ? bits - 1 : bits))
            return (uint8_t) bits;
    return WHOLE;
}

/* By value: the least width, WHOLE for what is no such constant. */
static void widths_start(const struct export *e, uint8_t *width)
{
    const struct rc_graph *g = e->g;
    for (rci_id v = 0; v < g->n_values; v++) {
        const struct rci_value *x = &g->values[v];
        const bool integer = x->tensor.dtype == RC_S8 || x->tensor.dtype == RC_U8;
        const bool constant = rci_value_is_const(x) && !(x->flags & RC_VALUE_DEAD);
        width[v] = constant && integer && !(x->flags & RC_VALUE_OUTPUT)
                       ? width_of(&x->tensor, e->opset)
                       : WHOLE;
    }
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const struct rci_node *n = &g->nodes[i];
        for (uint32_t k = 0; n->op && k < n->n_in; k++)
            if (n->in[k] != RC_NONE && !(is_dequantize(n) && (k == X || k == ZERO)))
                width[n->in[k]] = WHOLE;
        if (n->op && is_dequantize(n) && !e->form.narrow &&
            !rci_dtype_narrow_bits(g->values[n->in[X]].storage))
            width[n->in[X]] = WHOLE;
    }
}

/* The wider of x and zero point, until no node changes any. */
static void widths_agree(const struct rc_graph *g, uint8_t *width)
{
    for (bool again = true; again;) {
        again = false;
        for (rci_id i = 0; i < g->n_nodes; i++) {
            const struct rci_node *n = &g->nodes[i];
            const rci_id x = operand(n, X), z = operand(n, ZERO);
            if (!n->op || !is_dequantize(n) || z == RC_NONE || width[x] == width[z])
                continue;
            width[x] = width[z] = width[x] > width[z] ? width[x] : width[z];
            again = true;
        }
    }
}

rc_status rci_export_narrow(struct export *e)
{
    const struct rc_graph *g = e->g;
    uint8_t *width = rci_arena_array(e->arena, g->n_values + 1u, 1);
    e->narrow = rci_arena_array(e->arena, g->n_values + 1u, sizeof(*e->narrow));
    if (!width || !e->narrow)
        return e->arena->status;
    if (e->opset < FOUR_SINCE || e->form.qoperators) /* operators on integers take bytes */
        return RC_OK;
    widths_start(e, width);
    widths_agree(g, width);
    for (rci_id v = 0; v < g->n_values; v++) {
        const bool whole = g->values[v].tensor.dtype == RC_S8;
        if (width[v] == 4)
            e->narrow[v] = whole ? RC_S4 : RC_U4;
        else if (width[v] == 2)
            e->narrow[v] = whole ? RC_S2 : RC_U2;
    }
    return RC_OK;
}
