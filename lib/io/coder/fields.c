/* Symbol i in bits [i * b, (i + 1) * b), low bits of a byte first; the last byte is filled with
 * zeros. */
#include "io/coder/stream.h"

#include <string.h>

static rc_status fields_write(struct rci_buffer *to, const struct rci_stream *s, bool *fits)
{
    uint8_t block[256];
    size_t used = 0;
    uint32_t hold = 0, have = 0;
    *fits = s->bits > 0;
    if (!*fits)
        return RC_OK;
    if (s->bits == 8)
        return rci_buffer_append(to, s->symbol, s->n);
    for (size_t i = 0; i < s->n; i++) {
        hold |= (uint32_t) s->symbol[i] << have;
        for (have += s->bits; have >= 8; have -= 8, hold >>= 8)
            block[used++] = (uint8_t) hold;
        if (used >= sizeof(block) - 1) {
            RC_TRY(rci_buffer_append(to, block, used));
            used = 0;
        }
    }
    if (have)
        block[used++] = (uint8_t) hold;
    return rci_buffer_append(to, block, used);
}

static rc_status fields_read(struct rci_cursor *from, uint8_t *to, size_t n, size_t stride,
                             uint32_t bits)
{
    const size_t size = n / 8 * bits + (n % 8 * bits + 7) / 8;
    const uint8_t *p = NULL;
    uint32_t hold = 0, have = 0;
    const uint32_t mask = (1u << bits) - 1;
    if (!bits)
        return rci_fail(RC_ERR_FORMAT, "fields of 0 bits");
    RC_TRY(rci_cursor_bytes(from, size, &p, "fields"));
    if (bits == 8 && stride == 1) {
        memcpy(to, p, n);
        return RC_OK;
    }
    if (bits == 8) {
        for (size_t i = 0; i < n; i++)
            to[i * stride] = p[i];
        return RC_OK;
    }
    for (size_t i = 0; i < n; i++) {
        if (have < bits) {
            hold |= (uint32_t) *p++ << have;
            have += 8;
        }
        to[i * stride] = (uint8_t) (hold & mask);
        hold >>= bits;
        have -= bits;
    }
    return hold ? rci_fail(RC_ERR_FORMAT, "fields: bits set behind the last one") : RC_OK;
}

const struct rci_entropy rci_entropy_fields = {"fields", fields_write, fields_read};
