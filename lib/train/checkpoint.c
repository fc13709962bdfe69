/* Checkpoint file, little-endian: 8 bytes magic, u32 version, u32 CRC-32 of the body, u64 body
 * bytes; body: u64 length and text of the identity, the counters, then the arrays of floats in the
 * order constants, optimiser, average, what hooks keep, best. All sizes follow from the run, so
 * that a file either fits exactly or is refused. */
#include "base/file.h"
#include "train/state.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { VERSION = 1 };
static const char magic[8] = {'\x89', 'R', 'C', 'T', '\r', '\n', '\x1a', '\n'};

struct header {
    char magic[8];
    uint32_t version, crc;
    uint64_t body;
};

struct reader {
    const uint8_t *at;
    size_t left;
};

static uint32_t body_crc(const uint8_t *p, size_t n)
{
    return (uint32_t) crc32_z(crc32_z(0, NULL, 0), p, n);
}

static rc_status write_floats(struct rci_buffer *b, const float *p, size_t n)
{
    return p ? rci_buffer_append(b, p, n * sizeof(*p)) : RC_OK;
}

static rc_status write_body(struct rci_buffer *b, const struct rci_train_state *s,
                            const char *identity)
{
    const uint64_t length = strlen(identity);
    RC_TRY(rci_buffer_append(b, &length, sizeof(length)));
    RC_TRY(rci_buffer_append(b, identity, length));
    RC_TRY(rci_buffer_append(b, &s->count, sizeof(s->count)));
    for (uint32_t i = 0; i < s->n_values; i++) {
        const struct rci_tensor *t = &s->graph->values[s->values[i]].tensor;
        RC_TRY(rci_buffer_append(b, t->data, rci_tensor_bytes(t)));
    }
    const size_t n = s->offset[s->n_params];
    for (uint32_t k = 0; k < RC_OPTIM_STATES; k++)
        RC_TRY(write_floats(b, s->optim[k], n));
    RC_TRY(write_floats(b, s->ema, n));
    for (uint32_t i = 0; i < s->n_extra; i++)
        RC_TRY(write_floats(b, s->extra[i].data, s->extra[i].n));
    return write_floats(b, s->best, s->n_floats);
}

rc_status rci_checkpoint_write(const struct rci_train_state *s, const char *path,
                               const char *identity)
{
    struct rci_buffer b = {.ctx = s->graph->ctx};
    struct header h = {.version = VERSION};
    memcpy(h.magic, magic, sizeof(magic));
    rc_status st;
    RC_TRY_OUT(st, rci_buffer_append(&b, &h, sizeof(h)));
    RC_TRY_OUT(st, write_body(&b, s, identity));
    h.body = b.size - sizeof(h);
    h.crc = body_crc(b.data + sizeof(h), h.body);
    memcpy(b.data, &h, sizeof(h));
    st = rci_file_write(s->graph->ctx, path, b.data, b.size);
out:
    rci_buffer_free(&b);
    return st;
}

static void read_bytes(struct reader *r, void *to, size_t n)
{
    memcpy(to, r->at, n);
    r->at += n;
    r->left -= n;
}

static rc_status check_header(struct reader *r, const char *path)
{
    struct header h;
    if (r->left < sizeof(h))
        return rci_fail(RC_ERR_TRUNCATED, "%s: a checkpoint has at least %zu bytes, this has %zu",
                        path, sizeof(h), r->left);
    read_bytes(r, &h, sizeof(h));
    if (memcmp(h.magic, magic, sizeof(magic)) != 0)
        return rci_fail(RC_ERR_FORMAT, "%s: not a checkpoint of this library", path);
    if (h.version != VERSION)
        return rci_fail(RC_ERR_UNSUPPORTED, "%s: checkpoint version %u, this library reads %d",
                        path, h.version, VERSION);
    if (h.body > r->left)
        return rci_fail(RC_ERR_TRUNCATED, "%s: %zu of %llu bytes are there", path, r->left,
                        (unsigned long long) h.body);
    if (h.body != r->left || h.crc != body_crc(r->at, r->left))
        return rci_fail(RC_ERR_FORMAT, "%s: the checkpoint is damaged", path);
    return RC_OK;
}

static rc_status check_identity(struct reader *r, const char *path, const char *identity)
{
    uint64_t length;
    if (r->left < sizeof(length))
        return rci_fail(RC_ERR_FORMAT, "%s: the checkpoint is damaged", path);
    read_bytes(r, &length, sizeof(length));
    if (length > r->left)
        return rci_fail(RC_ERR_FORMAT, "%s: the checkpoint is damaged", path);
    if (length != strlen(identity) || memcmp(r->at, identity, length) != 0)
        return rci_fail(RC_ERR_ARG, "%s: written by another run (%.*s), this one is %s", path,
                        length < 400 ? (int) length : 400, (const char *) r->at, identity);
    r->at += length;
    r->left -= length;
    return RC_OK;
}

static size_t state_bytes(const struct rci_train_state *s)
{
    const size_t n = s->offset[s->n_params];
    size_t floats = s->n_floats + (s->ema ? n : 0) + (s->best ? s->n_floats : 0);
    for (uint32_t k = 0; k < RC_OPTIM_STATES; k++)
        floats += s->optim[k] ? n : 0;
    for (uint32_t i = 0; i < s->n_extra; i++)
        floats += s->extra[i].n;
    return sizeof(s->count) + floats * sizeof(float);
}

static void checkpoint_read_state(struct reader *r, struct rci_train_state *s)
{
    const size_t n = s->offset[s->n_params] * sizeof(float);
    read_bytes(r, &s->count, sizeof(s->count));
    read_bytes(r, s->kept, s->n_floats * sizeof(float));
    rci_train_state_load(s, s->kept);
    for (uint32_t k = 0; k < RC_OPTIM_STATES; k++)
        if (s->optim[k])
            read_bytes(r, s->optim[k], n);
    if (s->ema)
        read_bytes(r, s->ema, n);
    for (uint32_t i = 0; i < s->n_extra; i++)
        read_bytes(r, s->extra[i].data, s->extra[i].n * sizeof(float));
    if (s->best)
        read_bytes(r, s->best, s->n_floats * sizeof(float));
}

rc_status rci_checkpoint_read(struct rci_train_state *s, const char *path, const char *identity,
                              bool *found)
{
    struct rci_bytes file = {0};
    rc_status st;
    *found = access(path, F_OK) == 0 || errno != ENOENT; /* what else is wrong, reading tells */
    if (!*found)
        return RC_OK;
    RC_TRY(rci_file_read(s->graph->ctx, path, 0, &file));
    struct reader r = {file.data, file.size};
    RC_TRY_OUT(st, check_header(&r, path));
    RC_TRY_OUT(st, check_identity(&r, path, identity));
    if (r.left != state_bytes(s))
        st = rci_fail(RC_ERR_FORMAT, "%s: %zu bytes of state, this run has %zu", path, r.left,
                      state_bytes(s));
    else
        checkpoint_read_state(&r, s);
out:
    rci_release(file.data);
    return st;
}
