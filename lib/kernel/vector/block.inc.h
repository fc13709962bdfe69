/* The first of the vector code: one source, compiled once per instruction set by the files that
 * include it. They define LANES (floats per vector), FMA(a, b, c) = a * b + c, BROADCAST(x), ROWS
 * (of a register block: ROWS x 2 accumulators, two weights and one broadcast must fit the
 * registers), ROWS_1 (more rows with one accumulator: more chains of sums), TAIL (a type: the first
 * lanes of a vector), MAX(a, b) that is b where one is NaN, TAIL_OF(n), LOAD_TAIL(p, tail) with
 * zeros behind, STORE_TAIL(p, tail, v), NAME(f) and SET_NAME. No include guard on purpose.
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
/* acc += x * w in place: GCC 12 moves sums among registers, or to memory, if told so by intrinsics
 * in loops with as many sums as registers allow. */
#define ADD_MAC(acc, x, w) __asm__("vfmadd231ps %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w))
/* Winograd's interpolation points are 0, P, -P, Q, -Q and infinity. */
#define P 1.0f
#define Q 2.0f
#endif

typedef float NAME(vec) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define VEC NAME(vec)
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

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

/* Rows of a register block, as EACH_ROW(X) with X(row, row / 3, row % 3). Sums are variables of
 * their own, not an array: GCC 12 keeps an array that a loop indexes in memory and writes it back
 * in every turn. */
#define EACH_ROW(X) \
    X(0, 0, 0)      \
    X(1, 0, 1)      \
    X(2, 0, 2)      \
    X(3, 1, 0)      \
    X(4, 1, 1)      \
    X(5, 1, 2)      \
    X(6, 2, 0)      \
    X(7, 2, 1)      \
    X(8, 2, 2)      \
    X(9, 3, 0)      \
    X(10, 3, 1)     \
    X(11, 3, 2)     \
    X(12, 4, 0)     \
    X(13, 4, 1)     \
    X(14, 4, 2)     \
    X(15, 5, 0)     \
    X(16, 5, 1)     \
    X(17, 5, 2)     \
    X(18, 6, 0)     \
    X(19, 6, 1)     \
    X(20, 6, 2)     \
    X(21, 7, 0)     \
    X(22, 7, 1)     \
    X(23, 7, 2)

/* A register block: to[rows][q vectors] = bias[q] + sum over `windows` rows y of input and `n`
 * words i of u[y * line + row * step + i] * w[y][i][LANES]; vectors of weights lie `second` apart,
 * rows of the result `to_step`. `next` are the weights that come after these, or NULL: with few
 * tiles a layer is as fast as its weights arrive. rows and q are constants where this is used. */
struct NAME(block) {
    const float *u, *w, *next, *bias;
    int64_t line, windows, step, n, second, to_step;
    float *to;
};

INLINE void NAME(block_sum)(const struct NAME(block) b, const int rows, const int q)
{
    const VEC bias0 = b.bias ? NAME(load)(b.bias) : (VEC){0};
    const VEC bias1 = b.bias && q > 1 ? NAME(load)(b.bias + LANES) : (VEC){0};
    const float *u = b.u, *w = b.w;
#define ROW(r, third, rest) VEC s##r = bias0, t##r = bias1;
    EACH_ROW(ROW)
#undef ROW
    for (int64_t y = b.windows; y > 0; y--) {
        /* every third row: p[0], p[step] and p[2 * step] need no registers of their own */
        const float *p0 = u, *p1 = u + 3 * b.step, *p2 = u + 6 * b.step, *p3 = u + 9 * b.step;
        const float *p4 = u + 12 * b.step, *p5 = u + 15 * b.step, *p6 = u + 18 * b.step;
        const float *p7 = u + 21 * b.step;
#if ROWS == 6 /* where few sums share what a turn costs beside them */
#pragma GCC unroll 2
#endif
        for (int64_t i = 0; i < b.n; i++) {
            const VEC w0 = NAME(load)(w + i * LANES);
            const VEC w1 = q > 1 ? NAME(load)(w + b.second + i * LANES) : (VEC){0};
            if (b.next)
                for (int x = 0; x < q * LANES; x += 16) /* cache lines */
                    __builtin_prefetch(b.next + i * q * LANES + x, 0, 2);
#define ROW(r, third, rest)                                   \
    if (r < rows) {                                           \
        const VEC x = BROADCAST(p##third[i + rest * b.step]); \
        ADD_MAC(s##r, x, w0);                                 \
        if (q > 1) {                                          \
            ADD_MAC(t##r, x, w1);                             \
        }                                                     \
    }
            EACH_ROW(ROW)
#undef ROW
        }
        u += b.line;
        w += b.n * LANES;
    }
#define ROW(r, third, rest)                                  \
    if (r < rows) {                                          \
        NAME(store)(b.to + r * b.to_step, s##r);             \
        if (q > 1)                                           \
            NAME(store)(b.to + r * b.to_step + LANES, t##r); \
    }
    EACH_ROW(ROW)
#undef ROW
}

/* The same for a number of rows that is not known before: at most ROWS, or ROWS_1 of one vector. */
#define ROW(r, third, rest)                                     \
    case r + 1:                                                 \
        if (r < (q > 1 ? ROWS : ROWS_1))                        \
            NAME(block_sum)(b, r < ROWS_1 ? r + 1 : ROWS_1, q); \
        return;
INLINE void NAME(block_rows)(const struct NAME(block) b, int64_t rows, const int q)
{
    switch (rows) {
        EACH_ROW(ROW)
    default:
        return;
    }
}
#undef ROW

/* One pixel's vector of channels, with what is fused. */
INLINE void NAME(put)(ELEM *p, VEC v, bool sum, bool relu, const bool part, TAIL tail)
{
    if (sum)
        v += NAME(load_part)(p, part, tail);
    if (relu)
        v = (VEC) MAX((VEC){0}, v);
    NAME(store_part)(p, v, part, tail);
}
