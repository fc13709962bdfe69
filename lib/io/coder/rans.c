/* Asymmetric numeral systems: symbol s of frequency f(s) in 4096 costs log2(4096 / f(s)) bits. One
 * state, or four that take turns from 1024 symbols on, of 32 bits that give and take 16 at a time.
 * (Duda, Asymmetric numeral systems, arXiv:1311.2540; Giesen, Interleaved entropy coders,
 * arXiv:1402.3392) */
#include "io/coder/frequencies.h"

#include <string.h>

enum { LANES = 4, LANES_FROM = 1024, LOW = 1 << 16 }; /* LOW: states stay in [LOW, 2^32) */

static uint32_t lanes_of(size_t n)
{
    return n < LANES_FROM ? 1 : LANES;
}

/* Backwards, so that reading goes forwards; then what was written is turned around. */
static rc_status rans_encode(struct rci_buffer *to, const struct rci_stream *s,
                             const struct rci_frequencies *f)
{
    const uint32_t lanes = lanes_of(s->n);
    uint32_t state[LANES] = {LOW, LOW, LOW, LOW};
    uint16_t *word = rci_alloc_array(to->ctx, s->n + 1, sizeof(*word));
    size_t words = 0;
    if (!word)
        return RC_ERR_MEMORY;
    for (size_t i = s->n; i-- > 0;) {
        const uint32_t k = s->symbol[i], freq = f->start[k + 1] - f->start[k];
        uint32_t x = state[i % lanes];
        if (x >> 20 >= freq) {
            word[words++] = (uint16_t) x;
            x >>= 16;
        }
        state[i % lanes] = (x / freq << RCI_FREQUENCY_BITS) + x % freq + f->start[k];
    }
    rc_status st = rci_put_number(to, words);
    uint8_t bytes[4];
    for (uint32_t k = 0; k < lanes && st == RC_OK; k++) {
        rci_set32(bytes, state[k]);
        st = rci_buffer_append(to, bytes, 4);
    }
    for (size_t i = words; i-- > 0 && st == RC_OK;) {
        bytes[0] = (uint8_t) word[i];
        bytes[1] = (uint8_t) (word[i] >> 8);
        st = rci_buffer_append(to, bytes, 2);
    }
    rci_release(word);
    return st;
}

static rc_status rans_write(struct rci_buffer *to, const struct rci_stream *s, bool *fits)
{
    struct rci_frequencies f;
    *fits = s->bits > 0;
    if (!*fits)
        return RC_OK;
    RC_TRY(rci_frequencies_write(to, &f, s->count));
    return rans_encode(to, s, &f);
}

/* By the low 12 bits of a state: symbol, frequency - 1, and how far into it. */
static void slots_fill(uint32_t *slot, const struct rci_frequencies *f)
{
    for (uint32_t k = 0; k < RCI_SYMBOLS; k++)
        for (uint32_t i = f->start[k]; i < f->start[k + 1]; i++)
            slot[i] = k << 24 | (f->start[k + 1] - f->start[k] - 1) << 12 | (i - f->start[k]);
}

struct decoder {
    uint32_t state[LANES];
    const uint8_t *at, *end;
};

static inline uint32_t rans_step(uint32_t x, uint32_t e, const uint8_t **at)
{
    x = ((e >> 12 & (RCI_FREQUENCY_ALL - 1)) + 1) * (x >> RCI_FREQUENCY_BITS) +
        (e & (RCI_FREQUENCY_ALL - 1));
    const uint8_t *p = *at;
    const bool low = x < LOW;
    const uint32_t more = x << 16 | p[0] | (uint32_t) p[1] << 8;
    *at = p + 2 * low;
    return low ? more : x;
}

/* Whole rounds of four while eight bytes are left, whatever the symbols; returns how many symbols.
 */
