/* The vector code of direct.c, after kernel/vector/block.inc.h and in the same way. */
#include "kernel/direct/code.h"

/* sums[rows][q vectors] to `to`, with what is fused. */
static void NAME(direct_put)(const struct rci_direct_job *j, const float *sums, float *to,
                             int64_t c, int64_t rows, int64_t q)
{
    const int64_t left = j->dst.channels - (c + (q - 1) * LANES);
    const int64_t second = rci_conv_channel(&j->dst, c + LANES) - rci_conv_channel(&j->dst, c);
    const TAIL tail = TAIL_OF(left < LANES ? left : LANES);
    to += rci_conv_channel(&j->dst, c);
    for (int64_t r = 0; r < rows; r++, to += j->dst.pixel)
        for (int64_t v = 0; v < q; v++, sums += LANES) {
            const bool part = c + (v + 1) * LANES > j->dst.channels;
            NAME(put)(to + v * second, NAME(load)(sums), j->sum, j->relu, part, tail);
        }
}

static void NAME(direct_rows_1)(const struct NAME(block) * b, int64_t rows)
{
    NAME(block_rows)(*b, rows, 1);
}

static void NAME(direct_rows_2)(const struct NAME(block) * b, int64_t rows)
{
    NAME(block_rows)(*b, rows, 2);
}

/* Blocks of nearly equal numbers of pixels. */
static void NAME(direct_row)(const struct rci_direct_job *j, int64_t first, int64_t end,
                             const float *from, float *to)
{
    float sums[2 * ROWS_1 * LANES];
    const int64_t channel = j->windows * j->window;
    struct NAME(block) one = {.line = j->line,
                              .windows = j->windows,
                              .step = j->step,
                              .n = j->window,
                              .second = channel * LANES,
                              .to = sums};
    for (int64_t c = first; c < end; c += 2 * LANES) {
        const bool two = c + LANES < end;
        const int64_t most = two ? ROWS : ROWS_1, blocks = (j->out_w + most - 1) / most;
        one.w = j->weights + c * channel;
        one.bias = j->bias ? j->bias + c : NULL;
        one.to_step = two ? 2 * LANES : LANES;
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t x = j->out_w * b / blocks, rows = j->out_w * (b + 1) / blocks - x;
            one.u = from + x * j->step;
            if (two)
                NAME(direct_rows_2)(&one, rows);
            else
                NAME(direct_rows_1)(&one, rows);
            NAME(direct_put)(j, sums, to + x * j->dst.pixel, c, rows, two ? 2 : 1);
        }
    }
}
