/* graph -> packed file. Weights are taken out of the ONNX message one by one, each is written by
 * the coder that makes it shortest, neighbours share a part of the file until it has PART_FULL
 * bytes, and what is left of the message becomes text. */
#include "io/packed_parts.h"

#include "base/crc32c.h"
#include "io/export.h"

#include <string.h>

enum {
    OUTSIDE_LEAST = 32, /* bytes of a weight; smaller ones stay in the message */
    PART_FULL = 1 << 16,
    RAW_LEAST = 1 << 15 /* of a raw weight that has a part of its own, read in place */
};

struct piece {
    Onnx__TensorProto *onnx;
    struct rci_buffer coded; /* size 0: as it is */
    uint32_t initializer;
    uint32_t of; /* piece that this one is `factor` times; UINT32_MAX: none */
    float factor;
    bool is_base; /* another one is its multiple */
};

struct packing {
    struct rc_context *ctx;
    enum rci_packed_coding coding;
    struct piece *piece;
    uint32_t n_pieces;
    struct packed_part part[PACKED_PARTS_MOST];
    uint32_t n_parts;
    struct rci_buffer body, table; /* body: all parts; offsets count from its start */
};

static rc_status piece_write(const struct packing *p, struct piece *x)
{
    const Onnx__TensorProto *t = x->onnx;
    const struct packed_type type = rci_packed_type(t->data_type);
    size_t count = 1;
    for (size_t k = 0; k < t->n_dims; k++)
        count *= (size_t) t->dims[k];
    struct rci_elements e = rci_packed_elements(&type, count, t->n_dims ? (size_t) t->dims[0] : 1);
    uint8_t *spread = NULL;
    if (p->coding == RCI_PACKED_RAW)
        return RC_OK;
    e.ctx = p->ctx;
    e.plain = p->coding == RCI_PACKED_FIELDS;
    e.data = t->raw_data.data;
    if (type.bits < 8) {
        if (!(e.data = spread = rci_alloc(p->ctx, count)))
            return RC_ERR_MEMORY;
        rci_packed_spread(spread, t->raw_data.data, count, type.bits);
    }
    rc_status st = rci_coder_write(&x->coded, &e);
    rci_release(spread);
    /* coder raw, large: read in place */
    if (st == RC_OK && x->coded.size > t->raw_data.len && t->raw_data.len >= RAW_LEAST)
        rci_buffer_free(&x->coded);
    return st;
}

static bool may_multiply(const struct piece *x, const struct piece *y)
{
    return x != y && y->of == UINT32_MAX && y->onnx->data_type == ONNX_FLOAT &&
           y->onnx->raw_data.len == x->onnx->raw_data.len;
}

/* Weights that are a multiple of another one refer to it, which then is none itself. */
static void products_find(struct packing *p)
{
    for (uint32_t i = 0; i < p->n_pieces && p->coding == RCI_PACKED_AUTO; i++) {
        struct piece *x = &p->piece[i];
        const Onnx__TensorProto *t = x->onnx;
        for (uint32_t k = 0; t->data_type == ONNX_FLOAT && !x->is_base && k < p->n_pieces; k++) {
            struct piece *y = &p->piece[k];
            if (!may_multiply(x, y) || !rci_product_find(t->raw_data.data, y->onnx->raw_data.data,
                                                         t->raw_data.len / 4, &x->factor))
                continue;
            x->of = k;
            y->is_base = true;
            break;
        }
    }
}

/* Only memory can be missing. */
static rc_status pieces_write(struct packing *p)
{
    uint32_t failed = 0;
#pragma omp parallel for schedule(dynamic) num_threads(rci_context_threads(p->ctx)) \
    reduction(+ : failed)
    for (uint32_t i = 0; i < p->n_pieces; i++)
        failed += p->piece[i].of == UINT32_MAX && piece_write(p, &p->piece[i]) != RC_OK;
    return failed ? rci_fail(RC_ERR_MEMORY, "out of memory while packing weights") : RC_OK;
}

