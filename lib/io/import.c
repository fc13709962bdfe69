/* bytes -> ONNX message -> graph. This file checks the model as a whole; values and nodes have
 * theirs. Afterwards constants are folded and bound, so a graph never holds shape chains that the
 * file spelled out. */
#include "io/import.h"

#include "io/packed.h"
#include "pass/check.h"
#include "pass/pass.h"
#include "wire/outline.h"

#include <string.h>

/* KNOWN: newer versions are read with a warning, since fields are only added. */
enum { IR_FIRST = 3, IR_KNOWN = 13, IR_LAST = 31 };
/* WRITTEN_FIRST: older files are written as opset 7, where broadcasting is what it is today. */
enum { OPSET_FIRST = 1, OPSET_LAST = 25, OPSET_WRITTEN_FIRST = 7 };

/* Other domains matter where a node uses one, which is refused by its name: exporters list many
 * that no node uses. */
static rc_status model_opset(const Onnx__ModelProto *m, int64_t *out)
{
    bool found = false;
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const int64_t v = m->opset_import[i]->version;
        if (!rci_import_is_onnx(m->opset_import[i]->domain))
            continue;
        if (found)
            return rci_fail(RC_ERR_UNSUPPORTED,
                            "opset_import: opset %lld and opset %lld both given", (long long) *out,
                            (long long) v);
        if (v < OPSET_FIRST || v > OPSET_LAST)
            return rci_fail(RC_ERR_UNSUPPORTED, "opset is %lld, supported are %d..%d",
                            (long long) v, OPSET_FIRST, OPSET_LAST);
        found = true;
        *out = v;
    }
    if (!found)
        return rci_fail(RC_ERR_UNSUPPORTED, "opset_import is missing, supported are opsets %d..%d",
                        OPSET_FIRST, OPSET_LAST);
    return RC_OK;
}

static rc_status model_check(struct rc_context *c, const Onnx__ModelProto *m, int64_t *opset)
{
    if (!m->graph)
        return rci_fail(RC_ERR_FORMAT, "not an ONNX model: no graph");
    if (!m->has_ir_version)
        return rci_fail(RC_ERR_UNSUPPORTED, "ir_version is missing, supported are %d..%d", IR_FIRST,
                        IR_LAST);
    if (m->ir_version < IR_FIRST || m->ir_version > IR_LAST)
        return rci_fail(RC_ERR_UNSUPPORTED, "ir_version is %lld, supported are %d..%d",
                        (long long) m->ir_version, IR_FIRST, IR_LAST);
    if (m->ir_version > IR_KNOWN)
        rci_log(c, RC_LOG_WARNING, "ir_version %lld is newer than %d: read as far as it is known",
                (long long) m->ir_version, IR_KNOWN);
    RC_TRY(model_opset(m, opset));
    if (m->n_functions > FUNCTIONS_MOST)
        return rci_fail(RC_ERR_LIMIT, "%zu functions, at most %d", m->n_functions, FUNCTIONS_MOST);
    /* training information and annotations add nothing to inference */
    if (m->graph->n_sparse_initializer)
        return rci_fail(RC_ERR_UNSUPPORTED, "graph with sparse initializers is not supported");
    if (m->n_training_info)
        rci_log(c, RC_LOG_WARNING, "training_info of the model is ignored");
    if (m->graph->n_quantization_annotation)
        rci_log(c, RC_LOG_WARNING, "quantization_annotation of the graph is ignored");
    return RC_OK;
}

static rc_status model_names(struct rc_graph *g, const Onnx__ModelProto *m)
{
    const char *name = rci_onnx_text(m->graph->name);
    if (*name && !(g->name = rci_strdup(g->ctx, name)))
        return RC_ERR_MEMORY;
    for (size_t i = 0; i < m->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *e = m->metadata_props[i];
        if (!*rci_onnx_text(e->key))
            return rci_fail(RC_ERR_MODEL, "metadata_props: entry %zu has no key", i);
        RC_TRY(rci_graph_set_metadata(g, e->key, rci_onnx_text(e->value)));
    }
    return RC_OK;
}

/* Values before nodes, which name them; external data before initializers, which become tensors. */
/* Integers of less than a byte are weights only: quantizing to them at run time would need their
 * range. */
static rc_status model_check_narrow(const struct rc_graph *g)
{
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const struct rci_node *n = &g->nodes[i];
        const rci_id zero = n->n_in > 2 ? n->in[2] : RC_NONE;
        if (rci_node_quant(n) == RC_QUANT_TO_INTEGER && zero != RC_NONE &&
            rci_dtype_narrow_bits(g->values[zero].storage))
            return rci_fail(RC_ERR_UNSUPPORTED,
                            "node \"%s\": quantizing to %s is not supported, only weights are",
                            n->name, rci_dtype_name(g->values[zero].storage));
    }
    return RC_OK;
}

