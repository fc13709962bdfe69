#ifndef RC_LIB_WIRE_OUTLINE_H
#define RC_LIB_WIRE_OUTLINE_H
/* An ONNX file without the large raw_data of its initializers, and where those bytes are: weights
 * then go from the file into their tensors without ever being in memory twice. */
#include "base/file.h"

struct rci_outline_piece {
    uint64_t at; /* in the file */
    size_t size;
    uint32_t initializer; /* graph.initializer[this].raw_data */
};

struct rci_outline {
    struct rci_buffer model;
    struct rci_outline_piece *piece;
    uint32_t n, capacity;
};

/* RC_OK with n = 0: nothing large is in the file, or its bytes are not a well-formed message; read
 * it whole, which says what is wrong. */
rc_status rci_outline_read(struct rci_outline *o, const struct rci_file *f, struct rc_context *c);
void rci_outline_free(struct rci_outline *o);
#endif
