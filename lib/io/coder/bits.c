/* Integers of one byte: value - smallest in as many bits as the largest needs. Signed values count
 * from -128 (from -8, -2 where elements have 4 or 2 bits). */
#include "io/coder/coder.h"

static rc_status bits_write(struct rci_buffer *to, const struct rci_elements *x, bool *fits)
{
    uint8_t low = 255, high = 0;
    *fits = x->width == 1;
    if (!*fits)
        return RC_OK;
    for (size_t i = 0; i < x->count; i++) {
        const uint8_t v = x->data[i] ^ x->sign_bit;
        low = low < v ? low : v;
        high = high > v ? high : v;
    }
    const uint32_t bits = rci_bits_of(high - low);
    uint8_t *symbol = rci_alloc(x->ctx, x->count);
    if (!symbol)
        return RC_ERR_MEMORY;
    for (size_t i = 0; i < x->count; i++)
        symbol[i] = (uint8_t) ((x->data[i] ^ x->sign_bit) - low);
    rc_status st = rci_put_byte(to, low);
    if (st == RC_OK)
        st = rci_put_byte(to, (uint8_t) bits);
    if (st == RC_OK)
        st = rci_stream_write(to, symbol, x->count, bits, x->plain && bits);
    rci_release(symbol);
    return st;
}

static rc_status bits_read(struct rci_cursor *from, const struct rci_elements *x)
{
    uint8_t low, bits;
    if (x->width != 1)
        return rci_fail(RC_ERR_FORMAT, "bits of elements of %u bytes", x->width);
    RC_TRY(rci_cursor_byte(from, &low, "bits"));
    RC_TRY(rci_cursor_byte(from, &bits, "bits"));
    if (bits > 8)
        return rci_fail(RC_ERR_FORMAT, "integers of %u bits, at most 8", bits);
    RC_TRY(rci_stream_read(from, x->data, x->count, 1, bits));
    uint32_t over = 0;
    for (size_t i = 0; i < x->count; i++) {
        const uint32_t v = (uint32_t) x->data[i] + low;
        over |= v;
        x->data[i] = (uint8_t) (v ^ x->sign_bit);
    }
    return over > 255 ? rci_fail(RC_ERR_FORMAT, "bits: an integer exceeds 255") : RC_OK;
}

const struct rci_coder rci_coder_bits = {"bits", bits_write, bits_read};
