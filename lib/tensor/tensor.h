#ifndef RC_LIB_TENSOR_TENSOR_H
#define RC_LIB_TENSOR_TENSOR_H
/* Data types, shapes and dense row-major arrays. */
#include "base/context.h"

enum { RC_MAX_DIMS = 8 };

/* Frozen numbers: they appear in the packed file. */
enum rc_dtype {
    RC_F32 = 1,
    RC_I64 = 2,
    RC_I32 = 3,
    RC_U8 = 4,
    RC_S8 = 5,
    RC_BOOL = 6,
    RC_F64 = 7,
    RC_BF16 =
        8 /* the upper half of an f32: memory layouts inside a plan only, never a value's type */
};

struct rc_shape {
    uint32_t rank;
    int64_t dim[RC_MAX_DIMS];
};

/* data NULL: shape and type only. Row-major, innermost axis last. */
struct rc_tensor {
    enum rc_dtype dtype;
    struct rc_shape shape;
    void *data;
};

size_t rc_dtype_size(enum rc_dtype t);
const char *rc_dtype_name(enum rc_dtype t); /* "f32", "i64", ... */

/* Elements; shapes are validated on entry to the library, so this cannot overflow. */
static inline int64_t rc_shape_count(const struct rc_shape *s)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < s->rank; i++)
        n *= s->dim[i];
    return n;
}
static inline size_t rc_tensor_bytes(const struct rc_tensor *t)
{
    return (size_t) rc_shape_count(&t->shape) * rc_dtype_size(t->dtype);
}
bool rc_shape_equal(const struct rc_shape *a, const struct rc_shape *b);
/* Elements as above but false when a dim is negative or the product leaves [0, 2^31-1] * 8 bytes.
 */
bool rc_shape_count_checked(const struct rc_shape *s, int64_t *count);
struct rc_shape rc_shape_make(uint32_t rank, const int64_t *dim);
#define RC_SHAPE(...) \
    rc_shape_make(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})
/* "2x3x32x32"; scalar: "scalar". buf of at least RC_SHAPE_TEXT bytes; returns buf. */
enum { RC_SHAPE_TEXT = 176 };
const char *rc_shape_text(const struct rc_shape *s, char *buf);
/* NumPy broadcasting of two shapes. */
bool rc_shape_broadcast(const struct rc_shape *a, const struct rc_shape *b, struct rc_shape *out);
/* Row-major strides in elements; stride 0 on axes where `s` is broadcast to `to`. */
void rc_shape_strides(const struct rc_shape *s, const struct rc_shape *to, int64_t *stride);

/* Allocate (zeroed); free releases data and clears the pointer. */
rc_status rc_tensor_new(struct rc_tensor *t, struct rc_context *c, enum rc_dtype d,
                        const struct rc_shape *s);
rc_status rc_tensor_copy(struct rc_tensor *t, struct rc_context *c, const struct rc_tensor *from);
void rc_tensor_free(struct rc_tensor *t);

/* New tensor with only `index[0..n)` of `axis`, in that order. An index of -1 gives zeros. */
rc_status rc_tensor_gather(struct rc_tensor *out, struct rc_context *c, const struct rc_tensor *t,
                           uint32_t axis, const int32_t *index, uint32_t n);
#endif
