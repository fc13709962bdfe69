/* graph -> ONNX message -> bytes. The message borrows names and weights from the graph, so only
 * the small parts are copied. Nodes come in topological order, initializers in the order of
 * their ids: the same graph gives the same bytes. */
#include "io/export.h"
#include "op/rewrite/qoperators.h"

#include <string.h>

/* Domains of a file; the opset in which QuantizeLinear got scales for each channel. */
enum { OPSETS_MOST = 8, PER_AXIS_SINCE = 13 };

/* The first IR version that allows the opset, or the graph's own where the opset stays. A newer one
 * would keep old readers out for nothing. */
static int64_t ir_version_for(const struct rc_graph *g, int64_t opset)
{
    static const struct {
        int64_t opset, ir;
    } since[] = {{7, 3},  {9, 4},   {10, 5},  {11, 6},  {12, 7}, {15, 8},
                 {19, 9}, {21, 10}, {23, 11}, {24, 12}, {25, 13}};
    int64_t ir = g->ir_version;
    for (size_t i = 0; opset != g->opset && i < sizeof(since) / sizeof(since[0]); i++)
        if (opset >= since[i].opset)
            ir = since[i].ir;
    return ir;
}

/* Operators that the opset does not have, yet or any more. */
static rc_status export_check_opset(const struct export *e)
{
    for (rci_id i = 0; i < e->g->n_nodes; i++) {
        const struct rci_node *n = &e->g->nodes[i];
        const struct rci_attr_write w = {.name = n->name, .opset = e->opset};
        const enum rci_quant_role role = rci_node_quant(n);
        if (n->op)
            RC_TRY(rci_attr_write_since(&w, n->op->since, n->op->name));
        if (n->op && n->op->until && e->opset > n->op->until)
            return rci_fail(RC_ERR_UNSUPPORTED,
                            "node \"%s\": %s ended with opset %d, the file is to be of opset %lld",
                            n->name, n->op->name, n->op->until, (long long) e->opset);
        /* runtimes read it before opset 13 too, so a file that came so goes so */
        if ((role == RC_QUANT_TO_INTEGER || role == RC_QUANT_TO_REAL) && e->opset < e->g->opset &&
            rci_shape_count(&e->g->values[n->in[1]].tensor.shape) > 1)
            RC_TRY(rci_attr_write_since(&w, PER_AXIS_SINCE, "a scale for each channel"));
    }
    return RC_OK;
}

/* Nodes of a session, or with work fused behind them, have no ONNX operator. */
static rc_status export_check(const struct rc_graph *g)
{
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const struct rci_node *n = &g->nodes[i];
        if (n->op && (n->op->flags & RC_OP_INTERNAL || n->n_post))
            return rci_fail(RC_ERR_STATE, "node \"%s\" (%s) has no ONNX form", n->name,
                            n->op->name);
    }
    return rci_graph_verify(g);
}

static rc_status export_constant(struct export *e, rci_id v)
{
    const struct rci_value *x = &e->g->values[v];
    Onnx__TensorProto *t = NULL;
    const enum rci_dtype type = rci_export_type(e, v, x->tensor.dtype);
    RC_TRY(rci_onnx_tensor_write(&t, e->arena, x->name, &x->tensor, type));
    if (e->outer[v])
        t->name = e->outer[v];
    return rci_export_add_initializer(e, t);
}

/* Those with a Cast behind them last: the order in which they are values when the file is read. */
static rc_status export_initializers(struct export *e)
{
    for (int cast = 0; cast < 2; cast++)
        for (rci_id v = 0; v < e->g->n_values; v++) {
            const struct rci_value *x = &e->g->values[v];
            if (rci_value_is_const(x) && !(x->flags & RC_VALUE_DEAD) && cast == !!e->outer[v])
                RC_TRY(export_constant(e, v));
        }
    return RC_OK;
}

rc_status rci_export_add_initializer(struct export *e, Onnx__TensorProto *t)
{
    if (e->n_initializers == e->cap_initializers) {
        const size_t cap = e->cap_initializers ? 2 * e->cap_initializers : 64;
        Onnx__TensorProto **grown = rci_arena_array(e->arena, cap, sizeof(*grown));
        if (!grown)
            return e->arena->status;
        if (e->n_initializers)
            memcpy(grown, e->initializers, e->n_initializers * sizeof(*grown));
        e->initializers = grown;
        e->cap_initializers = cap;
    }
    e->initializers[e->n_initializers++] = t;
    return RC_OK;
}

