/* Elements of which many are 0: how many are not, a bit for each (eight to a symbol, the first
 * lowest), then those that are not 0 by another coder. */
#include "io/coder/coder.h"

#include <string.h>

static bool is_zero(const uint8_t *p, uint32_t width)
{
    static const uint8_t zero[RCI_WIDTH_MOST];
    return !memcmp(p, zero, width);
}

static rc_status sparse_put(struct rci_buffer *to, const struct rci_elements *x, uint8_t *map,
                            uint8_t *kept, size_t n)
{
    const size_t bytes = (x->count + 7) / 8;
    size_t k = 0;
    memset(map, 0, bytes);
    for (size_t i = 0; i < x->count; i++) {
        const uint8_t *p = x->data + i * x->width;
        if (is_zero(p, x->width))
            continue;
        map[i / 8] |= (uint8_t) (1 << i % 8);
        memcpy(kept + k++ * x->width, p, x->width);
    }
    RC_TRY(rci_put_number(to, n));
    RC_TRY(rci_stream_write(to, map, bytes, 8, x->plain));
    struct rci_elements inner = *x;
    inner.data = kept;
    inner.count = n;
    inner.rows = 1;
    inner.inner = true;
    return n ? rci_coder_write(to, &inner) : RC_OK;
}

static rc_status sparse_write(struct rci_buffer *to, const struct rci_elements *x, bool *fits)
{
    size_t n = 0;
    for (size_t i = 0; i < x->count; i++)
        n += !is_zero(x->data + i * x->width, x->width);
    *fits = n < x->count - x->count / 8;
    if (!*fits)
        return RC_OK;
    uint8_t *map = rci_alloc(x->ctx, (x->count + 7) / 8);
    uint8_t *kept = rci_alloc(x->ctx, n * x->width);
    const rc_status st = map && kept ? sparse_put(to, x, map, kept, n) : RC_ERR_MEMORY;
    rci_release(kept);
    rci_release(map);
    return st;
}

static rc_status sparse_spread(const struct rci_elements *x, const uint8_t *map,
                               const uint8_t *kept, size_t n)
{
    size_t k = 0;
    memset(x->data, 0, x->count * x->width);
    for (size_t i = 0; i < (x->count + 7) / 8 * 8; i++) {
        if (!(map[i / 8] >> i % 8 & 1))
            continue;
        if (i >= x->count)
            return rci_fail(RC_ERR_FORMAT, "bitmap: bits set behind element %zu", x->count);
        if (k == n)
            return rci_fail(RC_ERR_FORMAT, "bitmap of more than %zu elements", n);
        memcpy(x->data + i * x->width, kept + k++ * x->width, x->width);
    }
    return k == n ? RC_OK : rci_fail(RC_ERR_FORMAT, "bitmap of %zu elements, there are %zu", k, n);
}

static rc_status sparse_read(struct rci_cursor *from, const struct rci_elements *x)
{
    uint64_t n;
    const size_t bytes = (x->count + 7) / 8;
    RC_TRY(rci_cursor_number(from, x->count, &n, "elements that are not 0"));
    uint8_t *map = rci_alloc(x->ctx, bytes);
    uint8_t *kept = rci_alloc(x->ctx, (size_t) n * x->width);
    struct rci_elements inner = *x;
    rc_status st = map && kept ? RC_OK : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = rci_stream_read(from, map, bytes, 1, 8);
    inner.data = kept;
    inner.count = (size_t) n;
    inner.rows = 1;
    inner.inner = true;
    if (st == RC_OK && n)
        st = rci_coder_read(from, &inner);
    if (st == RC_OK)
        st = sparse_spread(x, map, kept, (size_t) n);
    rci_release(kept);
    rci_release(map);
    return st;
}

const struct rci_coder rci_coder_sparse = {"sparse", sparse_write, sparse_read};
