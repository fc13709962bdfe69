/* TensorProto <-> row-major array. Elements come either as little-endian bytes (raw_data) or in a
 * typed field; exactly one of them, and exactly as many as dims say. */
#include "tensor/half.h"
#include "wire/onnx.h"

#include <math.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LITTLE_ENDIAN_HOST 0
#else
#define LITTLE_ENDIAN_HOST 1
#endif

static const struct {
    const char *name;
    enum rci_dtype dtype;
} types[] = {
    [ONNX_FLOAT] = {"FLOAT", RC_F32},
    [ONNX_UINT8] = {"UINT8", RC_U8},
    [ONNX_INT8] = {"INT8", RC_S8},
    [4] = {"UINT16", 0},
    [5] = {"INT16", 0},
    [ONNX_INT32] = {"INT32", RC_I32},
    [ONNX_INT64] = {"INT64", RC_I64},
    [8] = {"STRING", 0},
    [ONNX_BOOL] = {"BOOL", RC_BOOL},
    [ONNX_FLOAT16] = {"FLOAT16", RC_F16},
    [ONNX_DOUBLE] = {"DOUBLE", RC_F64},
    [12] = {"UINT32", 0},
    [13] = {"UINT64", 0},
    [14] = {"COMPLEX64", 0},
    [15] = {"COMPLEX128", 0},
    [ONNX_BFLOAT16] = {"BFLOAT16", RC_BF16},
    [17] = {"FLOAT8E4M3FN", 0},
    [18] = {"FLOAT8E4M3FNUZ", 0},
    [19] = {"FLOAT8E5M2", 0},
    [20] = {"FLOAT8E5M2FNUZ", 0},
    [ONNX_UINT4] = {"UINT4", RC_U4},
    [ONNX_INT4] = {"INT4", RC_S4},
    [23] = {"FLOAT4E2M1", 0},
    [24] = {"FLOAT8E8M0", 0},
    [ONNX_UINT2] = {"UINT2", RC_U2},
    [ONNX_INT2] = {"INT2", RC_S2},
};
enum { TYPES = sizeof(types) / sizeof(types[0]) };

static enum rci_dtype file_type(int32_t onnx)
{
    return onnx > 0 && onnx < TYPES ? types[onnx].dtype : (enum rci_dtype) 0;
}

enum rci_dtype rci_onnx_storage(int32_t onnx)
{
    const enum rci_dtype t = file_type(onnx);
    return t == RC_F16 || t == RC_BF16 || t == RC_F64 || rci_dtype_narrow_bits(t)
               ? t
               : (enum rci_dtype) 0;
}

enum rci_dtype rci_onnx_dtype(int32_t onnx)
{
    const enum rci_dtype t = rci_onnx_storage(onnx);
    if (t && rci_dtype_narrow_bits(t))
        return rci_dtype_carrier(t);
    return t ? RC_F32 : file_type(onnx);
}

const char *rci_onnx_dtype_name(int32_t onnx)
{
    return onnx > 0 && onnx < TYPES ? types[onnx].name : "unknown";
}

int32_t rci_onnx_dtype_number(enum rci_dtype t)
{
    for (int32_t i = 1; i < TYPES; i++)
        if (types[i].dtype == t)
            return i;
    return 0;
}

