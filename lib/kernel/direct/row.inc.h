/* The vector code of direct.c, after kernel/vector/block.inc.h and in the same way. */
#include "kernel/direct/code.h"

/* sums[rows][q vectors] of `rows` pixels side by side and channels from c on; rows and q are
 * constants where this is used. */
INLINE void NAME(direct_block)(const struct rci_direct_job *j, const float *from, float *sums,
                               int64_t c, const int rows, const int q)
{
    const int64_t channel = j->windows * j->window;
    const float *w = j->weights + c * channel;
    VEC acc[ROWS_1][2];
#pragma GCC unroll 24
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < q; v++)
            acc[r][v] = j->bias ? NAME(load)(j->bias + c + v * LANES) : (VEC){0};
    for (int64_t y = 0; y < j->windows; y++, from += j->line, w += j->window * LANES)
        NAME(accumulate)(acc, from, j->step, j->window, w, channel * LANES, NULL, rows, q);
#pragma GCC unroll 24
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < q; v++)
            NAME(store)(sums + (r * q + v) * LANES, acc[r][v]);
}

/* sums[rows][q vectors] to `to`, with what is fused. */
static void NAME(direct_put)(const struct rci_direct_job *j, const float *sums, float *to,
                             int64_t c, int64_t rows, int64_t q)
{
    const int64_t left = j->channels - (c + (q - 1) * LANES);
    const TAIL tail = TAIL_OF(left < LANES ? left : LANES);
    to += c;
    for (int64_t r = 0; r < rows; r++, to += j->channels)
        for (int64_t v = 0; v < q; v++, sums += LANES) {
            const bool part = c + (v + 1) * LANES > j->channels;
            NAME(put)(to + v * LANES, NAME(load)(sums), j->sum, j->relu, part, tail);
        }
}

#define DIRECT_CASE(n)                                                            \
    case n:                                                                       \
        if ((n) <= (q > 1 ? ROWS : ROWS_1))                                       \
            NAME(direct_block)(j, from, sums, c, (n) < ROWS_1 ? (n) : ROWS_1, q); \
        return

INLINE void NAME(direct_rows)(const struct rci_direct_job *j, const float *from, float *sums,
                              int64_t c, int64_t rows, const int q)
{
    switch (rows) {
        DIRECT_CASE(1);
        DIRECT_CASE(2);
        DIRECT_CASE(3);
        DIRECT_CASE(4);
        DIRECT_CASE(5);
        DIRECT_CASE(6);
        DIRECT_CASE(7);
        DIRECT_CASE(8);
        DIRECT_CASE(9);
        DIRECT_CASE(10);
        DIRECT_CASE(11);
        DIRECT_CASE(12);
        DIRECT_CASE(13);
        DIRECT_CASE(14);
        DIRECT_CASE(15);
        DIRECT_CASE(16);
        DIRECT_CASE(17);
        DIRECT_CASE(18);
        DIRECT_CASE(19);
        DIRECT_CASE(20);
        DIRECT_CASE(21);
        DIRECT_CASE(22);
        DIRECT_CASE(23);
        DIRECT_CASE(24);
    default:
        return;
    }
}

static void NAME(direct_rows_1)(const struct rci_direct_job *j, const float *from, float *sums,
                                int64_t c, int64_t rows)
{
    NAME(direct_rows)(j, from, sums, c, rows, 1);
}

static void NAME(direct_rows_2)(const struct rci_direct_job *j, const float *from, float *sums,
                                int64_t c, int64_t rows)
{
    NAME(direct_rows)(j, from, sums, c, rows, 2);
}

/* Blocks of nearly equal numbers of pixels. */
static void NAME(direct_row)(const struct rci_direct_job *j, int64_t first, int64_t end,
                             const float *from, float *to)
{
    float sums[2 * ROWS_1 * LANES];
    for (int64_t c = first; c < end; c += 2 * LANES) {
        const bool two = c + LANES < end;
        const int64_t most = two ? ROWS : ROWS_1, blocks = (j->out_w + most - 1) / most;
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t x = j->out_w * b / blocks, rows = j->out_w * (b + 1) / blocks - x;
            if (two)
                NAME(direct_rows_2)(j, from + x * j->step, sums, c, rows);
            else
                NAME(direct_rows_1)(j, from + x * j->step, sums, c, rows);
            NAME(direct_put)(j, sums, to + x * j->channels, c, rows, two ? 2 : 1);
        }
    }
}
