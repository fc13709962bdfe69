/* Reals that in each row have one magnitude: the magnitudes, with sign bit 0, then the sign bits.
 */
#include "io/coder/coder.h"

#include <string.h>

static bool one_magnitude(const uint8_t *row, size_t n, uint32_t width)
{
    for (size_t i = 1; i < n; i++) {
        const uint8_t *p = row + i * width;
        if (memcmp(p, row, width - 1) != 0 || (p[width - 1] ^ row[width - 1]) & 127)
            return false;
    }
    return true;
}

static rc_status signs_write(struct rci_buffer *to, const struct rci_elements *x, bool *fits)
{
    const size_t row = x->count / x->rows;
    *fits = x->real && row > 1;
    for (uint32_t r = 0; *fits && r < x->rows; r++)
        *fits = one_magnitude(x->data + r * row * x->width, row, x->width);
    if (!*fits)
        return RC_OK;
    for (uint32_t r = 0; r < x->rows; r++) {
        uint8_t magnitude[RCI_WIDTH_MOST];
        memcpy(magnitude, x->data + r * row * x->width, x->width);
        magnitude[x->width - 1] &= 127;
        RC_TRY(rci_buffer_append(to, magnitude, x->width));
    }
    uint8_t *sign = rci_alloc(x->ctx, x->count);
    if (!sign)
        return RC_ERR_MEMORY;
    for (size_t i = 0; i < x->count; i++)
        sign[i] = x->data[(i + 1) * x->width - 1] >> 7;
    const rc_status st = rci_stream_write(to, sign, x->count, 1, x->plain);
    rci_release(sign);
    return st;
}

static rc_status signs_read(struct rci_cursor *from, const struct rci_elements *x)
{
    const size_t row = x->count / x->rows;
    const uint8_t *magnitude = NULL;
    if (!x->real)
        return rci_fail(RC_ERR_FORMAT, "signs of integers");
    RC_TRY(rci_cursor_bytes(from, (size_t) x->rows * x->width, &magnitude, "magnitudes"));
    for (uint32_t r = 0; r < x->rows; r++)
        if (magnitude[(r + 1) * x->width - 1] >> 7)
            return rci_fail(RC_ERR_FORMAT, "magnitude %u is negative", r);
    uint8_t *last = x->data + x->width - 1;
    RC_TRY(rci_stream_read(from, last, x->count, x->width, 1));
    for (size_t i = 0; i < x->count; i++) {
        const uint8_t *m = magnitude + i / row * x->width;
        uint8_t *p = x->data + i * x->width;
        const uint8_t sign = (uint8_t) (p[x->width - 1] << 7);
        memcpy(p, m, x->width);
        p[x->width - 1] |= sign;
    }
    return RC_OK;
}

const struct rci_coder rci_coder_signs = {"signs", signs_write, signs_read};
