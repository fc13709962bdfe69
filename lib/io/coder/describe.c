/* What a coded tensor is, from its first bytes. */
#include "io/coder/coder.h"

/* The stream of `bits` that begins at `at`. */
static void describe_stream(struct rci_coded *out, struct rci_cursor at, uint32_t bits)
{
    uint8_t way = RCI_ENTROPIES;
    if (rci_cursor_left(&at))
        way = *at.at;
    out->entropy = way;
    out->bits = bits;
}

static void describe_bits(struct rci_coded *out, struct rci_cursor at)
{
    if (rci_cursor_left(&at) >= 2) {
        const uint32_t bits = at.at[1];
        at.at += 2;
        describe_stream(out, at, bits);
    }
}

static void describe_codebook(struct rci_coded *out, struct rci_cursor at,
                              const struct rci_elements *x)
{
    if (!rci_cursor_left(&at))
        return;
    const uint32_t books = *at.at++ ? x->rows : 1;
    uint32_t most = 1;
    for (uint32_t r = 0; r < books; r++) {
        const uint32_t n = rci_cursor_left(&at) ? *at.at + 1u : 0;
        if (!n || rci_cursor_left(&at) < 1 + (size_t) n * x->width)
            return;
        at.at += 1 + (size_t) n * x->width;
        most = most > n ? most : n;
    }
    describe_stream(out, at, rci_bits_of(most - 1));
}

static void describe_signs(struct rci_coded *out, struct rci_cursor at,
                           const struct rci_elements *x)
{
    const size_t magnitudes = (size_t) x->rows * x->width;
    if (rci_cursor_left(&at) < magnitudes)
        return;
    at.at += magnitudes;
    describe_stream(out, at, 1);
}

static void describe_sparse(struct rci_coded *out, struct rci_cursor at)
{
    while (rci_cursor_left(&at) && *at.at++ & 128)
        ;
    describe_stream(out, at, 8);
}

void rci_coder_describe(struct rci_coded *out, const uint8_t *bytes, size_t size,
                        const struct rci_elements *x)
{
    static const uint8_t place_bits[] = {2, 3, 3, 5, 7};
    struct rci_cursor at = {bytes, bytes + size};
    *out = (struct rci_coded){size ? bytes[0] : RCI_CODERS, RCI_ENTROPIES, 0};
    if (!size)
        return;
    at.at++;
    switch (out->coder) {
    case RCI_CODER_BITS:
        describe_bits(out, at);
        break;
    case RCI_CODER_PLANES:
        at.at += size > 1;
        describe_stream(out, at, 8);
        break;
    case RCI_CODER_CODEBOOK:
        describe_codebook(out, at, x);
        break;
    case RCI_CODER_SIGNS:
        describe_signs(out, at, x);
        break;
    case RCI_CODER_SPARSE:
        describe_sparse(out, at);
        break;
    case RCI_CODER_GROUPS:
        if (size > 1 && at.at[0] < sizeof(place_bits)) {
            const uint32_t bits = place_bits[*at.at++];
            describe_stream(out, at, bits);
        }
        break;
    default:
        break;
    }
}