static rc_status model_parts(struct import *im, Onnx__ModelProto *m)
{
    struct rc_graph *g = im->g;
    RC_TRY(model_check(g->ctx, m, &im->opset));
    g->opset = im->opset < OPSET_WRITTEN_FIRST ? OPSET_WRITTEN_FIRST : im->opset;
    g->ir_version = m->ir_version;
    RC_TRY(rci_import_inline(im, m));
    RC_TRY(rci_import_check_operators(im));
    RC_TRY(model_names(g, m));
    RC_TRY(rci_import_external(im));
    RC_TRY(rci_import_initializers(im));
    RC_TRY(rci_import_inputs(im));
    if (im->shapes_used < im->source->n_shapes)
        return rci_fail(RC_ERR_ARG, "a shape is given for an input that the model does not have");
    RC_TRY(rci_import_nodes(im));
    RC_TRY(model_check_narrow(g));
    RC_TRY(rci_import_outputs(im));
    RC_TRY(rci_graph_verify(g));
    RC_TRY(rci_graph_drop_unread(g));
    return rci_import_align(im);
}

static rc_status model_build(struct rc_graph *g, struct rci_arena *arena, Onnx__ModelProto *m,
                             const struct rci_onnx_source *source)
{
    struct import im = {.g = g, .arena = arena, .from = m->graph, .source = source};
    const rc_status st = model_parts(&im, m);
    rci_release(im.aligned);
    return st;
}

/* f16, bf16 and f64 are f32 here, so what converts between them does nothing. */
static rc_status drop_conversions(struct rc_graph *g)
{
    uint32_t converted = 0, reals = 0;
    enum rci_dtype one = 0;
    bool mixed = false;
    for (rci_id v = 0; v < g->n_values; v++) {
        const struct rci_value *x = &g->values[v];
        if (x->tensor.dtype != RC_F32 ||
            !(rci_value_is_const(x) || x->flags & (RC_VALUE_INPUT | RC_VALUE_OUTPUT)))
            continue;
        mixed |= reals++ && x->storage != one;
        one = x->storage;
        converted += x->storage != 0;
    }
    if (!converted)
        return RC_OK;
    RC_TRY(rci_pass_run(g, &rci_pass_drop_conversions, NULL));
    g->storage = mixed ? 0 : one;
    return RC_OK;
}

/* Every step of import against the model as it was built. */
static rc_status clean_up_checked(struct rc_graph *g)
{
    struct rc_graph *raw;
    struct rci_check check;
    RC_TRY(rci_graph_clone_shared(&raw, g));
    rc_status st = rci_check_start(&check, raw);
    if (st == RC_OK) {
        st = rci_pass_run(g, &rci_pass_fold_const, NULL);
        if (st == RC_OK)
            st = rci_check_compare(&check, g, rci_pass_fold_const.name);
        if (st == RC_OK)
            st = drop_conversions(g);
        if (st == RC_OK)
            st = rci_check_compare(&check, g, rci_pass_drop_conversions.name);
        rci_check_end(&check);
    }
    rci_graph_free(raw);
    g->checked = true;
    return st;
}

/* Folding makes the shapes that exporters compute at run time into attributes. */
static rc_status clean_up(struct rc_graph *g, uint32_t flags)
{
    if (flags & RCI_LOAD_CHECK)
        return clean_up_checked(g);
    RC_TRY(rci_pass_run(g, &rci_pass_fold_const, NULL));
    return drop_conversions(g);
}

rc_status rci_import_model(struct rc_graph **out, struct rci_arena *arena, Onnx__ModelProto *m,
                           const struct rci_onnx_source *source)
{
    struct rc_graph *g;
    rc_status st = rci_graph_new(&g, arena->ctx);
    if (st != RC_OK) {
        rci_arena_free(arena);
        return st;
    }
    st = model_build(g, arena, m, source);
    rci_arena_free(arena); /* before folding, which wants memory of its own */
    if (st == RC_OK)
        st = clean_up(g, source->flags);
    if (st != RC_OK)
        rci_graph_free(g);
    else
        *out = g;
    return st;
}

/* `owned`: the block of `data`, released once the message is unpacked, or NULL. */
static rc_status import_load(struct rc_graph **out, struct rc_context *c,
                             const struct rci_onnx_source *source, const void *data, size_t size,
                             void *owned)
{
    struct rci_arena arena = {.ctx = c};
    Onnx__ModelProto *model = NULL;
    const rc_status st = rci_onnx_read(&model, &arena, data, size);
    rci_release(owned);
    if (st == RC_OK)
        return rci_import_model(out, &arena, model, source);
    rci_arena_free(&arena);
    return st;
}

rc_status rci_onnx_load_memory(struct rc_graph **out, struct rc_context *c, const void *data,
                               size_t size)
{
    const struct rci_onnx_source plain = {0};
    return rci_onnx_load_from(out, c, &plain, data, size);
}

/* Copying out of the system's cache and first touch of memory are work for all threads. Messages
 * belong to a thread: this one reads again what failed. */
