/* Canonical Huffman codes of 1 to 12 bits: symbols by (length, symbol) get consecutive codes. The
 * lengths of symbols first..last, four bits each, then the codes, their first bit lowest. */
#include "io/coder/stream.h"

#include <string.h>

enum { LONGEST = 12, ONE = 1 << LONGEST }; /* ONE: the sum of 2^(12 - length) of a whole code */

struct code {
    uint8_t length[RCI_SYMBOLS];
    uint16_t bits[RCI_SYMBOLS]; /* first bit lowest */
    uint32_t first, last;
};

static uint32_t reversed(uint32_t v, uint32_t n)
{
    uint32_t r = 0;
    for (uint32_t i = 0; i < n; i++)
        r |= (v >> i & 1) << (n - 1 - i);
    return r;
}

/* Codes from lengths; false when they are not exactly one code. */
static bool code_assign(struct code *c)
{
    uint32_t next = 0, sum = 0;
    for (uint32_t n = 1; n <= LONGEST; n++) {
        next <<= 1;
        for (uint32_t s = c->first; s <= c->last; s++)
            if (c->length[s] == n) {
                sum += ONE >> n;
                c->bits[s] = (uint16_t) reversed(next++ & (ONE - 1), n);
            }
        if (sum > ONE)
            return false;
    }
    return sum == ONE;
}

/* Lengths by repeatedly joining the two rarest; at most 256 leaves, so looking for them is cheap.
 */
static void tree_lengths(const uint64_t *count, uint8_t *length)
{
    uint64_t weight[2 * RCI_SYMBOLS];
    uint16_t parent[2 * RCI_SYMBOLS] = {0};
    bool open[2 * RCI_SYMBOLS];
    uint32_t n = RCI_SYMBOLS;
    for (uint32_t s = 0; s < RCI_SYMBOLS; s++) {
        weight[s] = count[s];
        open[s] = count[s] > 0;
    }
    for (;; n++) {
        uint32_t low[2] = {UINT32_MAX, UINT32_MAX};
        for (uint32_t i = 0; i < n; i++) {
            if (!open[i])
                continue;
            if (low[0] == UINT32_MAX || weight[i] < weight[low[0]]) {
                low[1] = low[0];
                low[0] = i;
            } else if (low[1] == UINT32_MAX || weight[i] < weight[low[1]]) {
                low[1] = i;
            }
        }
        if (low[1] == UINT32_MAX)
            break;
        weight[n] = weight[low[0]] + weight[low[1]];
        open[n] = true;
        open[low[0]] = open[low[1]] = false;
        parent[low[0]] = parent[low[1]] = (uint16_t) n;
    }
    for (uint32_t s = 0; s < RCI_SYMBOLS; s++) {
        length[s] = 0;
        for (uint32_t i = s; count[s] && parent[i]; i = parent[i])
            length[s]++;
    }
}

/* Cut to LONGEST, then lengthen the rarest that can be, then shorten what there is room for. */
static void limit_lengths(const uint64_t *count, uint8_t *length)
{
    uint32_t sum = 0;
    for (uint32_t s = 0; s < RCI_SYMBOLS; s++) {
        if (length[s] > LONGEST)
            length[s] = LONGEST;
        sum += length[s] ? ONE >> length[s] : 0;
    }
    while (sum > ONE) {
        uint32_t pick = RCI_SYMBOLS;
        for (uint32_t s = 0; s < RCI_SYMBOLS; s++)
            if (length[s] && length[s] < LONGEST &&
                (pick == RCI_SYMBOLS || length[s] > length[pick] ||
                 (length[s] == length[pick] && count[s] < count[pick])))
                pick = s;
        sum -= ONE >> ++length[pick];
    }
    for (uint32_t n = LONGEST; n > 1; n--)
        for (uint32_t s = 0; s < RCI_SYMBOLS; s++)
            while (length[s] > 1 && length[s] == n && sum + (ONE >> n) <= ONE) {
                sum += ONE >> n;
                length[s]--;
            }
}

static rc_status put_lengths(struct rci_buffer *to, const struct code *c)
{
    RC_TRY(rci_put_byte(to, (uint8_t) c->first));
    RC_TRY(rci_put_byte(to, (uint8_t) c->last));
    for (uint32_t s = c->first; s <= c->last; s += 2)
        RC_TRY(
            rci_put_byte(to, (uint8_t) (c->length[s] | (s < c->last ? c->length[s + 1] << 4 : 0))));
    return RC_OK;
}

