/* The vector code of qkernel.c: one source, compiled once per instruction set by the files that
 * include it. They define LANES (32-bit), ROWS (of a register block of ROWS x 2 sums), TILES (of
 * one of TILES x 6), OP(f) (the intrinsic f of that width), LOAD(p), STORE(p, v), LOAD_U8(p) and
 * LOAD_S8(p) (LANES bytes as 32-bit), STORE_8(p, v) (their low bytes), DOT16(sum, x, w), HAS_DOT8,
 * DOT8(sum, x, w) and NAME(f). No include guard on purpose. */
#include "kernel/int8/qkernel.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* --- sums to outputs --- */

/* What happens to sums: the common cases are compiled on their own. ANY asks at every vector. */
enum NAME(form) { NAME(PLAIN), NAME(SUM), NAME(ROUND_SUM), NAME(ANY) };

/* Of LANES channels from `o` on, kept in registers. */
struct NAME(tail) {
    INTS start;
    FLOATS bias, scale, mid, res_scale, low, high;
    enum NAME(form) form;
    bool round_first, relu;
    enum rci_dtype dst, res;
    int64_t left, size, pixel; /* channels there are; bytes of an element, and of a pixel */
    uint8_t *at;               /* of pixel 0 */
};

INLINE enum NAME(form) NAME(form_of)(const struct rci_qkernel_job *j, int64_t o)
{
    if (j->out_c - o < LANES || j->dst_type == RC_F32 || j->res_type == RC_S8)
        return NAME(ANY);
    if (j->mid > 0)
        return j->res_type ? NAME(ROUND_SUM) : NAME(ANY);
    return j->res_type ? NAME(SUM) : NAME(PLAIN);
}

INLINE struct NAME(tail) NAME(tail_of)(const struct rci_qkernel_job *j, int64_t o)
{
    const int64_t size = j->dst_type == RC_F32 ? 4 : 1;
    const INTS none = OP(set1_epi32)(0);
    return (struct NAME(tail)){.start = j->start ? LOAD(j->start + o) : none,
                               .bias = OP(loadu_ps)(j->bias + o),
                               .scale = OP(loadu_ps)(j->scale + o),
                               .mid = OP(set1_ps)(j->mid),
                               .res_scale = OP(set1_ps)(j->res_scale),
                               .low = OP(set1_ps)(j->low),
                               .high = OP(set1_ps)(j->high),
                               .form = NAME(form_of)(j, o),
                               .round_first = j->mid > 0,
                               .relu = j->relu,
                               .dst = j->dst_type,
                               .res = j->res_type,
                               .left = j->out_c - o,
                               .size = size,
                               .pixel = j->out_c * size,
                               .at = j->dst + o * size};
}

INLINE FLOATS NAME(scaled)(const struct NAME(tail) * t, FLOATS sum)
{
    return OP(mul_ps)(OP(add_ps)(sum, t->bias), t->scale);
}

INLINE FLOATS NAME(rounded)(const struct NAME(tail) * t, FLOATS v)
{
    v = OP(min_ps)(OP(max_ps)(v, OP(set1_ps)(-128.0f)), OP(set1_ps)(127.0f));
    return OP(mul_ps)(OP(cvtepi32_ps)(OP(cvtps_epi32)(v)), t->mid);
}

INLINE void NAME(store_bytes)(const struct NAME(tail) * t, FLOATS v, uint8_t *at)
{
    STORE_8(at, OP(cvtps_epi32)(OP(min_ps)(OP(max_ps)(v, t->low), t->high)));
}

static void NAME(put_any)(const struct NAME(tail) * t, FLOATS sum, uint8_t *to)
{
    const size_t bytes = (size_t) ((t->left < LANES ? t->left : LANES) * t->size);
    uint8_t at[4 * LANES] = {0}; /* arrays of channels are padded to vectors, the output is not */
    FLOATS v = NAME(scaled)(t, sum);
    if (t->res)
        memcpy(at, to, bytes);
    if (t->round_first)
        v = NAME(rounded)(t, v);
    if (t->res)
        v = OP(fmadd_ps)(OP(cvtepi32_ps)(t->res == RC_U8 ? LOAD_U8(at) : LOAD_S8(at)), t->res_scale,
                         v);
    if (t->dst == RC_F32)
        OP(storeu_ps)((float *) at, t->relu ? OP(max_ps)(v, OP(setzero_ps)()) : v);
    else
        NAME(store_bytes)(t, v, at);
    memcpy(to, at, bytes);
}

INLINE void NAME(put)(const struct NAME(tail) * t, FLOATS sum, int64_t pixel,
                      const enum NAME(form) form)
{
    uint8_t *at = t->at + pixel * t->pixel;
    if (form == NAME(ANY)) {
        NAME(put_any)(t, sum, at);
        return;
    }
    FLOATS v = NAME(scaled)(t, sum);
    if (form == NAME(ROUND_SUM))
        v = NAME(rounded)(t, v);
    if (form != NAME(PLAIN))
        v = OP(fmadd_ps)(OP(cvtepi32_ps)(LOAD_U8(at)), t->res_scale, v);
    NAME(store_bytes)(t, v, at);
}

/* f with the form as a constant last argument. */
#define BY_FORM(form, f, ...)                  \
    switch (form) {                            \
    case NAME(PLAIN):                          \
        NAME(f)(__VA_ARGS__, NAME(PLAIN));     \
        break;                                 \
    case NAME(SUM):                            \
        NAME(f)(__VA_ARGS__, NAME(SUM));       \
        break;                                 \
    case NAME(ROUND_SUM):                      \
        NAME(f)(__VA_ARGS__, NAME(ROUND_SUM)); \
        break;                                 \
    default:                                   \
        NAME(f)(__VA_ARGS__, NAME(ANY));       \
    }