static rc_status export_meta(struct export *e, Onnx__ModelProto *m)
{
    m->n_metadata_props = e->g->n_meta;
    m->metadata_props = rci_arena_array(e->arena, e->g->n_meta, sizeof(*m->metadata_props));
    Onnx__StringStringEntryProto *entry = rci_arena_array(e->arena, e->g->n_meta, sizeof(*entry));
    if (!m->metadata_props || !entry)
        return e->arena->status;
    for (uint32_t i = 0; i < e->g->n_meta; i++) {
        onnx__string_string_entry_proto__init(&entry[i]);
        entry[i].key = e->g->meta[i].key;
        entry[i].value = e->g->meta[i].value;
        m->metadata_props[i] = &entry[i];
    }
    return RC_OK;
}

static rc_status export_graph(struct export *e, Onnx__GraphProto *to)
{
    onnx__graph_proto__init(to);
    RC_TRY(export_check_opset(e));
    to->name = e->g->name && *e->g->name ? e->g->name : (char *) "graph";
    RC_TRY(rci_export_narrow(e));
    RC_TRY(rci_export_storage(e));
    RC_TRY(export_initializers(e));
    RC_TRY(rci_export_nodes(e, to));
    to->initializer = e->initializers;
    to->n_initializer = e->n_initializers;
    RC_TRY(rci_export_outputs(e, to));
    if (e->form.qoperators)
        RC_TRY(rci_qoperators_make(to, e->arena));
    return rci_export_inputs(e, to);
}

static rc_status export_opset(Onnx__ModelProto *m, Onnx__OperatorSetIdProto *list,
                              const char *domain, int64_t version)
{
    size_t k = 0;
    while (k < m->n_opset_import && strcmp(list[k].domain, domain) != 0)
        k++;
    if (k < m->n_opset_import)
        return RC_OK;
    if (k == OPSETS_MOST)
        return rci_fail(RC_ERR_LIMIT, "nodes of more than %d domains", OPSETS_MOST);
    onnx__operator_set_id_proto__init(&list[k]);
    list[k].domain = (char *) domain;
    list[k].has_version = 1;
    list[k].version = version;
    m->opset_import[m->n_opset_import++] = &list[k];
    return RC_OK;
}

/* The ONNX domain, and those that nodes are in, each as version 1. */
static rc_status export_opsets(struct export *e, Onnx__ModelProto *m)
{
    const Onnx__GraphProto *g = m->graph;
    Onnx__OperatorSetIdProto *list = rci_arena_array(e->arena, OPSETS_MOST, sizeof(*list));
    m->opset_import = rci_arena_array(e->arena, OPSETS_MOST, sizeof(*m->opset_import));
    if (!list || !m->opset_import)
        return e->arena->status;
    RC_TRY(export_opset(m, list, "", e->opset));
    for (size_t i = 0; i < g->n_node; i++)
        if (g->node[i]->domain && *g->node[i]->domain)
            RC_TRY(export_opset(m, list, g->node[i]->domain, 1));
    return RC_OK;
}

rc_status rci_onnx_save_memory(struct rci_bytes *out, const struct rc_graph *g)
{
    return rci_onnx_save_memory_as(out, g, NULL);
}

rc_status rci_export_model(struct rci_exported *x, const struct rc_graph *g,
                           const struct rci_onnx_form *form)
{
    *x = (struct rci_exported){.arena = {.ctx = g->ctx}};
    struct export e = {.g = g, .arena = &x->arena};
    if (form)
        e.form = *form;
    e.opset = e.form.opset ? e.form.opset : g->opset;
    e.ir_version = ir_version_for(g, e.opset);
    RC_TRY(export_check(g));
    Onnx__ModelProto *m = &x->model;
    onnx__model_proto__init(m);
    m->has_ir_version = 1;
    m->ir_version = e.ir_version;
    m->producer_name = (char *) "resnetcompress";
    m->producer_version = (char *) RC_VERSION;
    m->graph = &x->graph;
    RC_TRY(export_graph(&e, &x->graph));
    RC_TRY(export_opsets(&e, m));
    return export_meta(&e, m);
}

rc_status rci_onnx_save_memory_as(struct rci_bytes *out, const struct rc_graph *g,
                                  const struct rci_onnx_form *form)
{
    struct rci_exported x;
    *out = (struct rci_bytes){0};
    rc_status st = rci_export_model(&x, g, form);
    if (st == RC_OK)
        st = rci_onnx_write(&out->data, &out->size, g->ctx, &x.model);
    rci_arena_free(&x.arena);
    return st;
}

rc_status rci_onnx_save(const struct rc_graph *g, const char *path)
{
    return rci_onnx_save_as(g, path, NULL);
}

rc_status rci_onnx_save_as(const struct rc_graph *g, const char *path,
                           const struct rci_onnx_form *form)
{
    struct rci_bytes file;
    RC_TRY(rci_onnx_save_memory_as(&file, g, form));
    const rc_status st = rci_file_write(g->ctx, path, file.data, file.size);
    rci_release(file.data);
    return st;
}