static rc_status huffman_write(struct rci_buffer *to, const struct rci_stream *s, bool *fits)
{
    struct code c = {.first = RCI_SYMBOLS};
    for (uint32_t i = 0; i < RCI_SYMBOLS; i++)
        if (s->count[i]) {
            c.first = c.first == RCI_SYMBOLS ? i : c.first;
            c.last = i;
        }
    *fits = c.last > c.first;
    if (!*fits)
        return RC_OK;
    tree_lengths(s->count, c.length);
    limit_lengths(s->count, c.length);
    *fits = code_assign(&c);
    RC_TRY(put_lengths(to, &c));
    uint8_t block[256];
    size_t used = 0;
    uint32_t hold = 0, have = 0;
    for (size_t i = 0; i < s->n; i++) {
        const uint8_t symbol = s->symbol[i];
        hold |= (uint32_t) c.bits[symbol] << have;
        for (have += c.length[symbol]; have >= 8; have -= 8, hold >>= 8)
            block[used++] = (uint8_t) hold;
        if (used >= sizeof(block) - 4) {
            RC_TRY(rci_buffer_append(to, block, used));
            used = 0;
        }
    }
    if (have)
        block[used++] = (uint8_t) hold;
    return rci_buffer_append(to, block, used);
}

static rc_status take_lengths(struct rci_cursor *from, struct code *c, uint32_t bits)
{
    uint8_t first, last;
    const uint8_t *p = NULL;
    RC_TRY(rci_cursor_byte(from, &first, "Huffman code"));
    RC_TRY(rci_cursor_byte(from, &last, "Huffman code"));
    if (first >= last || last >> bits)
        return rci_fail(RC_ERR_FORMAT, "Huffman code of symbols %u to %u in a stream of %u bits",
                        first, last, bits);
    c->first = first;
    c->last = last;
    const uint32_t n = (uint32_t) last - first + 1;
    RC_TRY(rci_cursor_bytes(from, (n + 1) / 2, &p, "Huffman code"));
    for (uint32_t i = 0; i < n; i++)
        if ((c->length[first + i] = p[i / 2] >> 4 * (i % 2) & 15) > LONGEST)
            return rci_fail(RC_ERR_FORMAT, "Huffman code of %u bits, at most %d",
                            c->length[first + i], LONGEST);
    if (!c->length[first] || !c->length[last] || (n % 2 && p[n / 2] >> 4))
        return rci_fail(RC_ERR_FORMAT, "Huffman code is padded");
    if (!code_assign(c))
        return rci_fail(RC_ERR_FORMAT, "Huffman code is incomplete or over-subscribed");
    return RC_OK;
}

static rc_status huffman_read(struct rci_cursor *from, uint8_t *to, size_t n, size_t stride,
                              uint32_t bits)
{
    struct code c = {.first = 0};
    uint16_t table[ONE]; /* symbol << 4 | length, by the next 12 bits */
    RC_TRY(take_lengths(from, &c, bits));
    for (uint32_t s = c.first; s <= c.last; s++)
        for (uint32_t at = c.bits[s]; c.length[s] && at < ONE; at += 1u << c.length[s])
            table[at] = (uint16_t) (s << 4 | c.length[s]);
    const uint8_t *p = from->at;
    uint64_t hold = 0;
    uint32_t have = 0;
    for (size_t i = 0; i < n; i++) {
        while (have < LONGEST && p < from->end) {
            hold |= (uint64_t) *p++ << have;
            have += 8;
        }
        const uint16_t e = table[hold & (ONE - 1)];
        if ((e & 15u) > have)
            return rci_fail(RC_ERR_FORMAT, "Huffman codes end after %zu of %zu symbols", i, n);
        to[i * stride] = (uint8_t) (e >> 4);
        hold >>= e & 15;
        have -= e & 15;
    }
    from->at = p - have / 8; /* bytes that were looked at too early */
    if (hold & ((1u << have % 8) - 1))
        return rci_fail(RC_ERR_FORMAT, "Huffman codes: bits set behind the last one");
    return RC_OK;
}

const struct rci_entropy rci_entropy_huffman = {"huffman", huffman_write, huffman_read};
