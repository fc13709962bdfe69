/* Integers of 4 and 2 bits <-> bytes: the first of a byte in its lowest bits. */
#include "wire/onnx.h"

#include <string.h>

static size_t narrow_bytes(size_t count, uint32_t bits)
{
    const size_t each = 8 / bits;
    return (count + each - 1) / each;
}

static void narrow_spread(uint8_t *to, const uint8_t *byte, const int32_t *word, size_t count,
                          enum rci_dtype type)
{
    const uint32_t bits = rci_dtype_narrow_bits(type), each = 8 / bits;
    const uint8_t sign = rci_dtype_carrier(type) == RC_S8 ? (uint8_t) (1u << (bits - 1)) : 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t b = byte ? byte[i / each] : (uint32_t) word[i / each];
        const uint8_t v = b >> i % each * bits & ((1u << bits) - 1);
        to[i] = (uint8_t) ((v ^ sign) - sign);
    }
}

rc_status rci_onnx_narrow_read(void **out, struct rc_context *c, const Onnx__TensorProto *t,
                               enum rci_dtype type, size_t count, const char *what)
{
    const size_t bytes = narrow_bytes(count, rci_dtype_narrow_bits(type));
    if (t->has_raw_data && t->raw_data.len != bytes)
        return rci_fail(RC_ERR_MODEL, "%s: raw_data has %zu bytes, dims and type need %zu", what,
                        t->raw_data.len, bytes);
    if (!t->has_raw_data && t->n_int32_data != bytes)
        return rci_fail(RC_ERR_MODEL, "%s: %zu elements given, dims need %zu", what,
                        t->n_int32_data, bytes);
    for (size_t i = 0; !t->has_raw_data && i < bytes; i++)
        if (t->int32_data[i] < 0 || t->int32_data[i] > 255)
            return rci_fail(RC_ERR_MODEL, "%s: element %zu is %d, allowed 0..255", what, i,
                            (int) t->int32_data[i]);
    if (!(*out = rci_alloc(c, count)))
        return RC_ERR_MEMORY;
    narrow_spread(*out, t->has_raw_data ? t->raw_data.data : NULL, t->int32_data, count, type);
    return RC_OK;
}

rc_status rci_onnx_narrow_write(Onnx__TensorProto *to, struct rci_arena *a, enum rci_dtype type,
                                const uint8_t *from, size_t count)
{
    const uint32_t bits = rci_dtype_narrow_bits(type), each = 8 / bits;
    to->raw_data.len = narrow_bytes(count, bits);
    to->raw_data.data = rci_arena_array(a, to->raw_data.len, 1);
    if (!to->raw_data.data)
        return a->status;
    for (size_t i = 0; i < count; i++)
        to->raw_data.data[i / each] |=
            (uint8_t) ((from[i] & ((1u << bits) - 1)) << i % each * bits);
    return RC_OK;
}
