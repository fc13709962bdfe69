/* Elements of several bytes, one stream for each byte of theirs, the lowest first. Before, reals
 * are rotated left by one bit, which brings the exponent of an f32 into a byte of its own and the
 * sign to the lowest bit; integers become 2v or -2v - 1 (the sign in the lowest bit) where that is
 * shorter. */
#include "io/coder/coder.h"

enum { AS_IT_IS, ROTATED, FOLDED, MAPPINGS };

static uint64_t element(const uint8_t *p, uint32_t width)
{
    uint64_t v = 0;
    for (uint32_t b = 0; b < width; b++)
        v |= (uint64_t) p[b] << 8 * b;
    return v;
}

static uint64_t mapped(uint64_t v, uint32_t width, uint32_t mapping)
{
    const uint64_t sign = v >> (8 * width - 1) & 1;
    if (mapping == ROTATED)
        return v << 1 | sign;
    return mapping == FOLDED ? (v << 1) ^ (sign ? UINT64_MAX : 0) : v;
}

static uint64_t unmapped(uint64_t v, uint32_t width, uint32_t mapping)
{
    if (mapping == ROTATED)
        return v >> 1 | (v & 1) << (8 * width - 1);
    return mapping == FOLDED ? v >> 1 ^ (v & 1 ? UINT64_MAX : 0) : v;
}

static rc_status planes_map(struct rci_buffer *to, const struct rci_elements *x, uint32_t mapping,
                            uint8_t *plane)
{
    RC_TRY(rci_put_byte(to, (uint8_t) mapping));
    for (uint32_t b = 0; b < x->width; b++) {
        for (size_t i = 0; i < x->count; i++)
            plane[i] =
                (uint8_t) (mapped(element(x->data + i * x->width, x->width), x->width, mapping) >>
                           8 * b);
        RC_TRY(rci_stream_write(to, plane, x->count, 8, false));
    }
    return RC_OK;
}

static rc_status planes_write(struct rci_buffer *to, const struct rci_elements *x, bool *fits)
{
    *fits = x->width > 1 && !x->plain;
    if (!*fits)
        return RC_OK;
    uint8_t *plane = rci_alloc(x->ctx, x->count);
    struct rci_buffer best = {.ctx = x->ctx};
    rc_status st = plane ? RC_OK : RC_ERR_MEMORY;
    for (uint32_t m = x->real ? ROTATED : AS_IT_IS; m < MAPPINGS && st == RC_OK; m += 2) {
        struct rci_buffer mine = {.ctx = x->ctx};
        st = planes_map(&mine, x, m, plane);
        if (st == RC_OK && (!best.size || mine.size < best.size)) {
            const struct rci_buffer other = best;
            best = mine;
            mine = other;
        }
        rci_buffer_free(&mine);
    }
    if (st == RC_OK)
        st = rci_buffer_append(to, best.data, best.size);
    rci_buffer_free(&best);
    rci_release(plane);
    return st;
}

/* The usual width, in words that the compiler takes several of at once. */
static void unrotate_words(uint8_t *data, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint32_t v = rci_get32(data + 4 * i);
        rci_set32(data + 4 * i, v >> 1 | v << 31);
    }
}

static rc_status planes_read(struct rci_cursor *from, const struct rci_elements *x)
{
    uint8_t mapping;
    RC_TRY(rci_cursor_byte(from, &mapping, "planes"));
    if (mapping >= MAPPINGS || x->width == 1)
        return rci_fail(RC_ERR_FORMAT, "planes of elements of %u bytes in mapping %u", x->width,
                        mapping);
    for (uint32_t b = 0; b < x->width; b++)
        RC_TRY(rci_stream_read(from, x->data + b, x->count, x->width, 8));
    if (mapping == ROTATED && x->width == 4) {
        unrotate_words(x->data, x->count);
        return RC_OK;
    }
    for (size_t i = 0; mapping != AS_IT_IS && i < x->count; i++) {
        uint8_t *p = x->data + i * x->width;
        const uint64_t v = unmapped(element(p, x->width), x->width, mapping);
        for (uint32_t b = 0; b < x->width; b++)
            p[b] = (uint8_t) (v >> 8 * b);
    }
    return RC_OK;
}

const struct rci_coder rci_coder_planes = {"planes", planes_write, planes_read};