static rc_status read_all(const Onnx__ModelProto *m, const struct rci_outline *o,
                          const struct rci_file *f, uint32_t threads)
{
    uint32_t failed = UINT32_MAX;
#pragma omp parallel for schedule(dynamic) num_threads(threads) reduction(min : failed)
    for (uint32_t i = 0; i < o->n; i++) {
        const struct rci_outline_piece *p = &o->piece[i];
        void *to = m->graph->initializer[p->initializer]->raw_data.data;
        if (rci_file_read_at(f, p->at, to, p->size) != RC_OK && i < failed)
            failed = i;
    }
    if (failed == UINT32_MAX)
        return RC_OK;
    const struct rci_outline_piece *p = &o->piece[failed];
    RC_TRY(
        rci_file_read_at(f, p->at, m->graph->initializer[p->initializer]->raw_data.data, p->size));
    return rci_fail(RC_ERR_IO, "%s: changed while reading", f->path);
}

/* Large weights straight from the file into memory that their tensors take over. */
static rc_status read_pieces(struct rci_arena *a, const Onnx__ModelProto *m,
                             const struct rci_outline *o, const struct rci_file *f)
{
    for (uint32_t i = 0; i < o->n; i++) {
        const struct rci_outline_piece *p = &o->piece[i];
        if (!m->graph || p->initializer >= m->graph->n_initializer)
            return rci_fail(RC_ERR_FORMAT, "not an ONNX model: initializer %u is missing",
                            p->initializer);
        Onnx__TensorProto *t = m->graph->initializer[p->initializer];
        a->cap += p->size + 64; /* in the file, so no lie */
        void *bytes = rci_arena_alloc(a, p->size);
        if (!bytes)
            return a->status;
        t->has_raw_data = 1;
        t->raw_data.len = p->size;
        t->raw_data.data = bytes;
    }
    return read_all(m, o, f, rci_context_threads(a->ctx));
}

static rc_status load_outline(struct rc_graph **out, struct rc_context *c,
                              const struct rci_onnx_source *source, const struct rci_outline *o,
                              const struct rci_file *f)
{
    struct rci_arena arena = {.ctx = c};
    Onnx__ModelProto *model = NULL;
    rc_status st = rci_onnx_read(&model, &arena, o->model.data, o->model.size);
    if (st == RC_OK)
        st = read_pieces(&arena, model, o, f);
    if (st == RC_OK)
        return rci_import_model(out, &arena, model, source);
    rci_arena_free(&arena);
    return st;
}

static rc_status load_whole(struct rc_graph **out, struct rc_context *c,
                            const struct rci_onnx_source *source)
{
    struct rci_bytes file = {0};
    RC_TRY(rci_file_read(c, source->path, 0, &file));
    const rc_status st = import_load(out, c, source, file.data, file.size, file.data);
    return st == RC_OK ? RC_OK : rci_fail_prefix(st, "%s", source->path);
}

static rc_status load_packed(struct rc_graph **out, struct rc_context *c,
                             const struct rci_onnx_source *source, const struct rci_file *f)
{
    const rc_status st = rci_packed_load(out, c, source, f, NULL, 0);
    return st == RC_OK || st == RC_ERR_IO ? st : rci_fail_prefix(st, "%s", source->path);
}

static rc_status load_path(struct rc_graph **out, struct rc_context *c,
                           const struct rci_onnx_source *source)
{
    struct rci_outline outline;
    struct rci_file file;
    uint8_t first[4];
    RC_TRY(rci_file_open(&file, c, source->path, 0));
    if (file.size >= sizeof(first)) {
        rc_status st = rci_file_read_at(&file, 0, first, sizeof(first));
        const bool packed = st == RC_OK && rci_packed_begins(first, sizeof(first));
        if (packed)
            st = load_packed(out, c, source, &file);
        if (packed || st != RC_OK) {
            rci_file_close(&file);
            return st;
        }
    }
    rc_status st = rci_outline_read(&outline, &file, c);
    const bool whole = st == RC_OK && outline.n == 0;
    if (st == RC_OK && !whole) {
        st = load_outline(out, c, source, &outline, &file);
        if (st != RC_OK && st != RC_ERR_IO)
            st = rci_fail_prefix(st, "%s", source->path);
    }
    rci_outline_free(&outline);
    rci_file_close(&file);
    return whole ? load_whole(out, c, source) : st;
}

rc_status rci_onnx_load_from(struct rc_graph **out, struct rc_context *c,
                             const struct rci_onnx_source *source, const void *data, size_t size)
{
    *out = NULL;
    if (source->path)
        return load_path(out, c, source);
    if (rci_packed_begins(data, size))
        return rci_packed_load(out, c, source, NULL, data, size);
    return import_load(out, c, source, data, size, NULL);
}

rc_status rci_onnx_load(struct rc_graph **out, struct rc_context *c, const char *path)
{
    const struct rci_onnx_source source = {.path = path};
    return rci_onnx_load_from(out, c, &source, NULL, 0);
}
