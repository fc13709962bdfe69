/* packed file -> graph. The message without weights passes the same scan and import as an ONNX
 * file; weights are decoded into the memory that becomes their tensors, parts of the file in
 * parallel. */
#include "io/packed_parts.h"

#include "io/import.h"

#include <stdio.h>
#include <string.h>

static rc_status read_text(struct rci_bytes *out, const struct packed_file *p, uint32_t kind,
                           const char *what)
{
    const uint8_t *at;
    void *own;
    uint32_t part = 0;
    RC_TRY(rci_packed_find(p, kind, what, &part));
    RC_TRY(rci_packed_fetch(p, part, &at, &own));
    struct rci_cursor from = {at, at + p->part[part].size};
    const rc_status st = rci_text_read(out, p->ctx, &from, what);
    rci_release(own);
    return st;
}

/* What a weight is, by the message alone. */
static rc_status tensor_shape(struct packed_tensor *x, const Onnx__TensorProto *t, uint32_t index)
{
    const size_t typed = t->n_float_data + t->n_int32_data + t->n_int64_data + t->n_double_data +
                         t->n_uint64_data + t->n_string_data;
    if (t->has_raw_data || typed || t->n_external_data || t->data_location == 1)
        return rci_fail(RC_ERR_FORMAT, "packed model: initializer %u has data of its own", index);
    x->type = rci_packed_type(t->has_data_type ? t->data_type : 0);
    if (!x->type.bits)
        return rci_fail(RC_ERR_FORMAT, "packed model: initializer %u of type %d (%s) is packed",
                        index, (int) t->data_type, rci_onnx_dtype_name(t->data_type));
    x->count = 1;
    for (size_t k = 0; k < t->n_dims; k++)
        if (t->dims[k] < 1 || t->dims[k] > INT32_MAX ||
            (x->count *= (size_t) t->dims[k]) > INT32_MAX)
            return rci_fail(RC_ERR_FORMAT, "packed model: dims[%zu] of initializer %u is %lld", k,
                            index, (long long) t->dims[k]);
    x->bytes = x->type.bits < 8 ? (x->count + 8 / x->type.bits - 1) / (8u / x->type.bits)
                                : x->count * (x->type.bits / 8);
    return RC_OK;
}

struct plan_walk {
    const struct packed_file *p;
    struct packed_plan *plan;
    struct rci_cursor table;
    uint64_t initializer; /* the next one that may come */
    uint32_t part;        /* where weights go now; n_parts: none is begun */
    uint64_t at, total;
};

static bool holds_weights(const struct packed_part *s)
{
    return s->kind == PART_CODED || s->kind == PART_RAW;
}

/* The part that is left must be full, the next one that holds weights begins. */
static rc_status next_part(struct plan_walk *w)
{
    const struct packed_file *p = w->p;
    if (w->part < p->n_parts && w->at != p->part[w->part].size)
        return rci_fail(RC_ERR_FORMAT, "packed model: %llu bytes of part %u belong to no weight",
                        (unsigned long long) (p->part[w->part].size - w->at), w->part);
    w->part = w->part == UINT32_MAX ? 0 : w->part + 1;
    while (w->part < p->n_parts && !holds_weights(&p->part[w->part]))
        w->part++;
    w->at = 0;
    return RC_OK;
}

static rc_status tensor_room(struct plan_walk *w, struct packed_tensor *x, uint32_t index)
{
    const struct packed_part *s = w->part < w->p->n_parts ? &w->p->part[w->part] : NULL;
    if (!s || x->stored > s->size - w->at)
        return rci_fail(RC_ERR_FORMAT, "packed model: %llu bytes of initializer %u are in no part",
                        (unsigned long long) x->stored, index);
    if (s->kind == PART_RAW && (x->stored != s->size || x->stored != x->bytes))
        return rci_fail(RC_ERR_FORMAT,
                        "packed model: initializer %u of %zu bytes alone in part %u of %llu bytes",
                        index, x->bytes, w->part, (unsigned long long) s->size);
    if (x->bytes / RCI_RATIO > x->stored)
        return rci_fail(RC_ERR_LIMIT,
                        "packed model: initializer %u of %zu bytes from %llu, at most %d times as "
                        "many",
                        index, x->bytes, (unsigned long long) x->stored, RCI_RATIO);
    x->part = w->part;
    x->at = w->at;
    w->at += x->stored;
    return RC_OK;
}