/* A part of `body` from `from` to its end. */
static rc_status part_add(struct packing *p, uint32_t kind, size_t from)
{
    if (p->n_parts == PACKED_PARTS_MOST)
        return rci_fail(RC_ERR_LIMIT, "more than %d parts in a packed model", PACKED_PARTS_MOST);
    const size_t size = p->body.size - from;
    const uint8_t *bytes = p->body.data ? p->body.data + from : (const uint8_t *) "";
    p->part[p->n_parts++] =
        (struct packed_part){kind, PART_REQUIRED, rci_crc32c(0, bytes, size), from, size};
    return RC_OK;
}

/* Text as a part. */
static rc_status part_text(struct packing *p, uint32_t kind, const uint8_t *text, size_t size)
{
    const size_t from = p->body.size;
    RC_TRY(rci_text_write(&p->body, text, size));
    return part_add(p, kind, from);
}

static rc_status table_put(struct packing *p, uint32_t i, uint32_t before, bool first, size_t size)
{
    RC_TRY(rci_put_number(&p->table, p->piece[i].initializer - before));
    return rci_put_number(&p->table, (uint64_t) size << 1 | first);
}

static rc_status product_put(struct packing *p, uint32_t i, uint32_t before)
{
    uint8_t bytes[4];
    uint32_t bits;
    RC_TRY(table_put(p, i, before, false, 0));
    RC_TRY(rci_put_number(&p->table, p->piece[i].of));
    memcpy(&bits, &p->piece[i].factor, 4);
    rci_set32(bytes, bits);
    return rci_buffer_append(&p->table, bytes, sizeof(bytes));
}

/* Weights in the order of the graph; the table says for each how far behind the one before its
 * initializer is, and its bytes, and whether it begins a part. */
static rc_status weights_put(struct packing *p)
{
    uint32_t before = 0;
    size_t from = p->body.size, total = 0;
    for (uint32_t i = 0; i < p->n_pieces; i++)
        total += p->piece[i].coded.size;
    const size_t least = total / (PACKED_PARTS_MOST / 4), full = rci_larger(least, PART_FULL);
    bool open = false;
    RC_TRY(rci_put_number(&p->table, p->n_pieces));
    for (uint32_t i = 0; i < p->n_pieces; i++) {
        struct piece *x = &p->piece[i];
        if (x->of != UINT32_MAX) {
            RC_TRY(product_put(p, i, before));
            before = x->initializer + 1;
            continue;
        }
        const bool raw = !x->coded.size && x->onnx->raw_data.len >= RAW_LEAST &&
                         p->n_parts < PACKED_PARTS_MOST / 2;
        const uint8_t *bytes = x->coded.size ? x->coded.data : x->onnx->raw_data.data;
        size_t size = x->coded.size ? x->coded.size : x->onnx->raw_data.len;
        if (open && (raw || p->body.size - from + size > full)) {
            RC_TRY(part_add(p, PART_CODED, from));
            open = false;
        }
        if (!open)
            from = p->body.size;
        const size_t start = p->body.size;
        if (!x->coded.size && !raw)
            RC_TRY(rci_put_byte(&p->body, RCI_CODER_RAW));
        RC_TRY(rci_buffer_append(&p->body, bytes, size));
        size = p->body.size - start;
        RC_TRY(table_put(p, i, before, !open, size));
        before = x->initializer + 1;
        open = !raw;
        if (raw)
            RC_TRY(part_add(p, PART_RAW, from));
        rci_buffer_free(&x->coded);
    }
    return open ? part_add(p, PART_CODED, from) : RC_OK;
}

