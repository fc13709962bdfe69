/* The first of the vector code: one source, compiled once per instruction set by the files that
 * include it. They define LANES (floats per vector), FMA(a, b, c) = a * b + c, BROADCAST(x), ROWS
 * (of a register block: ROWS x 2 accumulators, two weights and one broadcast must fit the
 * registers), ROWS_1 (more rows with one accumulator: more chains of sums), TAIL (a type: the first
 * lanes of a vector), TAIL_OF(n), LOAD_TAIL(p, tail) with zeros behind, STORE_TAIL(p, tail, v),
 * NAME(f) and SET_NAME. No include guard on purpose. */
#include "kernel/vector.h"

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
INLINE VEC NAME(load_part)(const float *p, const bool part, TAIL tail)
{
    return part ? (VEC) LOAD_TAIL(p, tail) : NAME(load)(p);
}

INLINE void NAME(store_part)(float *p, VEC v, const bool part, TAIL tail)
{
    if (part)
        STORE_TAIL(p, tail, v);
    else
        NAME(store)(p, v);
}

/* f * a + b: transforms are as many operations as the products where channels are few. */
#define TIMES(f, a, b) FMA(BROADCAST(f), a, b)

/* acc[rows][q vectors] += u[rows][n] * w[q][n][LANES], rows `step` apart and vectors of weights
 * `second`; rows and q are constants where this is used. `next` are the weights that come after
 * these, or NULL: with few tiles a layer is as fast as its weights arrive. */
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
            acc[r][0] = FMA(x, w0, acc[r][0]);
            if (q > 1)
                acc[r][1] = FMA(x, w1, acc[r][1]);
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; r += 3)
            third[r / 3]++;
    }
}

/* One pixel's vector of channels, with what is fused. */
INLINE void NAME(put)(float *p, VEC v, bool sum, bool relu, const bool part, TAIL tail)
{
    if (sum)
        v += NAME(load_part)(p, part, tail);
    if (relu)
        v = (VEC) (~(v < 0.0f) & (NAME(bits)) v); /* NaN stays */
    NAME(store_part)(p, v, part, tail);
}
