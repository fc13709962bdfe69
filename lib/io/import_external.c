/* Weights in files of their own (external_data). A model may name files of its own folder only;
 * each is opened once and read straight into the memory that becomes the tensor. */
#include "base/file.h"
#include "io/import.h"
#include "io/sha1.h"
#include "wire/outline.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Tensors of one file may overlap (tied weights), but a file of a few bytes must not stand for
 * gigabytes. */
enum {
    FILES_MOST = 1024,
    SHARED_MOST = 4
}; /* SHARED: how often files may be read over, on average */

struct external {
    struct import *m;
    char *folder;
    struct rci_file *file; /* names are borrowed from the message */
    const char **checksum; /* of a whole file, or NULL */
    uint32_t n_files, cap_files, cap_checksums;
    uint64_t stored, asked; /* bytes: of the files, and of all tensors */
};

/* What external_data says of one tensor; NULL: nothing. */
struct range {
    const char *location, *offset, *length, *checksum;
};

static rc_status range_keys(const Onnx__TensorProto *t, const char *what, struct range *r)
{
    *r = (struct range){0};
    for (size_t i = 0; i < t->n_external_data; i++) {
        const char *key = rci_onnx_text(t->external_data[i]->key);
        const char *value = rci_onnx_text(t->external_data[i]->value);
        const char **to = !strcmp(key, "location")   ? &r->location
                          : !strcmp(key, "offset")   ? &r->offset
                          : !strcmp(key, "length")   ? &r->length
                          : !strcmp(key, "checksum") ? &r->checksum
                                                     : NULL;
        if (to && *to)
            return rci_fail(RC_ERR_FORMAT, "%s: external_data: %s is given twice", what, key);
        if (to)
            *to = value;
    }
    if (!r->location)
        return rci_fail(RC_ERR_FORMAT, "%s: external_data has no location", what);
    return RC_OK;
}

/* Decimal digits only. */
static rc_status range_number(const char *text, const char *what, const char *key, uint64_t def,
                              uint64_t *out)
{
    *out = text ? 0 : def;
    if (text && (!*text || strspn(text, "0123456789") != strlen(text)))
        return rci_fail(RC_ERR_FORMAT, "%s: external_data: %s is \"%.40s\", must be a number", what,
                        key, text);
    for (; text && *text; text++)
        if (__builtin_mul_overflow(*out, UINT64_C(10), out) ||
            __builtin_add_overflow(*out, (uint64_t) (*text - '0'), out))
            return rci_fail(RC_ERR_FORMAT, "%s: external_data: %s exceeds 2^64 - 1", what, key);
    return RC_OK;
}

static rc_status external_open(struct external *e, const char *location, uint32_t *index)
{
    struct rc_context *c = e->m->g->ctx;
    for (uint32_t i = 0; i < e->n_files; i++)
        if (!strcmp(e->file[i].path, location)) {
            *index = i;
            return RC_OK;
        }
    if (e->n_files == FILES_MOST)
        return rci_fail(RC_ERR_LIMIT, "more than %d files of external data", FILES_MOST);
    RC_TRY(rci_grow(c, &e->file, e->n_files, &e->cap_files, sizeof(*e->file)));
    RC_TRY(rci_grow(c, &e->checksum, e->n_files, &e->cap_checksums, sizeof(*e->checksum)));
    /* no absolute path, no "..", no link that leads out */
    RC_TRY(rci_file_open_beneath(&e->file[e->n_files], e->folder, location));
    *index = e->n_files;
    e->checksum[e->n_files++] = NULL;
    e->stored += e->file[*index].size;
    if (e->stored > c->o.max_file_bytes)
        return rci_fail(RC_ERR_LIMIT,
                        "external data of %llu bytes, allowed are %llu (max_file_bytes)",
                        (unsigned long long) e->stored, (unsigned long long) c->o.max_file_bytes);
    return RC_OK;
}

