/* Nodes. First all operators are looked up, so that one message lists everything that is missing;
 * then all results are defined, so that nodes may come in any order; then nodes are made. */
#include "io/import.h"

#include "op/rewrite/rewrite.h"

#include <stdio.h>
#include <string.h>

/* Of the error text; the log gets all of them. */
enum { LISTED_BYTES = 760 };

bool rci_import_is_onnx(const char *domain)
{
    return !*rci_onnx_text(domain) || !strcmp(domain, "ai.onnx");
}

const char *rci_import_node_name(const Onnx__NodeProto *n)
{
    if (*rci_onnx_text(n->name))
        return n->name;
    return n->n_output ? rci_onnx_text(n->output[0]) : "";
}

static const struct rci_op *node_op(const Onnx__NodeProto *n)
{
    const char *d = rci_import_is_onnx(n->domain) ? NULL : n->domain;
    const struct rci_op *op = rci_op_find(d, rci_onnx_text(n->op_type));
    return op && op->flags & RC_OP_INTERNAL ? NULL : op;
}

/* Subgraphs are refused without looking into them. */
static bool node_has_subgraph(const Onnx__NodeProto *n)
{
    for (size_t i = 0; i < n->n_attribute; i++)
        if (n->attribute[i]->g || n->attribute[i]->n_graphs)
            return true;
    return false;
}

static bool node_supported(const Onnx__NodeProto *n)
{
    return !node_has_subgraph(n) &&
           (rci_import_is_constant(n) || rci_rewrite_has(n->domain, rci_onnx_text(n->op_type)) ||
            node_op(n));
}

bool rci_import_supports(const Onnx__ModelProto *model, const Onnx__NodeProto *n)
{
    const Onnx__FunctionProto *f = rci_import_function(model, n);
    if (!f)
        return node_supported(n);
    for (size_t i = 0; i < f->n_node; i++)
        if (!node_supported(f->node[i]) && !rci_import_function(model, f->node[i]))
            return false;
    return true;
}

rc_status rci_import_check_operators(const struct import *m)
{
    uint32_t missing = 0, listed = 0;
    for (size_t i = 0; i < m->from->n_node; i++)
        missing += !node_supported(m->from->node[i]);
    if (!missing)
        return RC_OK;
    rci_fail(RC_ERR_UNSUPPORTED, "%u unsupported node%s:", missing, missing == 1 ? "" : "s");
    size_t room = LISTED_BYTES;
    for (size_t i = 0; i < m->from->n_node; i++) {
        const Onnx__NodeProto *n = m->from->node[i];
        if (node_supported(n))
            continue;
        const char *d = rci_onnx_text(n->domain);
        char text[256];
        const int length =
            snprintf(text, sizeof(text), "%s \"%.80s\" (%.60s%s%.60s%s)", listed ? "," : "",
                     rci_import_node_name(n), d, *d ? "." : "", rci_onnx_text(n->op_type),
                     node_has_subgraph(n) ? " with a subgraph" : "");
        rci_log(m->g->ctx, RC_LOG_WARNING, "unsupported node%s", text + (listed ? 1 : 0));
        if ((size_t) length > room)
            continue;
        room -= (size_t) length;
        listed++;
        rci_fail_append("%s", text);
    }
    if (listed < missing)
        rci_fail_append(" and %u more", missing - listed);
    return RC_ERR_UNSUPPORTED;
}

/* Names that are empty at the end say the same as none. */
static size_t trimmed(char *const *names, size_t n)
{
    while (n && !*names[n - 1])
        n--;
    return n;
}

static rc_status node_define_results(struct import *m, const Onnx__NodeProto *n)
{
    rci_id id;
    if (rci_import_is_constant(n))
        return rci_import_constant(m, n);
    for (size_t k = 0; k < n->n_output; k++)
        if (*n->output[k])
            RC_TRY(rci_graph_add_value(m->g, &id, n->output[k]));
    return RC_OK;
}

static rc_status node_check_attributes(const Onnx__NodeProto *n)
{
    for (size_t i = 0; i < n->n_attribute; i++) {
        const char *name = rci_onnx_text(n->attribute[i]->name);
        if (!*name)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": attribute %zu has no name",
                            rci_import_node_name(n), i);
        if (*rci_onnx_text(n->attribute[i]->ref_attr_name))
            return rci_fail(RC_ERR_UNSUPPORTED,
                            "node \"%s\": attribute %s refers to a function's attribute",
                            rci_import_node_name(n), name);
        for (size_t k = 0; k < i; k++)
            if (!strcmp(name, n->attribute[k]->name))
                return rci_fail(RC_ERR_MODEL, "node \"%s\": attribute %s is given twice",
                                rci_import_node_name(n), name);
    }
    return RC_OK;
}

