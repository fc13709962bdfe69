#ifndef RC_LIB_TENSOR_TENSOR_H
#define RC_LIB_TENSOR_TENSOR_H
/* Data types, shapes and dense row-major arrays. */
#include "base/context.h"

enum { RC_MAX_DIMS = 8 };

/* Frozen numbers: they appear in the packed file. */
enum rci_dtype {
    RC_F32 = 1,
    RC_I64 = 2,
    RC_I32 = 3,
    RC_U8 = 4,
    RC_S8 = 5,
    RC_BOOL = 6,
    RC_F64 = 7,
    RC_BF16 =
        8, /* the upper half of an f32: layouts inside a plan and storage, never a value's type */
    RC_F16 = 9, /* storage only, as all that follow */
    RC_S4 = 10, /* of s8, two in a byte, the first in its low half */
    RC_U4 = 11, /* of u8 */
    RC_S2 = 12, /* of s8, four in a byte */
    RC_U2 = 13  /* of u8 */
};
/* Of those types: bits of an element, and the type that computes; else 0. */
uint32_t rci_dtype_narrow_bits(enum rci_dtype t);
enum rci_dtype rci_dtype_carrier(enum rci_dtype t);

struct rci_shape {
    uint32_t rank;
    int64_t dim[RC_MAX_DIMS];
};

/* data NULL: shape and type only. Row-major, innermost axis last. */
struct rci_tensor {
    enum rci_dtype dtype;
    struct rci_shape shape;
    void *data;
};

size_t rci_dtype_size(enum rci_dtype t);
const char *rci_dtype_name(enum rci_dtype t); /* "f32", "i64", ... */

/* Elements; shapes are validated on entry to the library, so this cannot overflow. */
static inline int64_t rci_shape_count(const struct rci_shape *s)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < s->rank; i++)
        n *= s->dim[i];
    return n;
}
static inline size_t rci_tensor_bytes(const struct rci_tensor *t)
{
    return (size_t) rci_shape_count(&t->shape) * rci_dtype_size(t->dtype);
}
bool rci_shape_equal(const struct rci_shape *a, const struct rci_shape *b);
/* Elements as above but false when a dim is negative or the product leaves [0, 2^31-1] * 8 bytes.
 */
bool rci_shape_count_checked(const struct rci_shape *s, int64_t *count);
struct rci_shape rci_shape_make(uint32_t rank, const int64_t *dim);
#define RC_SHAPE(...) \
    rci_shape_make(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})
/* "2x3x32x32"; scalar: "scalar". buf of at least RC_SHAPE_TEXT bytes; returns buf. */
enum { RC_SHAPE_TEXT = 176 };
const char *rci_shape_text(const struct rci_shape *s, char *buf);
/* NumPy broadcasting of two shapes. */
bool rci_shape_broadcast(const struct rci_shape *a, const struct rci_shape *b,
                         struct rci_shape *out);
/* Row-major strides in elements; stride 0 on axes where `s` is broadcast to `to`. */
void rci_shape_strides(const struct rci_shape *s, const struct rci_shape *to, int64_t *stride);

/* Allocate (zeroed); free releases data and clears the pointer. */
rc_status rci_tensor_new(struct rci_tensor *t, struct rc_context *c, enum rci_dtype d,
                         const struct rci_shape *s);
rc_status rci_tensor_copy(struct rci_tensor *t, struct rc_context *c,
                          const struct rci_tensor *from);
void rci_tensor_free(struct rci_tensor *t);

/* New tensor with only `index[0..n)` of `axis`, in that order. An index of -1 gives zeros. */
rc_status rci_tensor_gather(struct rci_tensor *out, struct rc_context *c,
                            const struct rci_tensor *t, uint32_t axis, const int32_t *index,
                            uint32_t n);
#endif
