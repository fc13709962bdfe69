/* Bytes with repetitions. A byte 0, then they as they are; or a byte 1, then a sequence of
 * (literals, match) pairs as four streams of bytes: the literals, and the numbers (coder/bytes.h)
 * of literals, of bytes that are repeated less 4, and of the distances back, where 0 is the
 * distance before. Behind the last pair come literals alone. (Ziv and Lempel, IEEE Transactions on
 * Information Theory 23, 1977) */
#include "io/coder/coder.h"

#include <string.h>

enum { MATCH_LEAST = 4, HASH_BITS = 15, CHAIN = 128, STREAMS = 4 };
enum { STORED, PAIRS };
enum { LITERALS, RUNS, LENGTHS, DISTANCES };
static const char *const stream_names[STREAMS] = {"literals", "runs", "lengths", "distances"};

struct search {
    const uint8_t *text;
    size_t size;
    uint32_t *head, *chain; /* position + 1, 0: none */
    size_t inserted;
    size_t last; /* distance before */
};

static uint32_t hash_of(const uint8_t *p)
{
    return (rci_get32(p) * 2654435761u) >> (32 - HASH_BITS);
}

static void search_insert(struct search *s, size_t to)
{
    for (; s->inserted < to && s->inserted + MATCH_LEAST <= s->size; s->inserted++) {
        const uint32_t h = hash_of(s->text + s->inserted);
        s->chain[s->inserted] = s->head[h];
        s->head[h] = (uint32_t) s->inserted + 1;
    }
}

static size_t match_length(const struct search *s, size_t at, size_t from)
{
    size_t n = 0;
    while (at + n < s->size && s->text[at + n] == s->text[from + n])
        n++;
    return n;
}

/* What a match saves, in quarters of a byte or so: near ones are cheaper to say. */
static int64_t match_worth(size_t length, size_t distance, size_t last)
{
    const int64_t far = distance == last ? 1 : 2 + (int64_t) rci_bits_of(distance) / 2;
    return 3 * (int64_t) length - far;
}

static size_t search_best(struct search *s, size_t at, size_t *distance)
{
    size_t best = 0;
    int64_t worth = 3;
    if (at + MATCH_LEAST > s->size)
        return 0;
    search_insert(s, at);
    if (s->last && s->last <= at) {
        const size_t n = match_length(s, at, at - s->last);
        if (n >= MATCH_LEAST && match_worth(n, s->last, s->last) > worth) {
            worth = match_worth(n, s->last, s->last);
            best = n;
            *distance = s->last;
        }
    }
    uint32_t p = s->head[hash_of(s->text + at)];
    for (int i = 0; i < CHAIN && p; i++, p = s->chain[p - 1]) {
        const size_t n = match_length(s, at, p - 1), far = at - (p - 1);
        if (n >= MATCH_LEAST && match_worth(n, far, s->last) > worth) {
            worth = match_worth(n, far, s->last);
            best = n;
            *distance = far;
        }
    }
    return best;
}

/* A match waits when the next byte has a longer one. */
static rc_status text_split(struct search *s, struct rci_buffer *part)
{
    size_t literal = 0, at = 0;
    while (at < s->size) {
        size_t distance = 0, later = 0;
        const size_t n = search_best(s, at, &distance);
        if (n && search_best(s, at + 1, &later) > n + 1) {
            at++;
            continue;
        }
        if (!n) {
            at++;
            continue;
        }
        RC_TRY(rci_buffer_append(&part[LITERALS], s->text + literal, at - literal));
        RC_TRY(rci_put_number(&part[RUNS], at - literal));
        RC_TRY(rci_put_number(&part[LENGTHS], n - MATCH_LEAST));
        RC_TRY(rci_put_number(&part[DISTANCES], distance == s->last ? 0 : distance));
        s->last = distance;
        at += n;
        literal = at;
    }
    return rci_buffer_append(&part[LITERALS], s->text + literal, at - literal);
}

static rc_status text_put(struct rci_buffer *to, const struct search *s,
                          const struct rci_buffer *part)
{
    RC_TRY(rci_put_number(to, s->size));
    for (int k = 0; k < STREAMS; k++)
        RC_TRY(rci_put_number(to, part[k].size));
    for (int k = 0; k < STREAMS; k++)
        RC_TRY(rci_stream_write(to, part[k].data, part[k].size, 8, false));
    return RC_OK;
}

rc_status rci_text_write(struct rci_buffer *to, const uint8_t *text, size_t size)
{
    struct rc_context *c = to->ctx;
    struct rci_buffer part[STREAMS] = {{.ctx = c}, {.ctx = c}, {.ctx = c}, {.ctx = c}};
    struct search s = {.text = text, .size = size};
    s.head = rci_alloc_array(c, (size_t) 1 << HASH_BITS, sizeof(*s.head));
    s.chain = rci_alloc_array(c, size + 1, sizeof(*s.chain));
    rc_status st = s.head && s.chain ? text_split(&s, part) : RC_ERR_MEMORY;
    const size_t before = to->size;
    if (st == RC_OK)
        st = rci_put_byte(to, PAIRS);
    if (st == RC_OK)
        st = text_put(to, &s, part);
    /* what a reader takes for a bomb, and what is not shorter */
    const size_t written = to->size - before;
    if (st == RC_OK && (written > size || size / written >= RCI_RATIO)) {
        to->size = before;
        st = rci_put_byte(to, STORED);
        if (st == RC_OK)
            st = rci_buffer_append(to, text, size);
    }
    for (int k = 0; k < STREAMS; k++)
        rci_buffer_free(&part[k]);
    rci_release(s.chain);
    rci_release(s.head);
    return st;
}

