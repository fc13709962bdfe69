#ifndef RC_LIB_WIRE_ONNX_H
#define RC_LIB_WIRE_ONNX_H
/* ONNX messages: reading a whole file safely, tensors both ways, and what attr.h hides. */
#include "tensor/tensor.h"
#include "wire/arena.h"
#include "wire/attr.h"

#include "onnx.pb-c.h"

enum { /* TensorProto.DataType */
       ONNX_FLOAT = 1,
       ONNX_UINT8 = 2,
       ONNX_INT8 = 3,
       ONNX_INT32 = 6,
       ONNX_INT64 = 7,
       ONNX_BOOL = 9,
       ONNX_FLOAT16 = 10,
       ONNX_DOUBLE = 11,
       ONNX_BFLOAT16 = 16,
       ONNX_UINT4 = 21,
       ONNX_INT4 = 22,
       ONNX_UINT2 = 25,
       ONNX_INT2 = 26
};
enum { /* AttributeProto.AttributeType */
       ONNX_ATTR_FLOAT = 1,
       ONNX_ATTR_INT = 2,
       ONNX_ATTR_STRING = 3,
       ONNX_ATTR_TENSOR = 4,
       ONNX_ATTR_GRAPH = 5,
       ONNX_ATTR_FLOATS = 6,
       ONNX_ATTR_INTS = 7,
       ONNX_ATTR_GRAPHS = 10
};

/* Scan, then unpack with memory from `arena` (zeroed by the caller but for ctx), whose cap is set
 * here. The message lives until rci_arena_free(). */
rc_status rci_onnx_read(Onnx__ModelProto **out, struct rci_arena *arena, const uint8_t *data,
                       size_t size);
/* Bytes of a message; *bytes from rci_alloc. */
rc_status rci_onnx_write(uint8_t **bytes, size_t *size, struct rc_context *c,
                        const Onnx__ModelProto *m);

static inline const char *rci_onnx_text(const char *s)
{
    return s ? s : "";
}

/* What values of a file's type are computed in, f32 for all reals; 0 when this library has no such
 * type. */
enum rci_dtype rci_onnx_dtype(int32_t onnx);
/* f16, bf16 or f64 for types that are converted to f32, s4, u4, s2 or u2 for those that take a byte
 * here, else 0. */
enum rci_dtype rci_onnx_storage(int32_t onnx);
int32_t rci_onnx_dtype_number(enum rci_dtype t);
const char *rci_onnx_dtype_name(int32_t onnx); /* "FLOAT16", also for types that are refused */

/* All checks of type, dims, lengths and values; `what` starts the messages. */
rc_status rci_onnx_tensor_read(struct rci_tensor *out, struct rc_context *c,
                              const Onnx__TensorProto *t, const char *what);
/* The same for a message in arena `a`, whose large raw_data becomes the tensor without a copy; the
 * message must not be read again. */
rc_status rci_onnx_tensor_take(struct rci_tensor *out, struct rci_arena *a,
                              const Onnx__TensorProto *t, const char *what);
/* The same for elements of less than a byte, into bytes of their own (narrow.c). */
rc_status rci_onnx_narrow_read(void **out, struct rc_context *c, const Onnx__TensorProto *t,
                               enum rci_dtype type, size_t count, const char *what);
rc_status rci_onnx_narrow_write(Onnx__TensorProto *to, struct rci_arena *a, enum rci_dtype type,
                                const uint8_t *from, size_t count);
/* raw_data points at the tensor's own bytes where it can. f32 is written as `storage` (0: f32);
 * RC_ERR_UNSUPPORTED names an element that does not fit. */
rc_status rci_onnx_tensor_write(Onnx__TensorProto **out, struct rci_arena *a, const char *name,
                                const struct rci_tensor *t, enum rci_dtype storage);

/* --- behind attr.h --- */
struct rci_attrs {
    const Onnx__NodeProto *node;
    const char *name; /* node name for messages */
    int64_t opset;
    bool *used;             /* one per attribute */
    struct rci_arena *arena; /* for strings */
};

struct rci_attr_operand {
    uint32_t index;
    Onnx__TensorProto *tensor;
};
enum { RC_MAX_PUT = 16 };
struct rci_attr_write {
    struct rci_arena *arena;
    const char *name; /* node name */
    int64_t opset;
    enum rci_dtype storage; /* of all f32 of the model; 0: f32 */
    Onnx__AttributeProto *attr[RC_MAX_PUT];
    uint32_t n_attr;
    struct rci_attr_operand operand[RC_MAX_PUT];
    uint32_t n_operands;
};
#endif