static rc_status tensor_shape(struct rci_tensor *out, const Onnx__TensorProto *t, const char *what)
{
    out->dtype = rci_onnx_dtype(t->data_type);
    if (t->data_type == 0)
        return rci_fail(RC_ERR_MODEL, "%s: tensor without data type", what);
    if (!out->dtype)
        return rci_fail(RC_ERR_UNSUPPORTED, "%s: data type %d (%s) is not supported", what,
                        (int) t->data_type, rci_onnx_dtype_name(t->data_type));
    if (t->n_dims > RC_MAX_DIMS)
        return rci_fail(RC_ERR_MODEL, "%s: tensor of %zu dimensions, at most %d", what, t->n_dims,
                        RC_MAX_DIMS);
    out->shape = rci_shape_make((uint32_t) t->n_dims, t->dims);
    /* an empty list is how a scalar's shape is written, and operands of Resize that say nothing */
    const int64_t least = t->n_dims == 1 ? 0 : 1;
    for (size_t i = 0; i < t->n_dims; i++)
        if (t->dims[i] < least || t->dims[i] > INT32_MAX)
            return rci_fail(RC_ERR_MODEL, "%s: tensor size: dims[%zu] is %lld, allowed %d..%d",
                            what, i, (long long) t->dims[i], (int) least, INT32_MAX);
    int64_t count;
    if (!rci_shape_count_checked(&out->shape, &count) || count > INT32_MAX)
        return rci_fail(RC_ERR_MODEL, "%s: tensor size: more than %d elements", what, INT32_MAX);
    return RC_OK;
}

/* How many elements each typed field holds, and which one this type must use. */
static rc_status tensor_source(const Onnx__TensorProto *t, const char *what, size_t *n_typed)
{
    const enum rci_dtype d = file_type(t->data_type);
    const bool small = d == RC_U8 || d == RC_S8 || d == RC_BOOL || d == RC_F16 || d == RC_BF16 ||
                       rci_dtype_narrow_bits(d);
    const struct {
        const char *name;
        size_t n;
        bool mine;
    } field[] = {
        {"float_data", t->n_float_data, d == RC_F32},
        {"int32_data", t->n_int32_data, d == RC_I32 || small},
        {"int64_data", t->n_int64_data, d == RC_I64},
        {"double_data", t->n_double_data, d == RC_F64},
        {"uint64_data", t->n_uint64_data, false},
        {"string_data", t->n_string_data, false},
    };
    *n_typed = 0;
    for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
        if (!field[i].n)
            continue;
        if (t->has_raw_data)
            return rci_fail(RC_ERR_MODEL, "%s: both raw_data and %s", what, field[i].name);
        if (!field[i].mine)
            return rci_fail(RC_ERR_MODEL, "%s: %s does not belong to type %s", what, field[i].name,
                            rci_dtype_name(d));
        *n_typed = field[i].n;
    }
    return RC_OK;
}

static void tensor_copy_le(void *to, const uint8_t *from, size_t count, size_t width)
{
#if !LITTLE_ENDIAN_HOST
    uint8_t *p = to;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < width; k++)
            p[i * width + k] = from[i * width + width - 1 - k];
#else
    if (count)
        memcpy(to, from, count * width);
#endif
}

/* 8- and 16-bit types are numbers of their own in int32_data, 16-bit reals as bits. */
static rc_status tensor_copy_small(void *to, enum rci_dtype d, const int32_t *from, size_t n,
                                   const char *what)
{
    const bool bits = d == RC_F16 || d == RC_BF16;
    const int32_t low = d == RC_S8 ? -128 : 0;
    const int32_t high = bits ? 65535 : d == RC_S8 ? 127 : d == RC_U8 ? 255 : 1;
    for (size_t i = 0; i < n; i++) {
        const int32_t v = from[i];
        if (v < low || v > high)
            return rci_fail(RC_ERR_MODEL, "%s: element %zu is %d, allowed %d..%d", what, i, (int) v,
                            (int) low, (int) high);
        if (bits)
            ((uint16_t *) to)[i] = (uint16_t) v;
        else
            ((uint8_t *) to)[i] = (uint8_t) v;
    }
    return RC_OK;
}