/* --- sums --- */

/* Rows of the left operand: `step` bytes apart, each of `runs` pieces of `dwords` * 4 bytes. */
struct NAME(left) {
    const char *x;
    int64_t step, runs, run_step, dwords;
};

INLINE INTS NAME(dot)(INTS sum, INTS x, INTS w)
{
#if HAS_DOT8
    return DOT8(sum, x, w);
#else
    return DOT16(sum, x, w);
#endif
}

INLINE void NAME(sums)(INTS sum[ROWS][2], const struct NAME(left) * l, const char *w, int64_t vec,
                       const int rows, const int q)
{
    for (int64_t run = 0; run < l->runs; run++) {
        const char *x = l->x + run * l->run_step;
        for (int64_t i = 0; i < l->dwords; i++, x += 4, w += 4 * LANES) {
            const INTS w0 = LOAD(w), w1 = q > 1 ? LOAD(w + vec) : w0;
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                int32_t four;
                memcpy(&four, x + r * l->step, 4);
                const INTS b = OP(set1_epi32)(four);
                sum[r][0] = NAME(dot)(sum[r][0], b, w0);
                if (q > 1)
                    sum[r][1] = NAME(dot)(sum[r][1], b, w1);
            }
        }
    }
}

/* m[rows][2 vectors], whatever q. */
INLINE void NAME(product_block)(const struct NAME(left) * l, const char *w, int64_t vec, char *m,
                                const int rows, const int q)
{
    INTS sum[ROWS][2];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
        sum[r][0] = sum[r][1] = OP(set1_epi32)(0);
    NAME(sums)(sum, l, w, vec, rows, q);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        STORE(m + r * 8 * LANES, sum[r][0]);
        if (q > 1)
            STORE(m + r * 8 * LANES + 4 * LANES, sum[r][1]);
    }
}

#define CASE(n)                                                        \
    case n:                                                            \
        NAME(product_block)(l, w, vec, m, (n) < ROWS ? (n) : ROWS, q); \
        return

INLINE void NAME(product_rows)(const struct NAME(left) * l, const char *w, int64_t vec, char *m,
                               int64_t rows, const int q)
{
    switch (rows) {
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
        CASE(7);
        CASE(8);
        CASE(9);
        CASE(10);
        CASE(11);
        CASE(12);
    default:
        return;
    }
}

static void NAME(product)(const struct NAME(left) * l, const char *w, int64_t vec, char *m,
                          int64_t rows, bool two)
{
    if (two)
        NAME(product_rows)(l, w, vec, m, rows, 2);
    else
        NAME(product_rows)(l, w, vec, m, rows, 1);
}

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

/* m[rows][2 vectors], one of the two. */
INLINE void NAME(put_rows)(const struct NAME(tail) * t, const char *m, int64_t rows, int64_t pixel,
                           const enum NAME(form) form)
{
    for (int64_t r = 0; r < rows; r++, m += 8 * LANES)
        NAME(put)(t, OP(cvtepi32_ps)(OP(add_epi32)(LOAD(m), t->start)), pixel + r, form);
}

/* Two vectors of outputs, or one. */
static void NAME(direct_row)(const struct rci_qkernel_job *j, const char *row, int64_t o, bool two,
                             int64_t pixel)
{
    struct NAME(left) l = {.step = j->stride_x * j->in_c * j->unit,
                           .runs = j->kernel_h,
                           .run_step = j->dilation_y * j->slab_row,
                           .dwords = j->run_dwords};
    const struct NAME(tail) t[2] = {NAME(tail_of)(j, o), NAME(tail_of)(j, o + (two ? LANES : 0))};
    const char *w = (const char *) j->weights + o / LANES * j->weights_vec;
    const int64_t blocks = (j->out_w + ROWS - 1) / ROWS;
    char m[ROWS * 8 * LANES];
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t from = b * j->out_w / blocks, to = (b + 1) * j->out_w / blocks;
        l.x = row + from * l.step;
        NAME(product)(&l, w, j->weights_vec, m, to - from, two);
        for (int q = 0; q < 1 + two; q++)
            BY_FORM(t[q].form, put_rows, &t[q], m + q * 4 * LANES, to - from, pixel + from);
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

INLINE void NAME(real_pixels)(const struct NAME(tail) * t, const float *sums, int64_t step,
                              const int64_t pixels[2], const enum NAME(form) form)
{
    for (int64_t p = pixels[0]; p < pixels[1]; p++)
        NAME(put)(t, OP(loadu_ps)(sums + p * step), p, form);
}

static void NAME(real_out)(const struct rci_qkernel_job *j, const int64_t pixels[2],
                           const float *sums)
{
    for (int64_t o = 0; o < j->out_c; o += LANES) {
        const struct NAME(tail) t = NAME(tail_of)(j, o);
        BY_FORM(t.form, real_pixels, &t, sums + o, j->out_c, pixels);
    }
}

#include "kernel/int8/winograd.inc.h"

const struct rci_qkernel_set NAME(rci_qkernel) = {.name = SET_NAME,
                                                  .lanes = LANES,
                                                  .tiles = TILES,
                                                  .dot8 = HAS_DOT8,
                                                  .direct = NAME(direct),
                                                  .tile_in = NAME(tile_in),
                                                  .tiles_out = NAME(tiles_out),
                                                  .real_in = NAME(real_in),
                                                  .real_out = NAME(real_out)};