static rc_status node_read_attrs(struct import *m, const Onnx__NodeProto *n, rci_id id)
{
    bool *used = rci_arena_array(m->arena, n->n_attribute, sizeof(*used));
    if (!used)
        return m->arena->status;
    RC_TRY(rci_import_legacy(m, n, id, used));
    struct rci_node *node = &m->g->nodes[id];
    const struct rci_attrs a = {n, node->name, m->opset, used, m->arena};
    if (node->op->read_attrs)
        RC_TRY(node->op->read_attrs(node, &a));
    for (size_t i = 0; i < n->n_attribute; i++)
        if (!used[i])
            return rci_fail(RC_ERR_MODEL, "node \"%s\": %s of opset %lld has no attribute \"%s\"",
                            node->name, node->op->name, (long long) m->opset,
                            rci_onnx_text(n->attribute[i]->name));
    return RC_OK;
}

/* Names need not be unique in ONNX, but are in a graph: then the place in the file is added. */
static char *node_make_name(struct import *m, const Onnx__NodeProto *n, size_t index)
{
    const char *name = rci_onnx_text(n->name);
    if (*name && rci_graph_find_node(m->g, name) == RC_NONE)
        return rci_strdup(m->g->ctx, name);
    char *hint = rci_format(m->g->ctx, "%s_%zu", *name ? name : n->op_type, index);
    char *fresh = hint ? rci_graph_fresh_name(m->g, hint) : NULL;
    rci_release(hint);
    return fresh;
}

static rc_status node_operands(struct import *m, const Onnx__NodeProto *n, rci_id *in, size_t n_in)
{
    for (size_t k = 0; k < n_in; k++) {
        in[k] = *n->input[k] ? rci_graph_find_value(m->g, n->input[k]) : RC_NONE;
        if (*n->input[k] && in[k] == RC_NONE)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": operand %zu \"%s\" is not defined",
                            rci_import_node_name(n), k, n->input[k]);
    }
    return RC_OK;
}

static rc_status node_add(struct import *m, const Onnx__NodeProto *n, size_t index)
{
    rci_id in[RC_NODE_MOST], out[RC_NODE_MOST], id;
    const size_t n_in = trimmed(n->input, n->n_input), n_out = trimmed(n->output, n->n_output);
    if (n_in > RC_NODE_MOST || n_out > RC_NODE_MOST)
        return rci_fail(RC_ERR_LIMIT, "node \"%s\": %zu operands and %zu results, at most %d each",
                        rci_import_node_name(n), n_in, n_out, RC_NODE_MOST);
    if (!node_op(n)) /* a form of an operator that no rule takes */
        return rci_fail(RC_ERR_UNSUPPORTED, "1 unsupported node: \"%s\" (%s)",
                        rci_import_node_name(n), rci_onnx_text(n->op_type));
    RC_TRY(node_check_attributes(n));
    RC_TRY(node_operands(m, n, in, n_in));
    for (size_t k = 0; k < n_out; k++)
        out[k] = *n->output[k] ? rci_graph_find_value(m->g, n->output[k]) : RC_NONE;
    char *name = node_make_name(m, n, index);
    if (!name)
        return RC_ERR_MEMORY;
    const rc_status st = rci_graph_add_node(m->g, &id, node_op(n), name, NULL, in, (uint32_t) n_in,
                                            out, (uint32_t) n_out);
    rci_release(name);
    RC_TRY(st);
    return node_read_attrs(m, n, id);
}

rc_status rci_import_nodes(struct import *m)
{
    struct rci_rewrite r = {m->g, m->arena, m->from->node, m->from->n_node, 0};
    RC_TRY(rci_rewrite_nodes(&r));
    for (size_t i = 0; i < r.n; i++)
        RC_TRY(node_define_results(m, r.node[i]));
    for (size_t i = 0; i < r.n; i++)
        if (!rci_import_is_constant(r.node[i]))
            RC_TRY(node_add(m, r.node[i], i));
    if (m->g->opset < r.opset)
        m->g->opset = r.opset;
    return RC_OK;
}
