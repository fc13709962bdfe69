/* Walks model.graph.initializer[] field by field through a window over the file, copying everything
 * but large raw_data and writing new lengths around what is left. */
#include "wire/outline.h"

enum { WINDOW = 1 << 16, LARGE = 1 << 15 }; /* LARGE: more than arena.c keeps in its blocks */
enum { MODEL_GRAPH = 7, GRAPH_INITIALIZER = 5, TENSOR_RAW_DATA = 9, DELIMITED = 2 };

struct walk {
    const struct rci_file *f;
    struct rci_outline *o;
    struct rc_context *ctx;
    uint8_t *window;
    uint64_t start; /* of the window in the file */
    size_t have;
    rc_status status; /* of reading and memory; malformed bytes leave RC_OK */
    uint32_t n_initializers;
};

struct field {
    uint64_t begin, body, end;
    uint64_t number;
    uint32_t wire;
};

static bool failed(struct walk *w, rc_status st)
{
    if (st != RC_OK && w->status == RC_OK)
        w->status = st;
    return st != RC_OK;
}

/* The window from `at` on, which is inside the file. */
static bool see(struct walk *w, uint64_t at)
{
    if (at >= w->start && at - w->start < w->have)
        return true;
    const uint64_t left = w->f->size - at;
    w->start = at;
    w->have = left < WINDOW ? (size_t) left : WINDOW;
    if (!failed(w, rci_file_read_at(w->f, at, w->window, w->have)))
        return true;
    w->have = 0;
    return false;
}

static bool varint(struct walk *w, uint64_t *at, uint64_t end, uint64_t *out)
{
    *out = 0;
    for (uint32_t shift = 0; shift < 63; shift += 7) {
        if (*at >= end || !see(w, *at))
            return false;
        const uint8_t b = w->window[*at - w->start];
        ++*at;
        *out |= (uint64_t) (b & 127) << shift;
        if (b < 128)
            return true;
    }
    return false; /* ten bytes: a negative number, which no length and no tag is */
}

static bool skip_number(struct walk *w, uint64_t *at, uint64_t end)
{
    uint64_t ignored;
    const uint64_t first = *at;
    if (varint(w, at, end, &ignored))
        return true;
    if (w->status != RC_OK || *at - first != 9 || *at >= end || !see(w, *at))
        return false;
    return w->window[(*at)++ - w->start] < 128;
}

static bool next(struct walk *w, struct field *f, uint64_t at, uint64_t end)
{
    uint64_t tag, size = 0;
    f->begin = at;
    if (!varint(w, &at, end, &tag) || tag < 8)
        return false;
    f->number = tag >> 3;
    f->wire = (uint32_t) tag & 7;
    if (f->wire == 0 && !skip_number(w, &at, end))
        return false;
    if (f->wire == DELIMITED && !varint(w, &at, end, &size))
        return false;
    if (f->wire == 1 || f->wire == 5)
        size = f->wire == 1 ? 8 : 4;
    if (f->wire == 3 || f->wire == 4 || f->wire > 5 || size > end - at)
        return false;
    f->body = at;
    f->end = at + size;
    return true;
}

static bool copy(struct walk *w, struct rci_buffer *to, uint64_t begin, uint64_t end)
{
    while (begin < end) {
        if (!see(w, begin))
            return false;
        const uint64_t seen = w->start + w->have, stop = seen < end ? seen : end;
        if (failed(w, rci_buffer_append(to, w->window + (begin - w->start), stop - begin)))
            return false;
        begin = stop;
    }
    return true;
}

static bool put_varint(struct walk *w, struct rci_buffer *to, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; v > 127; v >>= 7)
        bytes[n++] = (uint8_t) (v | 128);
    bytes[n++] = (uint8_t) v;
    return !failed(w, rci_buffer_append(to, bytes, n));
}

/* Field `number` of `to` is the message `from`. */
static bool put_message(struct walk *w, struct rci_buffer *to, uint64_t number,
                        const struct rci_buffer *from)
{
    return put_varint(w, to, number << 3 | DELIMITED) && put_varint(w, to, from->size) &&
           !failed(w, rci_buffer_append(to, from->data ? from->data : (uint8_t *) "", from->size));
}

static bool add_piece(struct walk *w, const struct field *f)
{
    struct rci_outline *o = w->o;
    if (o->n && o->piece[o->n - 1].initializer == w->n_initializers)
        return false; /* twice in one tensor */
    if (failed(w, rci_grow(w->ctx, &o->piece, o->n, &o->capacity, sizeof(*o->piece))))
        return false;
    o->piece[o->n++] =
        (struct rci_outline_piece){f->body, (size_t) (f->end - f->body), w->n_initializers};
    return true;
}

static bool walk_tensor(struct walk *w, const struct field *tensor, struct rci_buffer *to)
{
    struct rci_buffer own = {.ctx = w->ctx};
    struct field f;
    bool ok = true, raw = false;
    for (uint64_t at = tensor->body; ok && at < tensor->end; at = f.end) {
        ok = next(w, &f, at, tensor->end);
        if (!ok)
            break;
        const bool mine = f.number == TENSOR_RAW_DATA && f.wire == DELIMITED;
        if (mine && raw)
            ok = false;
        else if (mine && f.end - f.body >= LARGE)
            ok = add_piece(w, &f);
        else
            ok = copy(w, &own, f.begin, f.end);
        raw |= mine;
    }
    ok = ok && put_message(w, to, GRAPH_INITIALIZER, &own);
    rci_buffer_free(&own);
    w->n_initializers++;
    return ok;
}

static bool walk_graph(struct walk *w, const struct field *graph, struct rci_buffer *to)
{
    struct rci_buffer own = {.ctx = w->ctx};
    struct field f;
    bool ok = true;
    for (uint64_t at = graph->body; ok && at < graph->end; at = f.end) {
        ok = next(w, &f, at, graph->end);
        if (ok && f.number == GRAPH_INITIALIZER && f.wire == DELIMITED)
            ok = walk_tensor(w, &f, &own);
        else if (ok)
            ok = copy(w, &own, f.begin, f.end);
    }
    ok = ok && put_message(w, to, MODEL_GRAPH, &own);
    rci_buffer_free(&own);
    return ok;
}

static bool walk_model(struct walk *w)
{
    struct field f;
    bool ok = true, graph = false;
    for (uint64_t at = 0; ok && at < w->f->size; at = f.end) {
        ok = next(w, &f, at, w->f->size);
        if (ok && f.number == MODEL_GRAPH && f.wire == DELIMITED) {
            ok = !graph && walk_graph(w, &f, &w->o->model);
            graph = true;
        } else if (ok) {
            ok = copy(w, &w->o->model, f.begin, f.end);
        }
    }
    return ok;
}

rc_status rci_outline_read(struct rci_outline *o, const struct rci_file *f, struct rc_context *c)
{
    struct walk w = {.f = f, .o = o, .ctx = c};
    *o = (struct rci_outline){.model = {.ctx = c}};
    if (f->size < LARGE)
        return RC_OK;
    if (!(w.window = rci_alloc(c, WINDOW)))
        return RC_ERR_MEMORY;
    if (!walk_model(&w))
        o->n = 0;
    rci_release(w.window);
    if (w.status != RC_OK)
        rci_outline_free(o);
    return w.status;
}

void rci_outline_free(struct rci_outline *o)
{
    rci_buffer_free(&o->model);
    rci_release(o->piece);
    *o = (struct rci_outline){0};
}
