/* The first of the vector code: one source, compiled once per instruction set by the files that
 * include it. They define LANES (floats per vector), FMA(a, b, c) = a * b + c, BROADCAST(x), ROWS
 * (of a register block: ROWS x 2 accumulators, two weights and one broadcast must fit the
 * registers), ROWS_1 (more rows with one accumulator: more chains of sums), TAIL (a type: the first
 * lanes of a vector), TAIL_OF(n), LOAD_TAIL(p, tail) with zeros behind, STORE_TAIL(p, tail, v),
 * NAME(f) and SET_NAME. No include guard on purpose.
 *
 * Activations are floats, and so is what is multiplied, unless a file says otherwise: then it
 * defines all of the following. Products multiply and add words of 32 bits, WORD numbers in each.
 */
#include "kernel/vector/vector.h"

#ifndef ELEM
#define ELEM float
#define WORD 1
#define LOAD_WHOLE(p) NAME(load)(p)
#define STORE_WHOLE(p, v) NAME(store)((p), (v))
/* To words of one tile, or to the first or the second halves of those of two tiles. */
#define STORE_WORDS(p, v, half) ((void) (half), NAME(store)((p), (v)))
#define MAC(x, w, acc) FMA(x, w, acc)
/* Winograd's interpolation points are 0, P, -P, Q, -Q and infinity. */
#define P 1.0f
#define Q 2.0f
#endif

typedef float NAME(vec) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t NAME(bits) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define VEC NAME(vec)
#define INLINE static inline __attribute__((always_inline))

INLINE VEC NAME(load)(const float *p)
{
    return *(const VEC *) p;
}

INLINE void NAME(store)(float *p, VEC v)
{
    *(VEC *) p = v;
}

/* The whole vector or, where `part`, its first lanes. `part` is a constant in the hot loops. */
INLINE VEC NAME(load_part)(const ELEM *p, const bool part, TAIL tail)
{
    return part ? (VEC) LOAD_TAIL(p, tail) : (VEC) LOAD_WHOLE(p);
}

INLINE void NAME(store_part)(ELEM *p, VEC v, const bool part, TAIL tail)
{
    if (part)
        STORE_TAIL(p, tail, v);
    else
        STORE_WHOLE(p, v);
}

/* f * a + b, and f * a, of a constant f: transforms are as many operations as the products where
 * channels are few. */
INLINE VEC NAME(times)(const float f, VEC a, VEC b)
{
    if (f == 1.0f)
        return a + b;
    if (f == -1.0f)
        return b - a;
    return (VEC) FMA(BROADCAST(f), a, b);
}

INLINE VEC NAME(scaled)(const float f, VEC a)
{
    if (f == 1.0f)
        return a;
    return f * a;
}

/* acc[rows][q vectors] += u[rows][n] * w[q][n][LANES] of n words, rows `step` apart and vectors of
 * weights `second`; rows and q are constants where this is used. `next` are the weights that come
 * after these, or NULL: with few tiles a layer is as fast as its weights arrive. */
INLINE void NAME(accumulate)(VEC (*acc)[2], const float *u, int64_t step, int64_t n, const float *w,
                             int64_t second, const float *next, const int rows, const int q)
{
    const float *third[(ROWS_1 + 2) / 3]; /* every third row: p[0], p[step] and p[2 * step] need
                                             no registers */
#pragma GCC unroll 8
    for (int r = 0; r < rows; r += 3)
        third[r / 3] = u + r * step;
    for (int64_t i = 0; i < n; i++) {
        const VEC w0 = NAME(load)(w + i * LANES);
        const VEC w1 = q > 1 ? NAME(load)(w + second + i * LANES) : (VEC){0};
        if (next)
            for (int x = 0; x < q * LANES; x += 16) /* cache lines */
                __builtin_prefetch(next + i * q * LANES + x, 0, 2);
#pragma GCC unroll 24
        for (int r = 0; r < rows; r++) {
            const VEC x = BROADCAST(third[r / 3][r % 3 * step]);
            acc[r][0] = (VEC) MAC(x, w0, acc[r][0]);
            if (q > 1)
                acc[r][1] = (VEC) MAC(x, w1, acc[r][1]);
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; r += 3)
            third[r / 3]++;
    }
}

/* One pixel's vector of channels, with what is fused. */
INLINE void NAME(put)(ELEM *p, VEC v, bool sum, bool relu, const bool part, TAIL tail)
{
    if (sum)
        v += NAME(load_part)(p, part, tail);
    if (relu)
        v = (VEC) (~(v < 0.0f) & (NAME(bits)) v); /* NaN stays */
    NAME(store_part)(p, v, part, tail);
}