/* The number of another weight, and a factor. */
static rc_status plan_product(struct plan_walk *w, struct packed_tensor *x, uint32_t index)
{
    const uint8_t *p = NULL;
    uint64_t of;
    RC_TRY(rci_cursor_number(&w->table, UINT32_MAX, &of, "table of weights"));
    RC_TRY(rci_cursor_bytes(&w->table, 4, &p, "table of weights"));
    const uint32_t bits = rci_get32(p);
    memcpy(&x->factor, &bits, 4);
    if (x->onnx->data_type != ONNX_FLOAT)
        return rci_fail(RC_ERR_FORMAT, "packed model: initializer %u is a product of integers",
                        index);
    x->of = (uint32_t) of;
    x->part = UINT32_MAX;
    return RC_OK;
}

/* The other weights are known only when all are. */
static rc_status products_check(const struct packed_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        const struct packed_tensor *x = &plan->tensor[i];
        const struct packed_tensor *y = x->of < plan->n_tensors ? &plan->tensor[x->of] : NULL;
        if (!x->stored &&
            (!y || !y->stored || y->count != x->count || y->onnx->data_type != ONNX_FLOAT))
            return rci_fail(RC_ERR_FORMAT,
                            "packed model: weight %u is the multiple of weight %u, which is not "
                            "like it",
                            i, x->of);
    }
    return RC_OK;
}

static rc_status plan_tensor(struct plan_walk *w, struct packed_tensor *x)
{
    const Onnx__GraphProto *g = w->plan->model->graph;
    uint64_t skip, stored;
    RC_TRY(rci_cursor_number(&w->table, UINT32_MAX, &skip, "table of weights"));
    RC_TRY(rci_cursor_number(&w->table, UINT64_MAX >> 1, &stored, "table of weights"));
    const uint64_t index = w->initializer + skip;
    if (index >= g->n_initializer)
        return rci_fail(RC_ERR_FORMAT, "packed model: weights of initializer %llu, there are %zu",
                        (unsigned long long) index, g->n_initializer);
    w->initializer = index + 1;
    x->onnx = g->initializer[index];
    x->stored = stored >> 1;
    RC_TRY(tensor_shape(x, x->onnx, (uint32_t) index));
    w->total += x->bytes;
    if (w->total > w->p->ctx->o.max_file_bytes)
        return rci_fail(RC_ERR_LIMIT,
                        "packed model: more than %llu bytes of weights (max_file_bytes)",
                        (unsigned long long) w->p->ctx->o.max_file_bytes);
    if (!stored)
        return plan_product(w, x, (uint32_t) index);
    if (stored & 1)
        RC_TRY(next_part(w));
    x->begins = stored & 1;
    return tensor_room(w, x, (uint32_t) index);
}

static rc_status plan_tensors(struct plan_walk *w)
{
    struct packed_plan *plan = w->plan;
    uint64_t n;
    if (!plan->model->graph)
        return rci_fail(RC_ERR_FORMAT, "not an ONNX model: no graph");
    RC_TRY(rci_cursor_number(&w->table, plan->model->graph->n_initializer, &n, "weights"));
    plan->tensor = rci_alloc_array(w->p->ctx, (size_t) n + 1, sizeof(*plan->tensor));
    if (!plan->tensor)
        return RC_ERR_MEMORY;
    for (; plan->n_tensors < n; plan->n_tensors++)
        RC_TRY(plan_tensor(w, &plan->tensor[plan->n_tensors]));
    RC_TRY(rci_cursor_end(&w->table, "table of weights"));
    RC_TRY(products_check(plan));
    RC_TRY(next_part(w));
    return w->part == w->p->n_parts
               ? RC_OK
               : rci_fail(RC_ERR_FORMAT, "packed model: part %u belongs to no weight", w->part);
}

rc_status rci_packed_plan(struct packed_plan *out, const struct packed_file *p,
                          struct rci_arena *arena)
{
    struct rci_bytes text = {0};
    struct plan_walk w = {.p = p, .plan = out, .part = UINT32_MAX};
    *out = (struct packed_plan){0};
    RC_TRY(read_text(&text, p, PART_GRAPH, "graph"));
    out->graph_bytes = text.size;
    rc_status st = rci_onnx_read(&out->model, arena, text.data, text.size);
    rci_release(text.data);
    RC_TRY(st);
    RC_TRY(read_text(&text, p, PART_TENSORS, "table of weights"));
    w.table = (struct rci_cursor){text.data, text.data + text.size};
    st = plan_tensors(&w);
    rci_release(text.data);
    if (st != RC_OK) {
        rci_release(out->tensor);
        out->tensor = NULL;
    }
    return st;
}

/* --- weights --- */