static rc_status tensor_copy_typed(void *to, enum rci_dtype d, const Onnx__TensorProto *t, size_t n,
                                   const char *what)
{
    const void *from = d == RC_F32   ? (const void *) t->float_data
                       : d == RC_I32 ? (const void *) t->int32_data
                       : d == RC_F64 ? (const void *) t->double_data
                       : d == RC_I64 ? (const void *) t->int64_data
                                     : NULL;
    if (n == 0)
        return RC_OK;
    if (!from)
        return tensor_copy_small(to, d, t->int32_data, n, what);
    memcpy(to, from, n * rci_dtype_size(d));
    return RC_OK;
}

/* All bits of the exponent set. */
static bool floats_finite(const float *x, int64_t n)
{
    enum { PARALLEL = 1 << 16 }; /* floats */
    uint32_t bad = 0;
#pragma omp parallel for schedule(static) reduction(| : bad) if (n > PARALLEL)
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof(bits));
        bad |= (bits & UINT32_C(0x7f800000)) == UINT32_C(0x7f800000);
    }
    return !bad;
}

/* NaN is never a weight. Infinity may be a bound or a padding value, so a scalar may hold it. */
static rc_status tensor_finite(const struct rci_tensor *t, int64_t n, const char *what)
{
    const float *x = t->data;
    if (t->dtype != RC_F32 || floats_finite(x, n))
        return RC_OK;
    for (int64_t i = 0; i < n; i++)
        if (isnan(x[i]) || (isinf(x[i]) && t->shape.rank > 0))
            return rci_fail(RC_ERR_MODEL, "%s: element %lld is %s; weights must be finite", what,
                            (long long) i, isnan(x[i]) ? "NaN" : "infinite");
    return RC_OK;
}

/* The elements in the file's type, into memory of their own. */
static rc_status tensor_bytes(void **to, struct rc_context *c, struct rci_arena *a,
                              const Onnx__TensorProto *t, size_t count, const char *what)
{
    const enum rci_dtype d = file_type(t->data_type);
    const size_t width = rci_dtype_size(d);
    size_t typed;
    RC_TRY(tensor_source(t, what, &typed));
    if (t->has_raw_data && t->raw_data.len != count * width)
        return rci_fail(RC_ERR_MODEL, "%s: raw_data has %zu bytes, dims and type need %zu", what,
                        t->raw_data.len, count * width);
    if (!t->has_raw_data && typed != count)
        return rci_fail(RC_ERR_MODEL, "%s: %zu elements given, dims need %zu", what, typed, count);
    if (LITTLE_ENDIAN_HOST && a && t->has_raw_data && rci_arena_take(a, t->raw_data.data)) {
        *to = t->raw_data.data;
        return RC_OK;
    }
    if (!(*to = rci_alloc_array(c, count, width)))
        return RC_ERR_MEMORY;
    if (!t->has_raw_data)
        return tensor_copy_typed(*to, d, t, typed, what);
    tensor_copy_le(*to, t->raw_data.data, count, width);
    return RC_OK;
}

static rc_status tensor_convert(struct rci_tensor *t, struct rc_context *c, enum rci_dtype from,
                                size_t count)
{
    float *x = rci_alloc(c, count * sizeof(*x));
    if (!x)
        return RC_ERR_MEMORY;
    rci_real_to_f32(x, t->data, from, count);
    rci_release(t->data);
    t->data = x;
    return RC_OK;
}

/* Allocates only after the file was seen to hold as many bytes as dims ask for. */
static rc_status tensor_fill(struct rci_tensor *out, struct rc_context *c, struct rci_arena *a,
                             const Onnx__TensorProto *t, int64_t count, const char *what)
{
    const enum rci_dtype storage = rci_onnx_storage(t->data_type);
    size_t typed;
    if (storage && rci_dtype_narrow_bits(storage)) {
        RC_TRY(tensor_source(t, what, &typed));
        return rci_onnx_narrow_read(&out->data, c, t, storage, (size_t) count, what);
    }
    RC_TRY(tensor_bytes(&out->data, c, a, t, (size_t) count, what));
    if (storage)
        RC_TRY(tensor_convert(out, c, storage, (size_t) count));
    if (out->dtype == RC_BOOL)
        for (int64_t i = 0; i < count; i++)
            ((uint8_t *) out->data)[i] = ((uint8_t *) out->data)[i] != 0;
    return tensor_finite(out, count, what);
}

