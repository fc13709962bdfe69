#include "io/coder/bytes.h"

rc_status rci_cursor_number(struct rci_cursor *c, uint64_t most, uint64_t *out, const char *what)
{
    uint8_t b = 128;
    *out = 0;
    for (uint32_t shift = 0; b & 128; shift += 7) {
        RC_TRY(rci_cursor_byte(c, &b, what));
        if (shift > 56 || (shift && b == 0))
            return rci_fail(RC_ERR_FORMAT, "%s: a number is longer than it needs to be", what);
        *out |= (uint64_t) (b & 127) << shift;
    }
    if (*out > most)
        return rci_fail(RC_ERR_FORMAT, "%s is %llu, allowed are 0 to %llu", what,
                        (unsigned long long) *out, (unsigned long long) most);
    return RC_OK;
}

rc_status rci_cursor_end(const struct rci_cursor *c, const char *what)
{
    if (c->at == c->end)
        return RC_OK;
    return rci_fail(RC_ERR_FORMAT, "%s: %zu bytes too many", what, rci_cursor_left(c));
}

rc_status rci_put_byte(struct rci_buffer *b, uint8_t v)
{
    return rci_buffer_append(b, &v, 1);
}

rc_status rci_put_number(struct rci_buffer *b, uint64_t v)
{
    for (; v > 127; v >>= 7)
        RC_TRY(rci_put_byte(b, (uint8_t) (v | 128)));
    return rci_put_byte(b, (uint8_t) v);
}