/* The whole file, once; later tensors give the same sum or none. */
static rc_status external_verify(struct external *e, uint32_t index, const char *sum)
{
    enum { PIECE = 1 << 16 };
    const struct rci_file *f = &e->file[index];
    char text[41];
    struct rci_sha1 s;
    if (!sum || (e->checksum[index] && !strcasecmp(e->checksum[index], sum)))
        return RC_OK;
    uint8_t *piece = rci_alloc(e->m->g->ctx, PIECE);
    rc_status st = piece ? RC_OK : RC_ERR_MEMORY;
    rci_sha1_start(&s);
    for (uint64_t at = 0; st == RC_OK && at < f->size; at += PIECE) {
        const size_t n = f->size - at < PIECE ? (size_t) (f->size - at) : PIECE;
        st = rci_file_read_at(f, at, piece, n);
        if (st == RC_OK)
            rci_sha1_add(&s, piece, n);
    }
    rci_release(piece);
    RC_TRY(st);
    rci_sha1_end(&s, text);
    if (strcasecmp(text, sum) != 0)
        return rci_fail(RC_ERR_FORMAT, "\"%.200s\" has checksum %s, the model says %.48s", f->path,
                        text, sum);
    e->checksum[index] = sum;
    return RC_OK;
}

static rc_status external_tensor(struct external *e, Onnx__TensorProto *t, const char *what)
{
    struct range r;
    uint64_t offset, length;
    uint32_t index = 0;
    if (!e->folder)
        return rci_fail(RC_ERR_PATH, "%s: external data of a model in memory, which has no folder",
                        what);
    /* two contents: which is meant is anybody's guess */
    if (t->has_raw_data)
        return rci_fail(RC_ERR_MODEL, "%s: both raw_data and external data", what);
    RC_TRY(range_keys(t, what, &r));
    rc_status st = external_open(e, r.location, &index);
    if (st != RC_OK)
        return rci_fail_prefix(st, "%s", what);
    const uint64_t size = e->file[index].size;
    RC_TRY(range_number(r.offset, what, "offset", 0, &offset));
    RC_TRY(range_number(r.length, what, "length", offset <= size ? size - offset : 0, &length));
    /* in this order nothing overflows */
    if (offset > size || length > size - offset)
        return rci_fail(RC_ERR_FORMAT,
                        "%s: external_data: bytes %llu and %llu more, the file \"%.200s\" has %llu",
                        what, (unsigned long long) offset, (unsigned long long) length, r.location,
                        (unsigned long long) size);
    e->asked += length;
    if (e->asked > e->stored * SHARED_MOST + (UINT64_C(1) << 20))
        return rci_fail(RC_ERR_LIMIT, "%s: tensors of %llu bytes share external data of %llu", what,
                        (unsigned long long) e->asked, (unsigned long long) e->stored);
    RC_TRY(external_verify(e, index, r.checksum));
    struct rci_arena *a = e->m->arena;
    a->cap += length + 64; /* in the file, so no lie */
    t->raw_data.data = rci_arena_alloc(a, (size_t) length);
    if (!t->raw_data.data)
        return a->status;
    RC_TRY(rci_file_read_at(&e->file[index], offset, t->raw_data.data, (size_t) length));
    t->has_raw_data = 1;
    t->raw_data.len = (size_t) length;
    t->n_external_data = 0;
    t->data_location = 0;
    return RC_OK;
}

static bool is_external(const Onnx__TensorProto *t)
{
    return t && (t->n_external_data || t->data_location == 1);
}

static rc_status external_all(struct external *e)
{
    const Onnx__GraphProto *from = e->m->from;
    char what[200];
    for (size_t i = 0; i < from->n_initializer; i++) {
        Onnx__TensorProto *t = from->initializer[i];
        snprintf(what, sizeof(what), "initializer \"%.150s\"", rci_onnx_text(t->name));
        if (is_external(t))
            RC_TRY(external_tensor(e, t, what));
    }
    for (size_t i = 0; i < from->n_node; i++)
        for (size_t k = 0; k < from->node[i]->n_attribute; k++) {
            Onnx__TensorProto *t = from->node[i]->attribute[k]->t;
            snprintf(what, sizeof(what), "node \"%.150s\"", rci_import_node_name(from->node[i]));
            if (is_external(t))
                RC_TRY(external_tensor(e, t, what));
        }
    return RC_OK;
}

rc_status rci_import_external(struct import *m)
{
    struct external e = {.m = m};
    const char *slash = m->source->path ? strrchr(m->source->path, '/') : NULL;
    if (m->source->path) {
        e.folder = rci_strdup(m->g->ctx, slash ? m->source->path : ".");
        if (!e.folder)
            return RC_ERR_MEMORY;
        if (slash)
            e.folder[slash - m->source->path + 1] = '\0';
    }
    const rc_status st = external_all(&e);
    for (uint32_t i = 0; i < e.n_files; i++)
        rci_file_close(&e.file[i]);
    rci_release(e.file);
    rci_release(e.checksum);
    rci_release(e.folder);
    return st;
}