/* The header, and the parts moved to where they belong. */
static rc_status file_put(struct rci_bytes *out, struct packing *p)
{
    const size_t head = PACKED_HEADER + (size_t) p->n_parts * PACKED_ENTRY;
    const size_t most = head + p->body.size + (size_t) p->n_parts * PACKED_ALIGN;
    uint8_t *f = rci_alloc_array(p->ctx, most, 1);
    if (!f)
        return RC_ERR_MEMORY;
    size_t at = head;
    for (uint32_t i = 0; i < p->n_parts; i++) {
        const struct packed_part *s = &p->part[i];
        uint8_t *e = f + PACKED_HEADER + (size_t) i * PACKED_ENTRY;
        if (s->kind == PART_RAW)
            at = (at + PACKED_ALIGN - 1) / PACKED_ALIGN * PACKED_ALIGN;
        rci_set32(e, s->kind | s->flags << 16);
        rci_set32(e + 4, s->crc);
        rci_set64(e + 8, at);
        rci_set64(e + 16, s->size);
        memcpy(f + at, p->body.data + s->offset, (size_t) s->size);
        at += (size_t) s->size;
    }
    memcpy(f, rci_packed_magic, sizeof(rci_packed_magic));
    memcpy(f + 8, rci_packed_order, sizeof(rci_packed_order));
    rci_set32(f + 12, PACKED_MAJOR | PACKED_MINOR << 16);
    rci_set64(f + 16, at);
    rci_set32(f + 24, p->n_parts);
    rci_set32(f + 28, rci_crc32c(0, f, head));
    *out = (struct rci_bytes){f, at};
    return RC_OK;
}

static bool goes_outside(const Onnx__TensorProto *t)
{
    return t->has_raw_data && t->raw_data.len >= OUTSIDE_LEAST &&
           rci_packed_type(t->data_type).bits;
}

static rc_status pieces_take(struct packing *p, Onnx__GraphProto *g)
{
    p->piece = rci_alloc_array(p->ctx, g->n_initializer + 1, sizeof(*p->piece));
    if (!p->piece)
        return RC_ERR_MEMORY;
    for (size_t i = 0; i < g->n_initializer; i++)
        if (goes_outside(g->initializer[i]))
            p->piece[p->n_pieces++] = (struct piece){.onnx = g->initializer[i],
                                                     .coded.ctx = p->ctx,
                                                     .initializer = (uint32_t) i,
                                                     .of = UINT32_MAX};
    return RC_OK;
}

static rc_status packing_write(struct rci_bytes *out, struct packing *p, Onnx__ModelProto *m)
{
    struct rci_bytes graph = {0};
    RC_TRY(pieces_take(p, m->graph));
    products_find(p);
    RC_TRY(pieces_write(p));
    for (uint32_t i = 0; i < p->n_pieces; i++)
        p->piece[i].onnx->has_raw_data = 0;
    RC_TRY(rci_onnx_write(&graph.data, &graph.size, p->ctx, m));
    const rc_status st = part_text(p, PART_GRAPH, graph.data, graph.size);
    rci_release(graph.data);
    RC_TRY(st);
    RC_TRY(weights_put(p));
    RC_TRY(part_text(p, PART_TENSORS, p->table.data, p->table.size));
    return file_put(out, p);
}

rc_status rci_packed_save_memory(struct rci_bytes *out, const struct rc_graph *g,
                                 const struct rci_packed_form *form)
{
    struct rci_exported x;
    *out = (struct rci_bytes){0};
    struct packing *p = RC_NEW(g->ctx, struct packing);
    if (!p)
        return RC_ERR_MEMORY;
    p->ctx = p->body.ctx = p->table.ctx = g->ctx;
    p->coding = form ? form->coding : RCI_PACKED_AUTO;
    rc_status st = rci_export_model(&x, g, form ? &form->onnx : NULL);
    if (st == RC_OK)
        st = packing_write(out, p, &x.model);
    rci_arena_free(&x.arena);
    for (uint32_t i = 0; i < p->n_pieces; i++)
        rci_buffer_free(&p->piece[i].coded);
    rci_buffer_free(&p->body);
    rci_buffer_free(&p->table);
    rci_release(p->piece);
    rci_release(p);
    return st;
}

rc_status rci_packed_save(const struct rc_graph *g, const char *path,
                          const struct rci_packed_form *form)
{
    struct rci_bytes file;
    RC_TRY(rci_packed_save_memory(&file, g, form));
    const rc_status st = rci_file_write(g->ctx, path, file.data, file.size);
    rci_release(file.data);
    return st;
}
