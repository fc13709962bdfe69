#ifndef RC_LIB_IO_PACKED_PARTS_H
#define RC_LIB_IO_PACKED_PARTS_H
/* Shared by what reads and writes packed files: the header, the table of parts, elements. */
#include "io/packed.h"
#include "wire/onnx.h"

enum {
    PACKED_MAJOR = 1,
    PACKED_MINOR = 0,
    PACKED_HEADER = 32,
    PACKED_ENTRY = 24,
    PACKED_PARTS_MOST = 4096,
    PACKED_ALIGN = 64
};
enum { PART_GRAPH = 1, PART_TENSORS = 2, PART_CODED = 3, PART_RAW = 4 };
enum { PART_REQUIRED = 1 }; /* flags: readers that do not know the kind must refuse the file */
extern const uint8_t rci_packed_magic[8], rci_packed_order[4];

struct packed_part {
    uint32_t kind, flags, crc;
    uint64_t offset, size;
};

struct packed_file {
    struct rc_context *ctx;
    const struct rci_file *file; /* NULL: data */
    const uint8_t *data;
    uint64_t size;
    uint32_t minor, n_parts;
    struct packed_part *part; /* from rci_alloc */
};

/* Everything but the contents of parts is checked. */
rc_status rci_packed_open(struct packed_file *p);
void rci_packed_close(struct packed_file *p);
rc_status rci_packed_read_at(const struct packed_file *p, uint64_t at, void *to, size_t size);
/* The bytes of a part, with the right checksum; *own: to be released. */
rc_status rci_packed_fetch(const struct packed_file *p, uint32_t part, const uint8_t **at,
                           void **own);
rc_status rci_packed_check(const struct packed_file *p, uint32_t part, const uint8_t *bytes);
/* The only part of a kind. */
rc_status rci_packed_find(const struct packed_file *p, uint32_t kind, const char *what,
                          uint32_t *out);

/* How elements of an ONNX type are coded; bits 0: not at all. */
struct packed_type {
    uint8_t bits, sign_bit;
    bool real;
};
struct packed_type rci_packed_type(int32_t onnx);
/* Of one tensor: count, width, rows; a byte for each where they have less. */
struct rci_elements rci_packed_elements(const struct packed_type *type, size_t count, size_t dim0);
/* Elements of less than a byte, the first in the lowest bits. */
void rci_packed_spread(uint8_t *to, const uint8_t *from, size_t count, uint32_t bits);
rc_status rci_packed_join(uint8_t *to, const uint8_t *from, size_t count, uint32_t bits);

/* A tensor of the file. */
struct packed_tensor {
    Onnx__TensorProto *onnx;
    struct packed_type type;
    uint32_t part;
    uint64_t at, stored; /* in its part; 0: a product, in no part */
    size_t count, bytes; /* elements, bytes in ONNX */
    bool begins;         /* its part */
    uint32_t of;         /* a product: the number of the other weight */
    float factor;
};
enum { PRODUCT_STORED = 5 }; /* bytes that a product takes in the table, more or less */

/* x[n] = factor * y[n] in f32 (packed_product.c); false: there is no such factor. */
bool rci_product_find(const uint8_t *x, const uint8_t *y, size_t n, float *factor);
void rci_product_make(uint8_t *x, const uint8_t *y, size_t n, float factor);

struct packed_plan {
    Onnx__ModelProto *model;      /* without the weights that are packed */
    struct packed_tensor *tensor; /* from rci_alloc */
    uint32_t n_tensors;
    uint64_t graph_bytes;
};
/* Graph and table of tensors; the message lives in `arena`. */
rc_status rci_packed_plan(struct packed_plan *out, const struct packed_file *p,
                          struct rci_arena *arena);
#endif
