/* All symbols are one: that one. */
#include "io/coder/stream.h"

#include <string.h>

static rc_status same_write(struct rci_buffer *to, const struct rci_stream *s, bool *fits)
{
    *fits = s->count[s->symbol[0]] == s->n;
    return *fits ? rci_put_byte(to, s->symbol[0]) : RC_OK;
}

static rc_status same_read(struct rci_cursor *from, uint8_t *to, size_t n, size_t stride,
                           uint32_t bits)
{
    uint8_t symbol;
    RC_TRY(rci_cursor_byte(from, &symbol, "symbol"));
    if (symbol >> bits)
        return rci_fail(RC_ERR_FORMAT, "symbol %u in a stream of %u bits", symbol, bits);
    if (stride == 1)
        memset(to, symbol, n);
    else
        for (size_t i = 0; i < n; i++)
            to[i * stride] = symbol;
    return RC_OK;
}

const struct rci_entropy rci_entropy_same = {"same", same_write, same_read};