static rc_status tensor_read(struct rci_tensor *out, struct rc_context *c, struct rci_arena *a,
                             const Onnx__TensorProto *t, const char *what)
{
    *out = (struct rci_tensor){0};
    if (t->n_external_data || t->data_location == 1)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "%s: data in an external file is not supported; save the model as one file",
                        what);
    if (t->has_segment)
        return rci_fail(RC_ERR_UNSUPPORTED, "%s: tensor in segments is not supported", what);
    RC_TRY(tensor_shape(out, t, what));
    const int64_t count = rci_shape_count(&out->shape);
    const rc_status st = tensor_fill(out, c, a, t, count, what);
    if (st != RC_OK)
        rci_tensor_free(out);
    return st;
}

rc_status rci_onnx_tensor_read(struct rci_tensor *out, struct rc_context *c,
                               const Onnx__TensorProto *t, const char *what)
{
    return tensor_read(out, c, NULL, t, what);
}

rc_status rci_onnx_tensor_take(struct rci_tensor *out, struct rci_arena *a,
                               const Onnx__TensorProto *t, const char *what)
{
    return tensor_read(out, a->ctx, a, t, what);
}

static rc_status tensor_narrow(Onnx__TensorProto *p, struct rci_arena *a,
                               const struct rci_tensor *t, enum rci_dtype type, size_t count)
{
    if (!(p->raw_data.data = rci_arena_alloc(a, p->raw_data.len)))
        return a->status;
    const size_t bad = rci_real_from_f32(p->raw_data.data, t->data, type, count);
    if (bad == SIZE_MAX)
        return RC_OK;
    return rci_fail(RC_ERR_UNSUPPORTED, "constant \"%.200s\": element %zu is %g, too large for %s",
                    rci_onnx_text(p->name), bad, (double) ((const float *) t->data)[bad],
                    rci_dtype_name(type));
}

rc_status rci_onnx_tensor_write(Onnx__TensorProto **out, struct rci_arena *a, const char *name,
                                const struct rci_tensor *t, enum rci_dtype storage)
{
    Onnx__TensorProto *p = rci_arena_alloc(a, sizeof(*p));
    if (!p)
        return a->status;
    onnx__tensor_proto__init(p);
    const size_t count = (size_t) rci_shape_count(&t->shape);
    p->n_dims = t->shape.rank;
    p->dims = rci_arena_array(a, p->n_dims, sizeof(*p->dims));
    p->name = name ? rci_arena_strdup(a, name) : NULL;
    if (!p->dims || (name && !p->name))
        return a->status;
    memcpy(p->dims, t->shape.dim, p->n_dims * sizeof(*p->dims));
    const bool narrow = rci_dtype_narrow_bits(storage) && rci_dtype_carrier(storage) == t->dtype;
    const enum rci_dtype type = narrow || (storage && t->dtype == RC_F32) ? storage : t->dtype;
    p->has_data_type = 1;
    p->data_type = rci_onnx_dtype_number(type);
    p->has_raw_data = 1;
    p->raw_data.len = count * rci_dtype_size(type);
    p->raw_data.data = t->data;
    if (narrow)
        RC_TRY(rci_onnx_narrow_write(p, a, type, t->data, count));
    else if (type != t->dtype)
        RC_TRY(tensor_narrow(p, a, t, type, count));
#if !LITTLE_ENDIAN_HOST
    const void *native = p->raw_data.data;
    if (!(p->raw_data.data = rci_arena_alloc(a, p->raw_data.len)))
        return a->status;
    tensor_copy_le(p->raw_data.data, native, count, rci_dtype_size(type));
#endif
    *out = p;
    return RC_OK;
}
