#ifndef RC_LIB_IO_CODER_CODER_H
#define RC_LIB_IO_CODER_CODER_H
/* How a tensor becomes bytes and back, bit by bit the same. A coder turns elements into streams of
 * symbols (stream.h), which are then written in fields, by rANS or by Huffman codes. */
#include "io/coder/stream.h"

struct rci_elements {
    struct rc_context *ctx;
    uint8_t *data;    /* as in ONNX raw_data: little-endian, row-major */
    size_t count;     /* at least 1 */
    uint32_t width;   /* bytes of one: 1, 2, 4, 8 */
    uint32_t rows;    /* equal parts of the count: its channels along axis 0 */
    bool real;        /* floating point: sign, exponent, mantissa */
    uint8_t sign_bit; /* of integers of one byte that have a sign: 0x80, 8 or 2; else 0 */
    bool plain;       /* when writing: no entropy coding */
    bool inner;       /* inside another coder */
};

enum { RCI_WIDTH_MOST = 8 };

/* A new one is a file, an entry in coder.c and a section of docs/packed-file.md. */
struct rci_coder {
    const char *name;
    /* *fits false, and any bytes appended: cannot write these */
    rc_status (*write)(struct rci_buffer *to, const struct rci_elements *x, bool *fits);
    /* Fills x->data. Every byte that is read is checked. */
    rc_status (*read)(struct rci_cursor *from, const struct rci_elements *x);
};
extern const struct rci_coder rci_coder_raw, rci_coder_bits, rci_coder_planes, rci_coder_codebook,
    rci_coder_signs, rci_coder_sparse, rci_coder_groups;

enum {
    RCI_CODER_RAW,
    RCI_CODER_BITS,
    RCI_CODER_PLANES,
    RCI_CODER_CODEBOOK,
    RCI_CODER_SIGNS,
    RCI_CODER_SPARSE,
    RCI_CODER_GROUPS,
    RCI_CODERS
};
const char *rci_coder_name(uint32_t number); /* NULL: there is none */

/* The number of the shortest coder, then what it writes. */
rc_status rci_coder_write(struct rci_buffer *to, const struct rci_elements *x);
rc_status rci_coder_read(struct rci_cursor *from, const struct rci_elements *x);

/* What rci_coder_write() wrote: the coder's number, that of the way its first stream is written in
 * (RCI_ENTROPIES: it has none) and the bits of that stream's symbols. */
struct rci_coded {
    uint32_t coder, entropy, bits;
};
void rci_coder_describe(struct rci_coded *out, const uint8_t *bytes, size_t size,
                        const struct rci_elements *x);

/* --- text: any bytes, such as a graph; repetitions and symbols (text.c) --- */
rc_status rci_text_write(struct rci_buffer *to, const uint8_t *text, size_t size);
/* All of `from`; *out from rci_alloc. At most RCI_RATIO times as long as what is read. */
rc_status rci_text_read(struct rci_bytes *out, struct rc_context *c, struct rci_cursor *from,
                        const char *what);
enum { RCI_RATIO = 1032 }; /* what deflate can do; more is refused before memory is taken */
#endif
