#ifndef RC_LIB_DATA_NPY_H
#define RC_LIB_DATA_NPY_H
/* NumPy arrays: bytes <-> shape and values. */
#include "base/file.h"
#include "tensor/tensor.h"

struct rci_npy {
    char kind;     /* 'f' real, 'i' signed, 'u' unsigned, 'b' boolean */
    uint32_t item; /* bytes per element */
    bool big_endian;
    struct rci_shape shape;
    int64_t count;
    const uint8_t *data; /* inside the parsed bytes */
};

/* Versions 1 to 3; refused: objects, structures, texts, complex, Fortran order, rank over 8, and
 * sizes other than the bytes that follow. `what` starts every message. */
rc_status rci_npy_parse(struct rci_npy *out, const uint8_t *bytes, size_t size, const char *what);
void rci_npy_to_f32(const struct rci_npy *a, float *out);
int64_t rci_npy_integer(const struct rci_npy *a, int64_t index); /* kinds i, u, b; saturates */

rc_status rci_npy_read_shape(struct rc_context *c, const char *path, int64_t *dims, uint64_t *rank);
rc_status rci_npy_read(struct rc_context *c, const char *path, float *values, uint64_t count);
rc_status rci_npy_write(struct rc_context *c, const char *path, const float *values,
                        const struct rci_shape *shape);
#endif
