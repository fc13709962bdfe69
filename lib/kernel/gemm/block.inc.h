/* The vector code of gemm.c, after kernel/vector/block.inc.h and in the same way. */
#include "kernel/gemm/code.h"

/* With sanitizers the unrolled form takes minutes to compile and finds nothing more. */
#ifdef __SANITIZE_ADDRESS__
#define UNROLL_LANES _Pragma("GCC unroll 1")
#else
#define UNROLL_LANES _Pragma("GCC unroll 8")
#endif

/* rows and q, the number of vectors, are constants where this is used. */
INLINE void NAME(gemm_sum)(const struct rci_gemm_block *b, const int rows, const int q)
{
    const VEC zero = {0};
    const VEC bias0 = b->bias ? NAME(load)(b->bias) : zero;
    const VEC bias1 = b->bias && q > 1 ? NAME(load)(b->bias + LANES) : zero;
    const float *x = b->pixels, *w = b->weights;
#define ROW(r, third, rest)                                              \
    VEC s##r = bias0, t##r = bias1;                                      \
    if (r < rows && !b->first) {                                         \
        s##r = NAME(load)(b->sums + r * q * LANES);                      \
        t##r = q > 1 ? NAME(load)(b->sums + (r * q + 1) * LANES) : zero; \
    }
    EACH_ROW(ROW)
#undef ROW
#define ROW(r, third, rest)                            \
    if (r < rows) {                                    \
        const VEC pixel = BROADCAST(x[r * LANES + i]); \
        ADD_MAC(s##r, pixel, w0);                      \
        if (q > 1) {                                   \
            ADD_MAC(t##r, pixel, w1);                  \
        }                                              \
    }
    for (int64_t g = b->groups; g > 0; g--) {
        UNROLL_LANES for (int64_t i = 0; i < LANES; i++) {
            const VEC w0 = NAME(load)(w + i * q * LANES);
            const VEC w1 = q > 1 ? NAME(load)(w + (i * q + 1) * LANES) : zero;
            EACH_ROW(ROW)
        }
        x += rows * LANES;
        w += LANES * q * LANES;
    }
#undef ROW
    if (!b->last) {
#define ROW(r, third, rest)                                   \
    if (r < rows) {                                           \
        NAME(store)(b->sums + r * q * LANES, s##r);           \
        if (q > 1)                                            \
            NAME(store)(b->sums + (r * q + 1) * LANES, t##r); \
    }
        EACH_ROW(ROW)
#undef ROW
        return;
    }
    const TAIL tail = TAIL_OF(b->lanes_left < LANES ? b->lanes_left : LANES);
    const int64_t left = b->vector[0], right = b->vector[1];
#define PUT(r, add, cut, part)                                            \
    if (r < rows) {                                                       \
        NAME(put)(b->to[r] + left, s##r, add, cut, q == 1 && part, tail); \
        if (q > 1)                                                        \
            NAME(put)(b->to[r] + right, t##r, add, cut, part, tail);      \
    }
#define PLAIN(r, third, rest) PUT(r, false, false, false)
#define RELUS(r, third, rest) PUT(r, false, true, false)
#define SUMS(r, third, rest) PUT(r, true, false, false)
#define BOTH(r, third, rest) PUT(r, true, true, false)
#define PARTS(r, third, rest) PUT(r, b->sum, b->relu, true)
    if (b->lanes_left < LANES) {
        EACH_ROW(PARTS)
    } else if (b->sum && b->relu) {
        EACH_ROW(BOTH)
    } else if (b->sum) {
        EACH_ROW(SUMS)
    } else if (b->relu) {
        EACH_ROW(RELUS)
    } else {
        EACH_ROW(PLAIN)
    }
#undef PLAIN
#undef RELUS
#undef SUMS
#undef BOTH
#undef PARTS
#undef PUT
}

#define ROW(r, third, rest)                                    \
    case r + 1:                                                \
        if (r < (q > 1 ? ROWS : ROWS_1))                       \
            NAME(gemm_sum)(b, r < ROWS_1 ? r + 1 : ROWS_1, q); \
        return;
INLINE void NAME(gemm_rows)(const struct rci_gemm_block *b, int64_t rows, const int q)
{
    switch (rows) {
        EACH_ROW(ROW)
    default:
        return;
    }
}
#undef ROW

static void NAME(gemm_1)(const struct rci_gemm_block *b, int64_t rows)
{
    NAME(gemm_rows)(b, rows, 1);
}

static void NAME(gemm_2)(const struct rci_gemm_block *b, int64_t rows)
{
    NAME(gemm_rows)(b, rows, 2);
}

static void NAME(gemm_pack)(const struct rci_gemm_pack *p, int64_t rows, float *to)
{
    const int64_t whole = p->channels / LANES, left = p->channels % LANES;
    const TAIL tail = TAIL_OF(left);
    for (int64_t r = 0; r < rows; r++) {
        const float *from = p->from[r];
        float *at = to + r * LANES;
        for (int64_t g = 0; g < whole; g++, at += rows * LANES)
            NAME(store)(at, from ? NAME(load)(from + g * p->advance) : (VEC){0});
        if (left)
            NAME(store)(at, from ? (VEC) LOAD_TAIL(from + whole * p->advance, tail) : (VEC){0});
    }
}
