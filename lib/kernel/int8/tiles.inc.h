/* The vector code of qkernel.c: one source, compiled once per instruction set by the files that
 * include it. They define LANES (32-bit), ROWS (of a register block of ROWS x 2 sums), OP(f) (the
 * intrinsic f of that width), LOAD(p), STORE(p, v), LOAD_U8(p) and LOAD_S8(p) (LANES bytes as
 * 32-bit), STORE_BYTES(p, v, w) (the low bytes of two vectors), DOT16(sum, x, w), HAS_DOT8,
 * DOT8(sum, x, w), NAME(f), and DIRECT_ONLY where another set has the rest. No include guard on
 * purpose. */
#include "kernel/int8/qkernel.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

#include "kernel/int8/tail.inc.h"

#include "kernel/int8/product.inc.h"

/* --- direct --- */

/* n bytes as the slab wants them: 8-bit products take unsigned bytes, so 128 is added to signed
 * ones (and taken away again by `start`). */
INLINE void NAME(widen)(const struct rci_qkernel_job *j, const uint8_t *x, int64_t n, void *to)
{
    const int8_t *s = (const int8_t *) x;
    uint8_t *b = to;
    int16_t *h = to;
    if (j->unit == 1 && j->src_type == RC_U8)
        memcpy(to, x, (size_t) n);
    else if (j->unit == 1)
        for (int64_t i = 0; i < n; i++)
            b[i] = x[i] ^ 0x80;
    else if (j->src_type == RC_U8)
        for (int64_t i = 0; i < n; i++)
            h[i] = x[i];
    else
        for (int64_t i = 0; i < n; i++)
            h[i] = s[i];
}

static void NAME(fill_slab)(const struct rci_qkernel_job *j, int64_t image, int64_t first,
                            int64_t count, char *slab)
{
    const int zero = j->unit == 1 && j->src_type == RC_S8 ? 0x80 : 0;
    const int64_t n = j->in_w * j->in_c, left = j->pad_x * j->in_c * j->unit;
    for (int64_t y = first; y < first + count; y++, slab += j->slab_row) {
        if (y < 0 || y >= j->in_h) {
            memset(slab, zero, (size_t) j->slab_row);
            continue;
        }
        memset(slab, zero, (size_t) left);
        NAME(widen)(j, j->src + (image * j->in_h + y) * n, n, slab + left);
        const int64_t end = left + n * j->unit;
        memset(slab + end, zero, (size_t) (j->slab_row - end));
    }
}

/* m[rows][2 vectors]. */
INLINE void NAME(put_rows)(const struct NAME(tail) * tail, const char *m, int64_t rows,
                           int64_t pixel, const enum NAME(form) form)
{
    const struct NAME(tail) t = *tail;
    for (int64_t r = 0; r < rows; r++, m += 8 * LANES)
        NAME(put)
    (&t, OP(cvtepi32_ps)(OP(add_epi32)(LOAD(m), t.start0)),
     OP(cvtepi32_ps)(OP(add_epi32)(LOAD(m + 4 * LANES), t.start1)), pixel + r, form);
}

/* Two vectors of outputs, or one. */
static void NAME(direct_row)(const struct rci_qkernel_job *j, const char *row, int64_t o, bool two,
                             int64_t pixel)
{
    struct NAME(left) l = {.step = j->stride_x * j->in_c * j->unit,
                           .runs = j->kernel_h,
                           .run_step = j->dilation_y * j->slab_row,
                           .dwords = j->run_dwords};
    const struct NAME(tail) t = NAME(tail_of)(j, o);
    const char *w = (const char *) j->weights + o / LANES * j->weights_vec;
    const int64_t blocks = (j->out_w + ROWS - 1) / ROWS;
    char m[ROWS * 8 * LANES];
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t from = b * j->out_w / blocks, to = (b + 1) * j->out_w / blocks;
        l.x = row + from * l.step;
        NAME(product)(&l, w, j->weights_vec, m, to - from, two);
        BY_FORM(t.form, put_rows, &t, m, to - from, pixel + from);
    }
}

static void NAME(direct)(const struct rci_qkernel_job *j, int64_t image, const int64_t rows[2],
                         const int64_t out[2], void *slab)
{
    const int64_t first = rows[0] * j->stride_y - j->pad_y;
    const int64_t count = (rows[1] - rows[0] - 1) * j->stride_y + (j->kernel_h - 1) * j->dilation_y;
    const char *from = slab;
    if (j->in_place)
        from = (const char *) j->src + (image * j->in_h + first) * j->slab_row;
    else
        NAME(fill_slab)(j, image, first, count + 1, slab);
    const int64_t pair = 2 * LANES, step = j->stride_y * j->slab_row;
    const int64_t lines = rows[1] - rows[0], pairs = (out[1] - out[0] + pair - 1) / pair;
    for (int64_t i = 0; i < lines * pairs; i++) {
        const int64_t y = j->rows_first ? i / pairs : i % lines;
        const int64_t o = out[0] + (j->rows_first ? i % pairs : i / lines) * pair;
        NAME(direct_row)
        (j, from + y * step, o, o + LANES < out[1], (image * j->out_h + rows[0] + y) * j->out_w);
    }
}

#if !DIRECT_ONLY
/* --- sums in f32 --- */

static void NAME(real_in)(const struct rci_qkernel_job *j, int64_t first, int64_t end, float *to)
{
    int64_t i = first;
    for (; i + LANES <= end; i += LANES) {
        const INTS x = j->src_type == RC_U8 ? LOAD_U8(j->src + i) : LOAD_S8(j->src + i);
        OP(storeu_ps)(to + i, OP(cvtepi32_ps)(x));
    }
    for (; i < end; i++)
        to[i] = j->src_type == RC_U8 ? (float) j->src[i] : (float) (int8_t) j->src[i];
}

INLINE void NAME(real_pixels)(const struct NAME(tail) * tail, const float *sums, int64_t step,
                              const int64_t pixels[2], const enum NAME(form) form)
{
    const struct NAME(tail) t = *tail;
    for (int64_t p = pixels[0]; p < pixels[1]; p++)
        NAME(put)
    (&t, OP(loadu_ps)(sums + p * step),
     OP(loadu_ps)(sums + p * step + (t.left > LANES ? LANES : 0)), p, form);
}

static void NAME(real_out)(const struct rci_qkernel_job *j, const int64_t pixels[2],
                           const float *sums)
{
    for (int64_t o = 0; o < j->out_c; o += 2 * LANES) {
        const struct NAME(tail) t = NAME(tail_of)(j, o);
        BY_FORM(t.form, real_pixels, &t, sums + o, j->out_c, pixels);
    }
}

#include "kernel/int8/winograd.inc.h"

#endif

const struct rci_qkernel_set NAME(rci_qkernel) = {.name = SET_NAME,
                                                  .lanes = LANES,
                                                  .dot8 = HAS_DOT8,
#if !DIRECT_ONLY
                                                  .tiles = ROWS,
                                                  .tile_in = NAME(tile_in),
                                                  .tiles_out = NAME(tiles_out),
                                                  .real_in = NAME(real_in),
                                                  .real_out = NAME(real_out),
#endif
                                                  .direct = NAME(direct)};
