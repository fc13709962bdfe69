/* Functions of a model (ModelProto.functions) are put in place of the nodes that call them, in the
 * message: inner names get the caller's in front, formal names become the caller's operands, and
 * attributes that refer to the function's take the caller's value or the default. */
#include "io/import.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH = 8 }; /* functions that call functions */

struct inliner {
    struct import *m;
    const Onnx__ModelProto *model;
    Onnx__NodeProto **node;
    size_t n, cap, most;
};

const Onnx__FunctionProto *rci_import_function(const Onnx__ModelProto *model,
                                               const Onnx__NodeProto *n)
{
    for (size_t i = 0; i < model->n_functions && i < FUNCTIONS_MOST; i++) {
        const Onnx__FunctionProto *f = model->functions[i];
        const bool same_domain = rci_import_is_onnx(f->domain)
                                     ? rci_import_is_onnx(n->domain)
                                     : !strcmp(rci_onnx_text(f->domain), rci_onnx_text(n->domain));
        if (same_domain && !strcmp(rci_onnx_text(f->name), rci_onnx_text(n->op_type)) &&
            !strcmp(rci_onnx_text(f->overload), rci_onnx_text(n->overload)))
            return f;
    }
    return NULL;
}

/* The body is read as the model's opset, so it must be of that. */
static rc_status function_check(const struct inliner *l, const Onnx__FunctionProto *f,
                                const Onnx__NodeProto *call)
{
    const char *name = rci_import_node_name(call);
    for (size_t i = 0; i < f->n_opset_import; i++)
        if (rci_import_is_onnx(f->opset_import[i]->domain) &&
            f->opset_import[i]->version != l->m->opset)
            return rci_fail(RC_ERR_UNSUPPORTED,
                            "node \"%s\": function %s is of opset %lld, the model of %lld", name,
                            call->op_type, (long long) f->opset_import[i]->version,
                            (long long) l->m->opset);
    /* fewer are fine: what is missing was optional */
    if (call->n_input > f->n_input || call->n_output > f->n_output)
        return rci_fail(
            RC_ERR_MODEL, "node \"%s\": %zu operands and %zu results, function %s has %zu and %zu",
            name, call->n_input, call->n_output, call->op_type, f->n_input, f->n_output);
    return RC_OK;
}

static char *joined(struct inliner *l, const char *prefix, const char *name)
{
    const size_t room = strlen(prefix) + strlen(name) + 2;
    char *text = rci_arena_alloc(l->m->arena, room);
    if (text)
        snprintf(text, room, "%s/%s", prefix, name);
    return text;
}

/* What a name of the body is called outside. */
static char *outside(struct inliner *l, const Onnx__FunctionProto *f, const Onnx__NodeProto *call,
                     char *name)
{
    if (!*name)
        return name;
    for (size_t i = 0; i < f->n_input; i++)
        if (!strcmp(f->input[i], name))
            /* an operand that the caller left out is left out inside too */
            return i < call->n_input ? call->input[i] : (char *) "";
    for (size_t i = 0; i < f->n_output && i < call->n_output; i++)
        if (!strcmp(f->output[i], name) && *call->output[i])
            return call->output[i];
    return joined(l, rci_import_node_name(call), name);
}

static rc_status outside_all(struct inliner *l, const Onnx__FunctionProto *f,
                             const Onnx__NodeProto *call, char *const *from, size_t n, char ***to)
{
    *to = rci_arena_array(l->m->arena, n, sizeof(**to));
    if (!*to)
        return l->m->arena->status;
    for (size_t i = 0; i < n; i++)
        if (!((*to)[i] = outside(l, f, call, from[i])))
            return l->m->arena->status;
    return RC_OK;
}

static const Onnx__AttributeProto *attribute_named(Onnx__AttributeProto *const *a, size_t n,
                                                   const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rci_onnx_text(a[i]->name), name))
            return a[i];
    return NULL;
}

