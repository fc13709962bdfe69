/* Elements of at most 256 different values, in the tensor or in each of its rows: the values, in
 * ascending order of their bits, then for each element which one it is. */
#include "io/coder/coder.h"

#include <string.h>

struct book {
    uint64_t value[RCI_SYMBOLS];
    uint32_t n;
};

static uint64_t element(const struct rci_elements *x, size_t i)
{
    const uint8_t *p = x->data + i * x->width;
    uint64_t v = 0;
    for (uint32_t b = 0; b < x->width; b++)
        v |= (uint64_t) p[b] << 8 * b;
    return v;
}

/* Where v is or belongs. */
static uint32_t book_find(const struct book *b, uint64_t v)
{
    uint32_t low = 0, high = b->n;
    while (low < high) {
        const uint32_t mid = (low + high) / 2;
        if (b->value[mid] < v)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* false: more than 256 values */
static bool book_make(struct book *b, const struct rci_elements *x, size_t from, size_t n)
{
    b->n = 0;
    for (size_t i = from; i < from + n; i++) {
        const uint64_t v = element(x, i);
        const uint32_t at = book_find(b, v);
        if (at < b->n && b->value[at] == v)
            continue;
        if (b->n == RCI_SYMBOLS)
            return false;
        memmove(b->value + at + 1, b->value + at, (b->n - at) * sizeof(*b->value));
        b->value[at] = v;
        b->n++;
    }
    return true;
}

static rc_status book_put(struct rci_buffer *to, const struct book *b, uint32_t width)
{
    uint8_t bytes[8];
    RC_TRY(rci_put_byte(to, (uint8_t) (b->n - 1)));
    for (uint32_t k = 0; k < b->n; k++) {
        rci_set64(bytes, b->value[k]);
        RC_TRY(rci_buffer_append(to, bytes, width));
    }
    return RC_OK;
}

/* `books` equal parts with a book each. */
static rc_status codebook_try(struct rci_buffer *to, const struct rci_elements *x, uint32_t books,
                              uint8_t *index, bool *fits)
{
    const size_t row = x->count / books;
    struct book b;
    uint32_t most = 1;
    RC_TRY(rci_put_byte(to, books > 1));
    for (uint32_t r = 0; r < books; r++) {
        *fits = book_make(&b, x, r * row, row);
        if (!*fits)
            return RC_OK;
        most = most > b.n ? most : b.n;
        for (size_t i = r * row; i < (r + 1) * row; i++)
            index[i] = (uint8_t) book_find(&b, element(x, i));
        RC_TRY(book_put(to, &b, x->width));
    }
    const uint32_t bits = rci_bits_of(most - 1);
    return rci_stream_write(to, index, x->count, bits, x->plain && bits);
}

static rc_status codebook_write(struct rci_buffer *to, const struct rci_elements *x, bool *fits)
{
    struct rci_buffer best = {.ctx = x->ctx};
    uint8_t *index = rci_alloc(x->ctx, x->count);
    rc_status st = index ? RC_OK : RC_ERR_MEMORY;
    for (int each = 0; each < 1 + (x->rows > 1) && st == RC_OK; each++) {
        struct rci_buffer mine = {.ctx = x->ctx};
        bool ok = true;
        st = codebook_try(&mine, x, each ? x->rows : 1, index, &ok);
        if (st == RC_OK && ok && (!best.size || mine.size < best.size)) {
            const struct rci_buffer other = best;
            best = mine;
            mine = other;
        }
        rci_buffer_free(&mine);
    }
    *fits = best.size > 0;
    if (st == RC_OK && *fits)
        st = rci_buffer_append(to, best.data, best.size);
    rci_buffer_free(&best);
    rci_release(index);
    return st;
}

/* The values of each book, borrowed from the file; *most: of the largest. */
static rc_status take_books(struct rci_cursor *from, const struct rci_elements *x, uint32_t books,
                            const uint8_t **value, uint16_t *n, uint32_t *most)
{
    *most = 1;
    for (uint32_t r = 0; r < books; r++) {
        uint8_t last;
        RC_TRY(rci_cursor_byte(from, &last, "codebook"));
        n[r] = (uint16_t) (last + 1);
        *most = *most > n[r] ? *most : n[r];
        RC_TRY(rci_cursor_bytes(from, (size_t) n[r] * x->width, &value[r], "codebook"));
    }
    return RC_OK;
}

/* Indices lie in the last bytes of the elements' room, so that element i is written where only
 * indices up to i have been. */
static rc_status codebook_expand(const struct rci_elements *x, uint32_t books,
                                 const uint8_t *const *value, const uint16_t *n)
{
    const size_t row = x->count / books;
    const uint8_t *index = x->data + x->count * (x->width - 1);
    for (uint32_t r = 0; r < books; r++)
        for (size_t i = r * row; i < (r + 1) * row; i++) {
            const uint8_t k = index[i];
            if (k >= n[r])
                return rci_fail(RC_ERR_FORMAT, "element %zu is entry %u of a codebook of %u", i, k,
                                n[r]);
            memcpy(x->data + i * x->width, value[r] + (size_t) k * x->width, x->width);
        }
    return RC_OK;
}

static rc_status codebook_read(struct rci_cursor *from, const struct rci_elements *x)
{
    uint8_t each;
    uint32_t most;
    RC_TRY(rci_cursor_byte(from, &each, "codebook"));
    if (each > 1)
        return rci_fail(RC_ERR_FORMAT, "codebook of kind %u, known are 0 and 1", each);
    const uint32_t books = each ? x->rows : 1;
    if (books > rci_cursor_left(from) / (x->width + 1u))
        return rci_fail(RC_ERR_FORMAT, "%u codebooks in %zu bytes", books, rci_cursor_left(from));
    const uint8_t **value = rci_alloc_array(x->ctx, books, sizeof(*value));
    uint16_t *n = rci_alloc_array(x->ctx, books, sizeof(*n));
    rc_status st = value && n ? RC_OK : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = take_books(from, x, books, value, n, &most);
    if (st == RC_OK)
        st = rci_stream_read(from, x->data + x->count * (x->width - 1), x->count, 1,
                             rci_bits_of(most - 1));
    if (st == RC_OK)
        st = codebook_expand(x, books, value, n);
    rci_release(n);
    rci_release(value);
    return st;
}

const struct rci_coder rci_coder_codebook = {"codebook", codebook_write, codebook_read};
