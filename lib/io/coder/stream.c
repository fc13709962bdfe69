/* Streams of symbols: every way is tried and the shortest stays. */
#include "io/coder/stream.h"

#include <math.h>

static const struct rci_entropy *const ways[RCI_ENTROPIES] = {
    [RCI_ENTROPY_SAME] = &rci_entropy_same,
    [RCI_ENTROPY_FIELDS] = &rci_entropy_fields,
    [RCI_ENTROPY_RANS] = &rci_entropy_rans,
    [RCI_ENTROPY_HUFFMAN] = &rci_entropy_huffman,
};

const char *rci_entropy_name(uint32_t number)
{
    return number < RCI_ENTROPIES ? ways[number]->name : NULL;
}

static rc_status try_way(struct rci_buffer *best, const struct rci_stream *s, uint32_t way)
{
    struct rci_buffer mine = {.ctx = best->ctx};
    bool fits = true;
    rc_status st = rci_put_byte(&mine, (uint8_t) way);
    if (st == RC_OK)
        st = ways[way]->write(&mine, s, &fits);
    if (st == RC_OK && fits && (!best->size || mine.size < best->size)) {
        const struct rci_buffer other = *best;
        *best = mine;
        mine = other;
    }
    rci_buffer_free(&mine);
    return st;
}

/* Symbols without their neighbours cannot take fewer bits than their entropy. */
static bool worth_coding(const struct rci_stream *s)
{
    double bits = 0;
    for (uint32_t k = 0; k < RCI_SYMBOLS; k++)
        if (s->count[k])
            bits += (double) s->count[k] * log2((double) s->n / (double) s->count[k]);
    return bits < (double) s->n * s->bits - 8;
}

rc_status rci_stream_write(struct rci_buffer *to, const uint8_t *symbol, size_t n, uint32_t bits,
                           bool plain)
{
    struct rci_stream s = {.symbol = symbol, .n = n, .bits = bits};
    struct rci_buffer best = {.ctx = to->ctx};
    rc_status st = RC_OK;
    if (n == 0)
        return RC_OK;
    for (size_t i = 0; i < n; i++)
        s.count[symbol[i]]++;
    const bool coding = !bits || (!plain && worth_coding(&s));
    for (uint32_t way = 0; way < RCI_ENTROPIES && st == RC_OK; way++)
        if (coding || way == RCI_ENTROPY_FIELDS)
            st = try_way(&best, &s, way);
    if (st == RC_OK)
        st = rci_buffer_append(to, best.data, best.size);
    rci_buffer_free(&best);
    return st;
}

rc_status rci_stream_read(struct rci_cursor *from, uint8_t *to, size_t n, size_t stride,
                          uint32_t bits)
{
    uint8_t way;
    if (n == 0)
        return RC_OK;
    RC_TRY(rci_cursor_byte(from, &way, "stream"));
    if (way >= RCI_ENTROPIES)
        return rci_fail(RC_ERR_FORMAT, "stream written in way %u, known are 0 to %d", way,
                        RCI_ENTROPIES - 1);
    return ways[way]->read(from, to, n, stride, bits);
}
