#ifndef RC_LIB_IO_CODER_BYTES_H
#define RC_LIB_IO_CODER_BYTES_H
/* Reading and writing pieces of a packed file: bytes, little-endian numbers, and numbers of seven
 * bits a byte, low bits first, the top bit set on all but the last byte. */
#include "base/file.h"

/* What is left to read. */
struct rci_cursor {
    const uint8_t *at, *end;
};

static inline size_t rci_cursor_left(const struct rci_cursor *c)
{
    return (size_t) (c->end - c->at);
}

/* The next `size` bytes, borrowed; `what` is named when they are not there. */
static inline rc_status rci_cursor_bytes(struct rci_cursor *c, size_t size, const uint8_t **out,
                                         const char *what)
{
    if (size > rci_cursor_left(c))
        return rci_fail(RC_ERR_FORMAT, "%s: %zu bytes are needed, %zu are left", what, size,
                        rci_cursor_left(c));
    *out = c->at;
    c->at += size;
    return RC_OK;
}

static inline rc_status rci_cursor_byte(struct rci_cursor *c, uint8_t *out, const char *what)
{
    const uint8_t *p = NULL;
    RC_TRY(rci_cursor_bytes(c, 1, &p, what));
    *out = *p;
    return RC_OK;
}

/* 0 to `most`, in as few bytes as it needs. */
rc_status rci_cursor_number(struct rci_cursor *c, uint64_t most, uint64_t *out, const char *what);
/* Nothing may be left. */
rc_status rci_cursor_end(const struct rci_cursor *c, const char *what);

rc_status rci_put_number(struct rci_buffer *b, uint64_t v);
rc_status rci_put_byte(struct rci_buffer *b, uint8_t v);

static inline uint32_t rci_get32(const uint8_t *p)
{
    return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}
static inline uint64_t rci_get64(const uint8_t *p)
{
    return rci_get32(p) | (uint64_t) rci_get32(p + 4) << 32;
}
static inline void rci_set32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t) (v >> 8 * i);
}
static inline void rci_set64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t) (v >> 8 * i);
}
#endif