/* Referring attributes that nobody gives a value are left out: the operator's default. */
static rc_status body_attributes(struct inliner *l, const Onnx__FunctionProto *f,
                                 const Onnx__NodeProto *call, Onnx__NodeProto *node)
{
    Onnx__AttributeProto **from = node->attribute;
    const size_t n = node->n_attribute;
    node->attribute = rci_arena_array(l->m->arena, n, sizeof(*node->attribute));
    if (!node->attribute)
        return l->m->arena->status;
    node->n_attribute = 0;
    for (size_t i = 0; i < n; i++) {
        const char *refers = rci_onnx_text(from[i]->ref_attr_name);
        if (!*refers) {
            node->attribute[node->n_attribute++] = from[i];
            continue;
        }
        const Onnx__AttributeProto *value =
            attribute_named(call->attribute, call->n_attribute, refers);
        if (!value)
            value = attribute_named(f->attribute_proto, f->n_attribute_proto, refers);
        if (!value)
            continue;
        Onnx__AttributeProto *copy = rci_arena_alloc(l->m->arena, sizeof(*copy));
        if (!copy)
            return l->m->arena->status;
        *copy = *value;
        copy->name = from[i]->name;
        node->attribute[node->n_attribute++] = copy;
    }
    return RC_OK;
}

/* A copy of a node of the function under the caller's names. */
static rc_status body_node(struct inliner *l, const Onnx__FunctionProto *f,
                           const Onnx__NodeProto *call, const Onnx__NodeProto *from,
                           Onnx__NodeProto **out)
{
    Onnx__NodeProto *node = rci_arena_alloc(l->m->arena, sizeof(*node));
    if (!node)
        return l->m->arena->status;
    *node = *from;
    RC_TRY(outside_all(l, f, call, from->input, from->n_input, &node->input));
    RC_TRY(outside_all(l, f, call, from->output, from->n_output, &node->output));
    if (*rci_onnx_text(from->name) &&
        !(node->name = joined(l, rci_import_node_name(call), from->name)))
        return l->m->arena->status;
    RC_TRY(body_attributes(l, f, call, node));
    *out = node;
    return RC_OK;
}

/* The array lives in the arena, where nothing is freed: doubling wastes as much again at most. */
static rc_status inliner_add(struct inliner *l, Onnx__NodeProto *node)
{
    if (l->n == l->most)
        return rci_fail(RC_ERR_LIMIT, "more than %zu nodes with those of functions", l->most);
    if (l->n == l->cap) {
        const size_t cap = l->cap ? 2 * l->cap : 256;
        Onnx__NodeProto **grown = rci_arena_array(l->m->arena, cap, sizeof(*grown));
        if (!grown)
            return l->m->arena->status;
        if (l->n)
            memcpy(grown, l->node, l->n * sizeof(*grown));
        l->node = grown;
        l->cap = cap;
    }
    l->node[l->n++] = node;
    return RC_OK;
}

static rc_status inline_node(struct inliner *l, Onnx__NodeProto *node, int depth)
{
    const Onnx__FunctionProto *f = rci_import_function(l->model, node);
    if (!f)
        return inliner_add(l, node);
    if (depth == DEPTH)
        return rci_fail(RC_ERR_LIMIT, "node \"%s\": functions call each other more than %d deep",
                        rci_import_node_name(node), DEPTH);
    RC_TRY(function_check(l, f, node));
    for (size_t i = 0; i < f->n_node; i++) {
        Onnx__NodeProto *inner = NULL;
        RC_TRY(body_node(l, f, node, f->node[i], &inner));
        RC_TRY(inline_node(l, inner, depth + 1));
    }
    return RC_OK;
}

rc_status rci_import_inline(struct import *m, Onnx__ModelProto *model)
{
    const uint64_t most = m->g->ctx->o.max_nodes;
    struct inliner l = {.m = m, .model = model, .most = most ? (size_t) most : 65536};
    if (!model->n_functions)
        return RC_OK;
    /* bodies may be larger than the file by as much as they are called, to a limit */
    m->arena->cap += UINT64_C(64) << 20;
    for (size_t i = 0; i < model->graph->n_node; i++)
        RC_TRY(inline_node(&l, model->graph->node[i], 0));
    model->graph->node = l.node;
    model->graph->n_node = l.n;
    return RC_OK;
}