static rc_status copy_literals(struct rci_cursor *literals, struct rci_bytes *out, size_t size,
                               uint64_t n)
{
    const uint8_t *p = NULL;
    if (n > size - out->size)
        return rci_fail(RC_ERR_FORMAT, "text is longer than %zu bytes", size);
    RC_TRY(rci_cursor_bytes(literals, (size_t) n, &p, "literals"));
    if (n)
        memcpy(out->data + out->size, p, (size_t) n);
    out->size += (size_t) n;
    return RC_OK;
}

static rc_status copy_match(struct rci_bytes *out, size_t size, uint64_t n, size_t distance)
{
    if (n > size - out->size)
        return rci_fail(RC_ERR_FORMAT, "text is longer than %zu bytes", size);
    if (!distance || distance > out->size)
        return rci_fail(RC_ERR_FORMAT, "text: %zu bytes back from byte %zu", distance, out->size);
    uint8_t *p = out->data + out->size;
    const uint8_t *from = p - distance; /* what was just written may be read again */
    for (size_t i = 0; i < n; i++)
        p[i] = from[i];
    out->size += (size_t) n;
    return RC_OK;
}

static rc_status text_join(struct rci_bytes *out, size_t size, struct rci_cursor *part)
{
    size_t last = 0;
    while (rci_cursor_left(&part[RUNS])) {
        uint64_t run, length, distance;
        RC_TRY(rci_cursor_number(&part[RUNS], size, &run, "run"));
        RC_TRY(rci_cursor_number(&part[LENGTHS], size, &length, "length"));
        RC_TRY(rci_cursor_number(&part[DISTANCES], size, &distance, "distance"));
        RC_TRY(copy_literals(&part[LITERALS], out, size, run));
        last = distance ? (size_t) distance : last;
        RC_TRY(copy_match(out, size, length + MATCH_LEAST, last));
    }
    RC_TRY(copy_literals(&part[LITERALS], out, size, rci_cursor_left(&part[LITERALS])));
    RC_TRY(rci_cursor_end(&part[LENGTHS], "lengths"));
    RC_TRY(rci_cursor_end(&part[DISTANCES], "distances"));
    return out->size == size
               ? RC_OK
               : rci_fail(RC_ERR_FORMAT, "text of %zu bytes, its header says %zu", out->size, size);
}

/* Sizes first; all together they are bounded by what is read. */
static rc_status text_sizes(struct rci_cursor *from, uint64_t *size, uint64_t *part,
                            const char *what)
{
    const uint64_t most = (uint64_t) rci_cursor_left(from) * RCI_RATIO;
    RC_TRY(rci_cursor_number(from, most, size, what));
    for (int k = 0; k < STREAMS; k++)
        RC_TRY(rci_cursor_number(from, most, &part[k], stream_names[k]));
    return RC_OK;
}

static rc_status text_stored(struct rci_bytes *out, struct rc_context *c, struct rci_cursor *from)
{
    const size_t size = rci_cursor_left(from);
    if (!(out->data = rci_alloc(c, size)))
        return RC_ERR_MEMORY;
    memcpy(out->data, from->at, size);
    out->size = size;
    from->at = from->end;
    return RC_OK;
}

rc_status rci_text_read(struct rci_bytes *out, struct rc_context *c, struct rci_cursor *from,
                        const char *what)
{
    uint8_t kind;
    uint64_t size, n[STREAMS];
    struct rci_cursor part[STREAMS];
    *out = (struct rci_bytes){0};
    RC_TRY(rci_cursor_byte(from, &kind, what));
    if (kind > PAIRS)
        return rci_fail(RC_ERR_FORMAT, "%s: text of kind %u, known are 0 and 1", what, kind);
    if (kind == STORED)
        return text_stored(out, c, from);
    RC_TRY(text_sizes(from, &size, n, what));
    uint8_t *streams = rci_alloc(c, (size_t) (n[0] + n[1] + n[2] + n[3])), *at = streams;
    out->data = rci_alloc(c, (size_t) size);
    rc_status st = streams && out->data ? RC_OK : RC_ERR_MEMORY;
    for (int k = 0; k < STREAMS && st == RC_OK; k++, at = at ? at + n[k - 1] : at) {
        st = rci_stream_read(from, at, (size_t) n[k], 1, 8);
        part[k] = (struct rci_cursor){at, at + n[k]};
    }
    if (st == RC_OK)
        st = rci_cursor_end(from, what);
    if (st == RC_OK)
        st = text_join(out, (size_t) size, part);
    rci_release(streams);
    if (st != RC_OK) {
        rci_release(out->data);
        *out = (struct rci_bytes){0};
    }
    return st;
}