static rc_status tensor_decode(struct rc_context *c, const struct packed_tensor *x,
                               const uint8_t *coded)
{
    const Onnx__TensorProto *t = x->onnx;
    struct rci_cursor from = {coded, coded + x->stored};
    struct rci_elements e =
        rci_packed_elements(&x->type, x->count, t->n_dims ? (size_t) t->dims[0] : 1);
    char what[160];
    e.ctx = c;
    e.data = x->type.bits < 8 ? rci_alloc(c, x->count) : t->raw_data.data;
    rc_status st = e.data ? rci_coder_read(&from, &e) : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = rci_cursor_end(&from, "weights");
    if (st == RC_OK && x->type.bits < 8)
        st = rci_packed_join(t->raw_data.data, e.data, x->count, x->type.bits);
    if (x->type.bits < 8)
        rci_release(e.data);
    if (st == RC_OK || st == RC_ERR_MEMORY)
        return st;
    snprintf(what, sizeof(what), "initializer \"%.120s\"", rci_onnx_text(t->name));
    return rci_fail_prefix(st, "%s", what);
}

/* All weights of a part; they are tensor[from .. to). */
static rc_status part_decode(const struct packed_file *p, const struct packed_plan *plan,
                             uint32_t from, uint32_t to)
{
    const uint32_t part = plan->tensor[from].part;
    const uint8_t *at;
    void *own = NULL;
    rc_status st = RC_OK;
    if (p->part[part].kind == PART_RAW) {
        uint8_t *data = plan->tensor[from].onnx->raw_data.data;
        RC_TRY(rci_packed_read_at(p, p->part[part].offset, data, plan->tensor[from].bytes));
        return rci_packed_check(p, part, data);
    }
    RC_TRY(rci_packed_fetch(p, part, &at, &own));
    for (uint32_t i = from; i < to && st == RC_OK; i++)
        if (plan->tensor[i].stored)
            st = tensor_decode(p->ctx, &plan->tensor[i], at + plan->tensor[i].at);
    rci_release(own);
    return st;
}

/* The last tensor of the part that `from` begins, and one. */
static uint32_t part_end(const struct packed_plan *plan, uint32_t from)
{
    uint32_t to = from + 1;
    while (to < plan->n_tensors &&
           (!plan->tensor[to].stored || plan->tensor[to].part == plan->tensor[from].part))
        to++;
    return to;
}

/* Messages belong to a thread: this one reads again what failed first. */
static rc_status decode_all(const struct packed_file *p, const struct packed_plan *plan)
{
    uint32_t failed = UINT32_MAX, memory = 0;
#pragma omp parallel for schedule(dynamic) num_threads(rci_context_threads(p->ctx)) \
    reduction(min                                                                   \
              : failed) reduction(|                                                 \
                                  : memory)
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        const rc_status st =
            plan->tensor[i].begins ? part_decode(p, plan, i, part_end(plan, i)) : RC_OK;
        memory |= st == RC_ERR_MEMORY;
        failed = st != RC_OK && i < failed ? i : failed;
    }
    if (failed == UINT32_MAX)
        return RC_OK;
    if (memory)
        return rci_fail(RC_ERR_MEMORY, "out of memory while decoding weights");
    RC_TRY(part_decode(p, plan, failed, part_end(plan, failed)));
    return rci_fail(RC_ERR_IO, "%s: changed while reading", p->file ? p->file->path : "memory");
}

static rc_status weights_read(const struct packed_file *p, const struct packed_plan *plan,
                              struct rci_arena *a)
{
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        const struct packed_tensor *x = &plan->tensor[i];
        a->cap += x->bytes + 64; /* planned, so no lie */
        uint8_t *data = rci_arena_alloc(a, x->bytes);
        if (!data)
            return a->status;
        x->onnx->has_raw_data = 1;
        x->onnx->raw_data.len = x->bytes;
        x->onnx->raw_data.data = data;
    }
    RC_TRY(decode_all(p, plan));
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        const struct packed_tensor *x = &plan->tensor[i];
        if (!x->stored)
            rci_product_make(x->onnx->raw_data.data, plan->tensor[x->of].onnx->raw_data.data,
                             x->count, x->factor);
    }
    return RC_OK;
}

rc_status rci_packed_load(struct rc_graph **out, struct rc_context *c,
                          const struct rci_onnx_source *source, const struct rci_file *f,
                          const void *data, size_t size)
{
    struct packed_file p = {.ctx = c, .file = f, .data = data, .size = f ? f->size : size};
    struct packed_plan plan = {0};
    struct rci_arena arena = {.ctx = c};
    *out = NULL;
    RC_TRY(rci_packed_open(&p));
    rc_status st = rci_packed_plan(&plan, &p, &arena);
    if (st == RC_OK)
        st = weights_read(&p, &plan, &arena);
    rci_release(plan.tensor);
    rci_packed_close(&p);
    if (st == RC_OK)
        return rci_import_model(out, &arena, plan.model, source);
    rci_arena_free(&arena);
    return st;
}
