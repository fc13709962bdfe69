/* The vector code of direct.c, after winograd_tiles.h and in the same way. */
#include "kernel/direct_code.h"

/* Pixels of a register block with one vector of channels: more chains of sums. */
#define PIXELS_1 (ROWS == 12 ? 16 : 2 * ROWS)

/* sums[rows][q vectors] of `rows` pixels side by side and channels from c on; rows and q are
 * constants where this is used. */
INLINE void NAME(direct_block)(const struct rc_direct_job *j, const float *from, float *sums,
                               int64_t c, const int rows, const int q)
{
    const int64_t vector = j->windows * j->window * LANES, step = j->step;
    const float *w = j->weights + c / LANES * vector;
    VEC acc[PIXELS_1][2];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < q; v++)
            acc[r][v] = j->bias ? NAME(load)(j->bias + c + v * LANES) : (VEC){0};
    for (int64_t y = 0; y < j->windows; y++, from += j->line) {
        const float *third[(PIXELS_1 + 2) / 3]; /* as in Winograd's products */
#pragma GCC unroll 6
        for (int r = 0; r < rows; r += 3)
            third[r / 3] = from + r * step;
        for (int64_t i = 0; i < j->window; i++, w += LANES) {
            const VEC w0 = NAME(load)(w);
            const VEC w1 = q > 1 ? NAME(load)(w + vector) : (VEC){0};
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                const VEC x = BROADCAST(third[r / 3][r % 3 * step]);
                acc[r][0] = FMA(x, w0, acc[r][0]);
                if (q > 1)
                    acc[r][1] = FMA(x, w1, acc[r][1]);
            }
#pragma GCC unroll 6
            for (int r = 0; r < rows; r += 3)
                third[r / 3]++;
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < q; v++)
            NAME(store)(sums + (r * q + v) * LANES, acc[r][v]);
}

/* sums[rows][q vectors] to `to`, with what is fused. */
static void NAME(direct_put)(const struct rc_direct_job *j, const float *sums, float *to, int64_t c,
                             int64_t rows, int64_t q)
{
    const TAIL tail = TAIL_OF(j->channels % LANES);
    for (int64_t i = 0; i < rows * q; i++) {
        const int64_t first = c + i % q * LANES;
        const bool part = first + LANES > j->channels;
        float *p = to + i / q * j->channels + first;
        VEC o = NAME(load)(sums + i * LANES);
        if (j->sum)
            o += part ? (VEC) LOAD_TAIL(p, tail) : NAME(load)(p);
        if (j->relu)
            o = (VEC) (~(o < 0.0f) & (NAME(bits)) o); /* NaN stays */
        NAME(store_part)(p, o, part, tail);
    }
}

#define DIRECT_CASE(n, most, q)                                                 \
    case n:                                                                     \
        NAME(direct_block)(j, from, sums, c, (n) < (most) ? (n) : (most), (q)); \
        return

static void NAME(direct_block_2)(const struct rc_direct_job *j, const float *from, float *sums,
                                 int64_t c, int64_t rows)
{
    switch (rows) {
        DIRECT_CASE(1, ROWS, 2);
        DIRECT_CASE(2, ROWS, 2);
        DIRECT_CASE(3, ROWS, 2);
        DIRECT_CASE(4, ROWS, 2);
        DIRECT_CASE(5, ROWS, 2);
        DIRECT_CASE(6, ROWS, 2);
        DIRECT_CASE(7, ROWS, 2);
        DIRECT_CASE(8, ROWS, 2);
        DIRECT_CASE(9, ROWS, 2);
        DIRECT_CASE(10, ROWS, 2);
        DIRECT_CASE(11, ROWS, 2);
        DIRECT_CASE(12, ROWS, 2);
    default:
        return;
    }
}

static void NAME(direct_block_1)(const struct rc_direct_job *j, const float *from, float *sums,
                                 int64_t c, int64_t rows)
{
    switch (rows) {
        DIRECT_CASE(1, PIXELS_1, 1);
        DIRECT_CASE(2, PIXELS_1, 1);
        DIRECT_CASE(3, PIXELS_1, 1);
        DIRECT_CASE(4, PIXELS_1, 1);
        DIRECT_CASE(5, PIXELS_1, 1);
        DIRECT_CASE(6, PIXELS_1, 1);
        DIRECT_CASE(7, PIXELS_1, 1);
        DIRECT_CASE(8, PIXELS_1, 1);
        DIRECT_CASE(9, PIXELS_1, 1);
        DIRECT_CASE(10, PIXELS_1, 1);
        DIRECT_CASE(11, PIXELS_1, 1);
        DIRECT_CASE(12, PIXELS_1, 1);
        DIRECT_CASE(13, PIXELS_1, 1);
        DIRECT_CASE(14, PIXELS_1, 1);
        DIRECT_CASE(15, PIXELS_1, 1);
        DIRECT_CASE(16, PIXELS_1, 1);
    default:
        return;
    }
}

/* Blocks of nearly equal numbers of pixels. */
static void NAME(direct_row)(const struct rc_direct_job *j, const float *from, float *to)
{
    float sums[2 * PIXELS_1 * LANES];
    for (int64_t c = 0; c < j->channels; c += 2 * LANES) {
        const bool two = c + LANES < j->channels;
        const int64_t most = two ? ROWS : PIXELS_1, blocks = (j->out_w + most - 1) / most;
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t x = j->out_w * b / blocks, rows = j->out_w * (b + 1) / blocks - x;
            if (two)
                NAME(direct_block_2)(j, from + x * j->step, sums, c, rows);
            else
                NAME(direct_block_1)(j, from + x * j->step, sums, c, rows);
            NAME(direct_put)(j, sums, to + x * j->channels, c, rows, two ? 2 : 1);
        }
    }
}
