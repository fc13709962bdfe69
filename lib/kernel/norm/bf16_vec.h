#ifndef RC_LIB_KERNEL_NORM_BF16_VEC_H
#define RC_LIB_KERNEL_NORM_BF16_VEC_H
/* Vectors of 16 floats that are bfloat16 in memory. The compiler makes them of whatever the
 * function around has; all give the same bits. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16 };

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef uint32_t bits __attribute__((vector_size(LANES * sizeof(uint32_t))));
typedef uint16_t half __attribute__((vector_size(LANES * sizeof(uint16_t))));

#define BODY static inline __attribute__((always_inline))
#if defined(__x86_64__)
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,prefer-vector-width=512")))
#endif

BODY void widen(vec *v, const half *h)
{
    *v = (vec) (__builtin_convertvector(*h, bits) << 16);
}

/* To nearest, ties to even; a NaN stays one. */
BODY void narrow(half *h, const vec *v)
{
    bits b = (bits) *v;
    const bits nan = (bits) (*v != *v);
    b += 0x7fffu + ((b >> 16) & 1u);
    b = (b & ~nan) | (nan & 0x7fc00000u);
    *h = __builtin_convertvector(b >> 16, half);
}

BODY void load(vec *v, const uint16_t *from)
{
    half h;
    memcpy(&h, from, sizeof(h));
    widen(v, &h);
}

BODY void store(uint16_t *to, const vec *v)
{
    half h;
    narrow(&h, v);
    memcpy(to, &h, sizeof(h));
}

/* The first n lanes; the others are zero. */
BODY void load_part(vec *v, const uint16_t *from, size_t n)
{
    half h = {0};
    memcpy(&h, from, n * sizeof(*from));
    widen(v, &h);
}

BODY void store_part(uint16_t *to, const vec *v, size_t n)
{
    half h;
    narrow(&h, v);
    memcpy(to, &h, n * sizeof(*to));
}
#endif
