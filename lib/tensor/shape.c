#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

size_t rci_dtype_size(enum rci_dtype t)
{
    switch (t) {
    case RC_F32:
    case RC_I32:
        return 4;
    case RC_I64:
    case RC_F64:
        return 8;
    case RC_BF16:
    case RC_F16:
        return 2;
    case RC_U8:
    case RC_S8:
    case RC_BOOL:
        return 1;
    case RC_S4: /* of a part of a byte; rci_dtype_narrow_bits() */
    case RC_U4:
    case RC_S2:
    case RC_U2:
        return 0;
    }
    return 0;
}

uint32_t rci_dtype_narrow_bits(enum rci_dtype t)
{
    if (t == RC_S4 || t == RC_U4)
        return 4;
    return t == RC_S2 || t == RC_U2 ? 2 : 0;
}

enum rci_dtype rci_dtype_carrier(enum rci_dtype t)
{
    if (t == RC_S4 || t == RC_S2)
        return RC_S8;
    return t == RC_U4 || t == RC_U2 ? RC_U8 : (enum rci_dtype) 0;
}

const char *rci_dtype_name(enum rci_dtype t)
{
    static const char *const names[] = {"none", "f32",  "i64", "i32",  "u8",
                                        "s8",   "bool", "f64", "bf16", "f16",
                                        "s4",   "u4",   "s2",  "u2"};
    return (unsigned) t < sizeof(names) / sizeof(names[0]) ? names[t] : "unknown";
}

bool rci_shape_equal(const struct rci_shape *a, const struct rci_shape *b)
{
    return a->rank == b->rank && !memcmp(a->dim, b->dim, a->rank * sizeof(a->dim[0]));
}

bool rci_shape_count_checked(const struct rci_shape *s, int64_t *count)
{
    int64_t n = 1;
    bool empty = false;
    for (uint32_t i = 0; i < s->rank; i++) {
        empty |= s->dim[i] == 0;
        if (s->dim[i] < 0 || __builtin_mul_overflow(n, s->dim[i] ? s->dim[i] : 1, &n) ||
            n > INT64_C(0x7fffffff))
            return false;
    }
    *count = empty ? 0 : n;
    return true;
}

struct rci_shape rci_shape_make(uint32_t rank, const int64_t *dim)
{
    struct rci_shape s = {rank, {0}};
    if (rank)
        memcpy(s.dim, dim, rank * sizeof(dim[0]));
    return s;
}

const char *rci_shape_text(const struct rci_shape *s, char *buf)
{
    size_t used = 0;
    buf[0] = '\0';
    for (uint32_t i = 0; i < s->rank; i++)
        used += (size_t) snprintf(buf + used, RC_SHAPE_TEXT - used, "%s%lld", i ? "x" : "",
                                  (long long) s->dim[i]);
    if (!s->rank)
        snprintf(buf, RC_SHAPE_TEXT, "scalar");
    return buf;
}

bool rci_shape_broadcast(const struct rci_shape *a, const struct rci_shape *b,
                         struct rci_shape *out)
{
    const uint32_t rank = a->rank > b->rank ? a->rank : b->rank;
    struct rci_shape r = {rank, {0}};
    for (uint32_t i = 0; i < rank; i++) {
        const int64_t p = i < a->rank ? a->dim[a->rank - 1 - i] : 1;
        const int64_t q = i < b->rank ? b->dim[b->rank - 1 - i] : 1;
        if (p != q && p != 1 && q != 1)
            return false;
        r.dim[rank - 1 - i] = p == 1 ? q : p;
    }
    *out = r;
    return true;
}

void rci_shape_strides(const struct rci_shape *s, const struct rci_shape *to, int64_t *stride)
{
    int64_t step = 1;
    for (uint32_t i = 0; i < to->rank; i++) {
        const uint32_t t = to->rank - 1 - i;
        const int64_t d = i < s->rank ? s->dim[s->rank - 1 - i] : 1;
        stride[t] = d == 1 && to->dim[t] != 1 ? 0 : step;
        step *= d;
    }
}
