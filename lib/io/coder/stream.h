#ifndef RC_LIB_IO_CODER_STREAM_H
#define RC_LIB_IO_CODER_STREAM_H
/* A stream is n symbols of 0 .. 2^bits - 1, bits 0 to 8. n and bits are known where it is read. In
 * the file: a byte that says how, and what that way writes; nothing at all when n is 0. Layouts:
 * docs/packed-file.md. */
#include "io/coder/bytes.h"

enum { RCI_SYMBOLS = 256 };

struct rci_stream {
    const uint8_t *symbol;
    size_t n;
    uint32_t bits;
    uint64_t count[RCI_SYMBOLS]; /* how often each occurs */
};

/* One way of writing streams. A new one is a file, an entry in stream.c and a section of the
 * document. */
struct rci_entropy {
    const char *name;
    /* *fits false, and any bytes appended: cannot write this one */
    rc_status (*write)(struct rci_buffer *to, const struct rci_stream *s, bool *fits);
    /* Symbol i to to[i * stride]. Every byte that is read is checked. */
    rc_status (*read)(struct rci_cursor *from, uint8_t *to, size_t n, size_t stride, uint32_t bits);
};
extern const struct rci_entropy rci_entropy_same, rci_entropy_fields, rci_entropy_rans,
    rci_entropy_huffman;

enum { RCI_ENTROPY_SAME, RCI_ENTROPY_FIELDS, RCI_ENTROPY_RANS, RCI_ENTROPY_HUFFMAN, RCI_ENTROPIES };
const char *rci_entropy_name(uint32_t number); /* NULL: there is none */

/* The shortest way, or with `plain` fields. */
rc_status rci_stream_write(struct rci_buffer *to, const uint8_t *symbol, size_t n, uint32_t bits,
                           bool plain);
rc_status rci_stream_read(struct rci_cursor *from, uint8_t *to, size_t n, size_t stride,
                          uint32_t bits);

/* Bits that numbers of 0 .. most need. */
static inline uint32_t rci_bits_of(uint64_t most)
{
    uint32_t bits = 0;
    for (; most; most >>= 1)
        bits++;
    return bits;
}
#endif
