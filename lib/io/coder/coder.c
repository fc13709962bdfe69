/* Tensors: every coder is tried and the shortest stays. */
#include "io/coder/coder.h"

#include <string.h>

static const struct rci_coder *const coders[RCI_CODERS] = {
    [RCI_CODER_RAW] = &rci_coder_raw,       [RCI_CODER_BITS] = &rci_coder_bits,
    [RCI_CODER_PLANES] = &rci_coder_planes, [RCI_CODER_CODEBOOK] = &rci_coder_codebook,
    [RCI_CODER_SIGNS] = &rci_coder_signs,   [RCI_CODER_SPARSE] = &rci_coder_sparse,
    [RCI_CODER_GROUPS] = &rci_coder_groups,
};

const char *rci_coder_name(uint32_t number)
{
    return number < RCI_CODERS ? coders[number]->name : NULL;
}

static bool nests(uint32_t coder)
{
    return coder != RCI_CODER_SPARSE && coder != RCI_CODER_GROUPS;
}

static rc_status try_coder(struct rci_buffer *best, const struct rci_elements *x, uint32_t coder)
{
    struct rci_buffer mine = {.ctx = best->ctx};
    bool fits = true;
    rc_status st = rci_put_byte(&mine, (uint8_t) coder);
    if (st == RC_OK)
        st = coders[coder]->write(&mine, x, &fits);
    const bool dense = mine.size && x->count * x->width / mine.size < RCI_RATIO;
    if (st == RC_OK && fits && dense && (!best->size || mine.size < best->size)) {
        const struct rci_buffer other = *best;
        *best = mine;
        mine = other;
    }
    rci_buffer_free(&mine);
    return st;
}

rc_status rci_coder_write(struct rci_buffer *to, const struct rci_elements *x)
{
    struct rci_buffer best = {.ctx = to->ctx};
    rc_status st = RC_OK;
    for (uint32_t k = 0; k < RCI_CODERS && st == RC_OK; k++)
        if (!x->inner || nests(k))
            st = try_coder(&best, x, k);
    if (st == RC_OK)
        st = rci_buffer_append(to, best.data, best.size);
    rci_buffer_free(&best);
    return st;
}

rc_status rci_coder_read(struct rci_cursor *from, const struct rci_elements *x)
{
    uint8_t k;
    RC_TRY(rci_cursor_byte(from, &k, "coder"));
    if (k >= RCI_CODERS)
        return rci_fail(RC_ERR_FORMAT, "coder %u, known are 0 to %d", k, RCI_CODERS - 1);
    if (x->inner && !nests(k))
        return rci_fail(RC_ERR_FORMAT, "coder %s inside another", coders[k]->name);
    return coders[k]->read(from, x);
}
