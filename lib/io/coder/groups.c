/* N:M sparsity: of every M neighbours at most N are not 0. A symbol per group says which N places
 * have elements (all choices of N of M places, numbered in the order of their bit masks), then come
 * N elements of each group by another coder. */
#include "io/coder/coder.h"

#include <string.h>

static const struct pattern {
    uint32_t n, m;
} patterns[] = {{1, 4}, {2, 4}, {1, 8}, {2, 8}, {4, 8}};
enum { PATTERNS = sizeof(patterns) / sizeof(patterns[0]), CHOICES_MOST = 70 };

/* All masks of m bits with n set, ascending. */
static uint32_t choices_of(const struct pattern *p, uint8_t *mask)
{
    uint32_t count = 0;
    for (uint32_t v = 0; v < 1u << p->m; v++)
        if ((uint32_t) __builtin_popcount(v) == p->n)
            mask[count++] = (uint8_t) v;
    return count;
}

static uint32_t group_mask(const struct rci_elements *x, size_t group, uint32_t m)
{
    static const uint8_t zero[RCI_WIDTH_MOST];
    uint32_t mask = 0;
    for (uint32_t k = 0; k < m; k++)
        if (memcmp(x->data + (group * m + k) * x->width, zero, x->width) != 0)
            mask |= 1u << k;
    return mask;
}

static bool pattern_fits(const struct pattern *p, const struct rci_elements *x)
{
    bool fits = x->count % p->m == 0;
    for (size_t g = 0; fits && g < x->count / p->m; g++)
        fits = (uint32_t) __builtin_popcount(group_mask(x, g, p->m)) <= p->n;
    return fits;
}

/* The choice has all places of `mask`; what is missing is taken from the front. */
static uint8_t choice_of(const uint8_t *masks, uint32_t count, uint32_t mask)
{
    for (uint32_t k = 0; k < count; k++)
        if ((masks[k] & mask) == mask)
            return (uint8_t) k;
    return 0;
}

static rc_status groups_put(struct rci_buffer *to, const struct rci_elements *x, uint32_t which,
                            uint8_t *symbol, uint8_t *kept)
{
    const struct pattern *p = &patterns[which];
    const size_t groups = x->count / p->m;
    uint8_t masks[CHOICES_MOST];
    const uint32_t count = choices_of(p, masks);
    size_t n = 0;
    for (size_t g = 0; g < groups; g++) {
        symbol[g] = choice_of(masks, count, group_mask(x, g, p->m));
        for (uint32_t k = 0; k < p->m; k++)
            if (masks[symbol[g]] >> k & 1)
                memcpy(kept + n++ * x->width, x->data + (g * p->m + k) * x->width, x->width);
    }
    struct rci_elements inner = *x;
    inner.data = kept;
    inner.count = n;
    inner.rows = 1;
    inner.inner = true;
    RC_TRY(rci_put_byte(to, (uint8_t) which));
    RC_TRY(rci_stream_write(to, symbol, groups, rci_bits_of(count - 1), x->plain));
    return rci_coder_write(to, &inner);
}

static rc_status groups_write(struct rci_buffer *to, const struct rci_elements *x, bool *fits)
{
    uint32_t which = 0;
    while (which < PATTERNS && !pattern_fits(&patterns[which], x))
        which++;
    *fits = which < PATTERNS;
    if (!*fits)
        return RC_OK;
    uint8_t *symbol = rci_alloc(x->ctx, x->count);
    uint8_t *kept = rci_alloc(x->ctx, x->count * x->width);
    const rc_status st = symbol && kept ? groups_put(to, x, which, symbol, kept) : RC_ERR_MEMORY;
    rci_release(kept);
    rci_release(symbol);
    return st;
}

static rc_status groups_spread(const struct rci_elements *x, const struct pattern *p,
                               const uint8_t *symbol, const uint8_t *kept)
{
    uint8_t masks[CHOICES_MOST];
    const uint32_t count = choices_of(p, masks);
    memset(x->data, 0, x->count * x->width);
    for (size_t g = 0; g < x->count / p->m; g++) {
        if (symbol[g] >= count)
            return rci_fail(RC_ERR_FORMAT, "group %zu is choice %u of %u", g, symbol[g], count);
        for (uint32_t k = 0; k < p->m; k++)
            if (masks[symbol[g]] >> k & 1) {
                memcpy(x->data + (g * p->m + k) * x->width, kept, x->width);
                kept += x->width;
            }
    }
    return RC_OK;
}

static rc_status groups_read(struct rci_cursor *from, const struct rci_elements *x)
{
    uint8_t which;
    RC_TRY(rci_cursor_byte(from, &which, "groups"));
    if (which >= PATTERNS || x->count % patterns[which].m)
        return rci_fail(RC_ERR_FORMAT, "%zu elements in groups of kind %u", x->count, which);
    const struct pattern *p = &patterns[which];
    uint8_t masks[CHOICES_MOST];
    const size_t groups = x->count / p->m;
    uint8_t *symbol = rci_alloc(x->ctx, groups);
    struct rci_elements inner = *x;
    inner.data = rci_alloc(x->ctx, groups * p->n * x->width);
    inner.count = groups * p->n;
    inner.rows = 1;
    inner.inner = true;
    rc_status st = symbol && inner.data ? RC_OK : RC_ERR_MEMORY;
    if (st == RC_OK)
        st = rci_stream_read(from, symbol, groups, 1, rci_bits_of(choices_of(p, masks) - 1));
    if (st == RC_OK)
        st = rci_coder_read(from, &inner);
    if (st == RC_OK)
        st = groups_spread(x, p, symbol, inner.data);
    rci_release(inner.data);
    rci_release(symbol);
    return st;
}

const struct rci_coder rci_coder_groups = {"groups", groups_write, groups_read};
