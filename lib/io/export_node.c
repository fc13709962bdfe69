/* Nodes: operands that bind moved into attributes come back as initializers of their own. */
#include "io/export.h"

#include <string.h>

/* An operand takes an empty place at its index, otherwise what is there moves up. */
static uint32_t operand_insert(char **in, uint32_t n, uint32_t index, char *name)
{
    while (n < index)
        in[n++] = (char *) "";
    if (index < n && !*in[index]) {
        in[index] = name;
        return n;
    }
    memmove(in + index + 1, in + index, (n - index) * sizeof(*in));
    in[index] = name;
    return n + 1;
}

static rc_status node_operands(struct export *e, const struct rci_node *n,
                               const struct rci_attr_write *w, Onnx__NodeProto *to)
{
    uint32_t room = n->n_in + w->n_operands, count = 0;
    for (uint32_t k = 0; k < w->n_operands; k++)
        room = room > w->operand[k].index ? room : w->operand[k].index;
    to->input = rci_arena_array(e->arena, room + w->n_operands + 1, sizeof(*to->input));
    if (!to->input)
        return e->arena->status;
    for (; count < n->n_in; count++)
        to->input[count] = rci_export_name(e, n->in[count]);
    for (uint32_t k = 0; k < w->n_operands; k++) {
        Onnx__TensorProto *t = w->operand[k].tensor;
        /* "<node>_<operand>" may be a value's name already */
        if (rci_graph_find_value(e->g, t->name) != RC_NONE &&
            !(t->name = rci_export_fresh_name(e, t->name, "")))
            return e->arena->status;
        RC_TRY(rci_export_add_initializer(e, t));
        count = operand_insert(to->input, count, w->operand[k].index, t->name);
    }
    /* trailing empty names need not be said */
    while (count && !*to->input[count - 1])
        count--;
    to->n_input = count;
    return RC_OK;
}

static rc_status node_results(struct export *e, const struct rci_node *n, Onnx__NodeProto *to)
{
    to->output = rci_arena_array(e->arena, n->n_out, sizeof(*to->output));
    if (!to->output)
        return e->arena->status;
    for (uint32_t k = 0; k < n->n_out; k++)
        to->output[k] = rci_export_name(e, n->out[k]);
    to->n_output = n->n_out;
    return RC_OK;
}

static rc_status node_write(struct export *e, const struct rci_node *n, Onnx__NodeProto **out)
{
    struct rci_attr_write w = {
        .arena = e->arena, .name = n->name, .opset = e->opset, .storage = e->storage};
    Onnx__NodeProto *to = rci_arena_alloc(e->arena, sizeof(*to));
    if (!to)
        return e->arena->status;
    onnx__node_proto__init(to);
    to->name = n->name;
    to->op_type = (char *) n->op->name;
    to->domain = n->op->domain ? (char *) n->op->domain : to->domain;
    if (n->op->write_attrs)
        RC_TRY(n->op->write_attrs(n, &w));
    to->n_attribute = w.n_attr;
    to->attribute = rci_arena_array(e->arena, w.n_attr, sizeof(*to->attribute));
    if (!to->attribute)
        return e->arena->status;
    if (w.n_attr)
        memcpy(to->attribute, w.attr, w.n_attr * sizeof(*to->attribute));
    RC_TRY(node_operands(e, n, &w, to));
    RC_TRY(node_results(e, n, to));
    *out = to;
    return RC_OK;
}

rc_status rci_export_nodes(struct export *e, Onnx__GraphProto *to)
{
    rci_id *order;
    uint32_t n;
    RC_TRY(rci_graph_order(e->g, &order, &n));
    rc_status st = RC_OK;
    to->node = rci_arena_array(e->arena, n + rci_export_count_casts(e), sizeof(*to->node));
    if (!to->node)
        st = e->arena->status;
    if (st == RC_OK)
        st = rci_export_casts(e, to, false);
    for (uint32_t i = 0; i < n && st == RC_OK; i++)
        if (!rci_export_is_cast(e, order[i]))
            st = node_write(e, &e->g->nodes[order[i]], &to->node[to->n_node++]);
    if (st == RC_OK)
        st = rci_export_casts(e, to, true);
    rci_release(order);
    return st;
}