static size_t rans_fast(struct decoder *d, const uint32_t *slot, uint8_t *to, size_t n,
                        size_t stride)
{
    uint32_t a = d->state[0], b = d->state[1], c = d->state[2], e = d->state[3];
    const uint8_t *at = d->at;
    size_t i = 0;
    for (; i + LANES <= n && d->end - at >= 2 * LANES; i += LANES, to += LANES * stride) {
        const uint32_t sa = slot[a & (RCI_FREQUENCY_ALL - 1)];
        const uint32_t sb = slot[b & (RCI_FREQUENCY_ALL - 1)];
        const uint32_t sc = slot[c & (RCI_FREQUENCY_ALL - 1)];
        const uint32_t se = slot[e & (RCI_FREQUENCY_ALL - 1)];
        to[0] = (uint8_t) (sa >> 24);
        to[stride] = (uint8_t) (sb >> 24);
        to[2 * stride] = (uint8_t) (sc >> 24);
        to[3 * stride] = (uint8_t) (se >> 24);
        a = rans_step(a, sa, &at);
        b = rans_step(b, sb, &at);
        c = rans_step(c, sc, &at);
        e = rans_step(e, se, &at);
    }
    d->at = at;
    d->state[0] = a;
    d->state[1] = b;
    d->state[2] = c;
    d->state[3] = e;
    return i;
}

static rc_status rans_decode(struct decoder *d, const uint32_t *slot, uint8_t *to, size_t n,
                             size_t stride)
{
    const uint32_t lanes = lanes_of(n);
    size_t i = lanes == LANES ? rans_fast(d, slot, to, n, stride) : 0;
    for (; i < n; i++) {
        uint32_t x = d->state[i % lanes];
        const uint32_t e = slot[x & (RCI_FREQUENCY_ALL - 1)];
        to[i * stride] = (uint8_t) (e >> 24);
        x = ((e >> 12 & (RCI_FREQUENCY_ALL - 1)) + 1) * (x >> RCI_FREQUENCY_BITS) +
            (e & (RCI_FREQUENCY_ALL - 1));
        if (x < LOW && d->at == d->end)
            return rci_fail(RC_ERR_FORMAT, "rANS codes end after %zu of %zu symbols", i, n);
        if (x < LOW) {
            x = x << 16 | d->at[0] | (uint32_t) d->at[1] << 8;
            d->at += 2;
        }
        d->state[i % lanes] = x;
    }
    for (uint32_t k = 0; k < lanes; k++)
        if (d->state[k] != LOW)
            return rci_fail(RC_ERR_FORMAT, "rANS codes do not end where they began");
    return d->at == d->end ? RC_OK
                           : rci_fail(RC_ERR_FORMAT, "rANS codes: %zu bytes too many",
                                      (size_t) (d->end - d->at));
}

static rc_status rans_read(struct rci_cursor *from, uint8_t *to, size_t n, size_t stride,
                           uint32_t bits)
{
    struct rci_frequencies f;
    struct decoder d = {.at = NULL};
    uint64_t words;
    const uint8_t *p = NULL;
    uint32_t slot[RCI_FREQUENCY_ALL];
    RC_TRY(rci_frequencies_read(from, &f, bits));
    RC_TRY(rci_cursor_number(from, rci_cursor_left(from) / 2, &words, "rANS words"));
    RC_TRY(rci_cursor_bytes(from, 4 * (size_t) lanes_of(n), &p, "rANS states"));
    for (uint32_t k = 0; k < lanes_of(n); k++)
        if ((d.state[k] = rci_get32(p + 4 * k)) < LOW)
            return rci_fail(RC_ERR_FORMAT, "rANS state %u is %u, below %d", k, d.state[k], LOW);
    RC_TRY(rci_cursor_bytes(from, 2 * (size_t) words, &d.at, "rANS words"));
    d.end = from->at;
    slots_fill(slot, &f);
    return rans_decode(&d, slot, to, n, stride);
}

const struct rci_entropy rci_entropy_rans = {"rans", rans_write, rans_read};
