/* The vector code of winograd.c: one source, compiled once per instruction set by the files that
 * include it. They define LANES (floats per vector), FMA(a, b, c) = a * b + c, BROADCAST(x), ROWS
 * (tiles per register block: ROWS x 2 accumulators, two weights and one broadcast must fit the
 * registers), TAIL (a type: the first lanes of a vector), TAIL_OF(n), LOAD_TAIL(p, tail) with zeros
 * behind, STORE_TAIL(p, tail, v), NAME(f) and SET_NAME. No include guard on purpose.
 *
 * Interpolation points 0, 1, -1, 2, -2, infinity (Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", 2016). */
#include "kernel/winograd_code.h"

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

/* B' d along one axis: d[0] .. d[5] to o[0], o[t], o[2t]; the first or the second three of six. In
 * two dimensions three rows at a time stay in registers, six would not. `second` is a constant. */
INLINE void NAME(input_half)(const VEC *d, const bool second, VEC *o, int t)
{
    if (second) {
        const VEC a = d[4] - d[2], b = d[3] - d[1];
        o[0] = TIMES(2, b, a);
        o[t] = TIMES(-2, b, a);
        o[2 * t] = TIMES(4, d[1], TIMES(-5, d[3], d[5]));
    } else {
        const VEC a = TIMES(-4, d[2], d[4]), b = TIMES(-4, d[1], d[3]);
        o[0] = TIMES(4, d[0], a) - d[2];
        o[t] = a + b;
        o[2 * t] = a - b;
    }
}

/* A' m along one axis: m[0] .. m[5] to o[0], o[t]; values 0 and 2 of four, or 1 and 3. `odd` is a
 * constant. */
INLINE void NAME(output_half)(const VEC *m, const bool odd, VEC *o, int t)
{
    if (odd) {
        const VEC diff = m[1] - m[2], diff2 = m[3] - m[4];
        o[0] = TIMES(2, diff2, diff);
        o[t] = TIMES(8, diff2, diff) + m[5];
    } else {
        const VEC sum = m[1] + m[2], sum2 = m[3] + m[4];
        o[0] = m[0] + sum + sum2;
        o[t] = TIMES(4, sum2, sum);
    }
}

/* Tiles between the one that is read or written and the one that is asked for. */
enum { NAME(AHEAD) = 2 };

/* Where tile number `i` lies. */
struct NAME(place) {
    int64_t image, y, x;
};

INLINE struct NAME(place) NAME(place_of)(const struct rc_winograd_job *j, int64_t i)
{
    const int64_t per_image = j->tiles_y * j->tiles_x, in_image = i % per_image;
    return (struct NAME(place)){i / per_image, in_image / j->tiles_x * j->side,
                                in_image % j->tiles_x * j->side};
}

INLINE void NAME(advance)(const struct rc_winograd_job *j, struct NAME(place) * at)
{
    at->x += j->side;
    if (at->x >= j->width) {
        at->x = 0;
        at->y += j->side;
    }
    if (at->y >= j->height) {
        at->y = 0;
        at->image++;
    }
}

/* Asks for the pixels of a tile that the tile before it did not read: rows are short and far apart,
 * which the processor does not foresee. `write` is a constant. */
INLINE void NAME(foresee)(const struct rc_winograd_job *j, const struct rc_winograd_layout *l,
                          const float *base, int64_t channel, int64_t channels,
                          struct NAME(place) at, const int write)
{
    if (!j->foresee || at.image >= j->batch)
        return;
    const int64_t ny = j->height - at.y < j->side ? j->height - at.y : j->side;
    const int64_t nx = j->width - at.x < j->side ? j->width - at.x : j->side;
    const int64_t line = l->block % 16 ? LANES : 16;
    for (int64_t c = channel; c < channel + channels; c += line) {
        const float *p = base + at.image * l->image + rc_winograd_channel(l, c) + at.y * l->row +
                         at.x * l->pixel;
        for (int64_t y = 0; y < ny; y++)
            for (int64_t x = 0; x < nx; x++)
                __builtin_prefetch(p + y * l->row + x * l->pixel, write, 2);
    }
}

/* Three of six rows of positions, from 6x6 pixels around a tile of which only those inside the
 * image are read. `all`: that is all of them. */
INLINE void NAME(transform_in_rows)(const struct rc_winograd_job *j, const float *from, int64_t y0,
                                    int64_t x0, float *u, int64_t u_step, const bool all,
                                    const bool second, const bool part, TAIL tail)
{
    const struct rc_winograd_layout *l = &j->src_layout;
    VEC d[6], t[18];
    for (int x = 0; x < 6; x++) {
        const bool column = all || (x0 + x >= 0 && x0 + x < j->width);
        for (int y = 0; y < 6; y++) {
            const bool in = all || (column && y0 + y >= 0 && y0 + y < j->height);
            d[y] = in ? NAME(load_part)(from + y * l->row + x * l->pixel, part, tail) : (VEC){0};
        }
        NAME(input_half)(d, second, t + x, 6);
    }
    for (int y = 0; y < 3; y++) {
        NAME(input_half)(t + y * 6, false, d, 1);
        NAME(input_half)(t + y * 6, true, d + 3, 1);
        for (int x = 0; x < 6; x++)
            NAME(store)(u + ((second ? 3 + y : y) * 6 + x) * u_step, d[x]);
    }
}

/* One vector of channels from src on. */
INLINE void NAME(transform_in_vector)(const struct rc_winograd_job *j, struct NAME(place) at,
                                      const float *src, float *u, int64_t u_step, const bool part,
                                      TAIL tail)
{
    const struct rc_winograd_layout *l = &j->src_layout;
    const int64_t y0 = at.y - 1, x0 = at.x - 1;
    const float *from = src + y0 * l->row + x0 * l->pixel;
    if (y0 >= 0 && x0 >= 0 && y0 + 6 <= j->height && x0 + 6 <= j->width) {
        NAME(transform_in_rows)(j, from, y0, x0, u, u_step, true, false, part, tail);
        NAME(transform_in_rows)(j, from, y0, x0, u, u_step, true, true, part, tail);
    } else {
        NAME(transform_in_rows)(j, from, y0, x0, u, u_step, false, false, part, tail);
        NAME(transform_in_rows)(j, from, y0, x0, u, u_step, false, true, part, tail);
    }
}

/* Tiles to u[36 positions][tiles][channels]. */
static void NAME(transform_in)(const struct rc_winograd_job *j, int64_t first, int64_t count,
                               float *u, int64_t u_step)
{
    const struct rc_winograd_layout *l = &j->src_layout;
    const TAIL tail = TAIL_OF(l->channels % LANES);
    struct NAME(place) at = NAME(place_of)(j, first);
    struct NAME(place) ahead = NAME(place_of)(j, first + NAME(AHEAD));
    for (int64_t i = 0; i < count; i++) {
        const float *src = j->src + at.image * l->image;
        int64_t c = 0;
        NAME(foresee)(j, l, j->src, 0, j->in_channels, ahead, 0);
        for (; c + LANES <= l->channels; c += LANES)
            NAME(transform_in_vector)
        (j, at, src + rc_winograd_channel(l, c), u + c, u_step, false, tail);
        if (c < l->channels)
            NAME(transform_in_vector)(j, at, src + c, u + c, u_step, true, tail);
        u += j->in_channels;
        NAME(advance)(j, &at);
        NAME(advance)(j, &ahead);
    }
}

/* Pixels of a register block with one vector of channels: more chains of sums. */
#define ROWS_1 (ROWS == 12 ? 16 : 2 * ROWS)

/* acc[rows][q vectors] += u[rows][n] * w[q][n][LANES], rows `step` apart and vectors of weights
 * `second`; rows and q are constants where this is used. `next` are the weights that come after
 * these, or NULL: with few tiles a layer is as fast as its weights arrive. */
INLINE void NAME(accumulate)(VEC (*acc)[2], const float *u, int64_t step, int64_t n, const float *w,
                             int64_t second, const float *next, const int rows, const int q)
{
    const float *third[(ROWS_1 + 2) / 3]; /* every third row: p[0], p[step] and p[2 * step] need
                                             no registers */
#pragma GCC unroll 6
    for (int r = 0; r < rows; r += 3)
        third[r / 3] = u + r * step;
    for (int64_t i = 0; i < n; i++) {
        const VEC w0 = NAME(load)(w + i * LANES);
        const VEC w1 = q > 1 ? NAME(load)(w + second + i * LANES) : (VEC){0};
        if (next)
            for (int x = 0; x < q * LANES; x += 16) /* cache lines */
                __builtin_prefetch(next + i * q * LANES + x, 0, 2);
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

/* m[rows][q vectors] = u[rows][c] * w[q][c][LANES]. */
INLINE void NAME(multiply)(const float *u, int64_t c, const float *w, const float *next, float *m,
                           int64_t k, const int rows, const int q)
{
    VEC acc[ROWS][2];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
        acc[r][0] = acc[r][1] = (VEC){0};
    NAME(accumulate)(acc, u, c, c, w, c * LANES, next, rows, q);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        NAME(store)(m + r * k, acc[r][0]);
        if (q > 1)
            NAME(store)(m + r * k + LANES, acc[r][1]);
    }
}

#define ROWS_CASE(n, q)                                                  \
    case n:                                                              \
        NAME(multiply)(u, c, w, next, m, k, (n) < ROWS ? (n) : ROWS, q); \
        return

INLINE void NAME(multiply_rows)(const float *u, int64_t c, const float *w, const float *next,
                                float *m, int64_t k, int64_t rows, const int q)
{
    switch (rows) {
        ROWS_CASE(1, q);
        ROWS_CASE(2, q);
        ROWS_CASE(3, q);
        ROWS_CASE(4, q);
        ROWS_CASE(5, q);
        ROWS_CASE(6, q);
        ROWS_CASE(7, q);
        ROWS_CASE(8, q);
        ROWS_CASE(9, q);
        ROWS_CASE(10, q);
        ROWS_CASE(11, q);
        ROWS_CASE(12, q);
    default:
        return;
    }
}

static void NAME(multiply_1)(const float *u, int64_t c, const float *w, const float *next, float *m,
                             int64_t k, int64_t rows)
{
    NAME(multiply_rows)(u, c, w, next, m, k, rows, 1);
}

static void NAME(multiply_2)(const float *u, int64_t c, const float *w, const float *next, float *m,
                             int64_t k, int64_t rows)
{
    NAME(multiply_rows)(u, c, w, next, m, k, rows, 2);
}

/* One position: m[tiles][k] = u[tiles][c] * w[k / LANES][c][LANES], in blocks of nearly equal
 * numbers of tiles; `after` is the next one's w. */
static void NAME(product)(int64_t c, int64_t k, int64_t tiles, const float *u, const float *w,
                          const float *after, float *m)
{
    const int64_t groups = k / LANES, blocks = (tiles + ROWS - 1) / ROWS;
    for (int64_t kb = 0; kb < groups; kb += 2) {
        const bool two = kb + 1 < groups;
        const float *now = w + kb * c * LANES;
        const float *next = kb + 2 < groups ? now + 2 * c * LANES : after;
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t t = tiles * b / blocks, rows = tiles * (b + 1) / blocks - t;
            float *to = m + t * k + kb * LANES;
            if (two)
                NAME(multiply_2)(u + t * c, c, now, b ? NULL : next, to, k, rows);
            else
                NAME(multiply_1)(u + t * c, c, now, b ? NULL : next, to, k, rows);
        }
    }
}

/* All positions of a block of tiles. */
static void NAME(products)(const struct rc_winograd_job *j, int64_t count, const float *u, float *m)
{
    const int64_t c = j->in_channels, k = j->out_count, all = c * j->out_channels;
    const int64_t u_step = rc_winograd_step(j->block, c), m_step = rc_winograd_step(j->block, k);
    const float *w = j->weights + j->out_first * c;
    for (int64_t p = 0; p < j->positions; p++, w += all)
        NAME(product)
    (c, k, count, u + p * u_step, w, p + 1 < j->positions ? w + all : NULL, m + p * m_step);
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

/* Rows 0 and 2 of a tile's 4x4 pixels, or 1 and 3, with what is fused; ny x nx of all are inside
 * the image. */
INLINE void NAME(transform_out_rows)(const struct rc_winograd_job *j, float *dst, VEC bias,
                                     const float *m, int64_t m_step, const bool odd, const int ny,
                                     const int nx, const bool part, TAIL tail)
{
    const struct rc_winograd_layout *l = &j->dst_layout;
    VEC d[6], t[12], o[4];
    for (int x = 0; x < 6; x++) {
        for (int y = 0; y < 6; y++)
            d[y] = NAME(load)(m + (y * 6 + x) * m_step);
        NAME(output_half)(d, odd, t + x, 6);
    }
    for (int i = 0; i < 2; i++) {
        const int y = 2 * i + odd;
        NAME(output_half)(t + i * 6, false, o, 2);
        NAME(output_half)(t + i * 6, true, o + 1, 2);
        for (int x = 0; x < 4; x++)
            if (y < ny && x < nx)
                NAME(put)
        (dst + y * l->row + x * l->pixel, o[x] + bias, j->sum, j->relu, part, tail);
    }
}

/* One vector of channels from `channel` on. */
INLINE void NAME(transform_out_vector)(const struct rc_winograd_job *j, struct NAME(place) at,
                                       int64_t channel, const float *m, int64_t m_step,
                                       const bool part, TAIL tail)
{
    const struct rc_winograd_layout *l = &j->dst_layout;
    const int ny = j->height - at.y < 4 ? (int) (j->height - at.y) : 4;
    const int nx = j->width - at.x < 4 ? (int) (j->width - at.x) : 4;
    float *dst = j->dst + at.image * l->image + rc_winograd_channel(l, channel) + at.y * l->row +
                 at.x * l->pixel;
    const VEC bias = j->bias ? NAME(load)(j->bias + channel) : (VEC){0};
    if (ny == 4 && nx == 4) {
        NAME(transform_out_rows)(j, dst, bias, m, m_step, false, 4, 4, part, tail);
        NAME(transform_out_rows)(j, dst, bias, m, m_step, true, 4, 4, part, tail);
    } else {
        NAME(transform_out_rows)(j, dst, bias, m, m_step, false, ny, nx, part, tail);
        NAME(transform_out_rows)(j, dst, bias, m, m_step, true, ny, nx, part, tail);
    }
}

/* m[36 positions][tiles][channels from out_first on] to tiles. */
static void NAME(transform_out)(const struct rc_winograd_job *j, int64_t first, int64_t count,
                                const float *m, int64_t m_step)
{
    const struct rc_winograd_layout *l = &j->dst_layout;
    const int64_t behind = j->out_first + j->out_count;
    const TAIL tail = TAIL_OF(l->channels % LANES);
    struct NAME(place) at = NAME(place_of)(j, first);
    struct NAME(place) ahead = NAME(place_of)(j, first + NAME(AHEAD));
    for (int64_t i = 0; i < count; i++) {
        int64_t k = j->out_first;
        NAME(foresee)(j, l, j->dst, k, j->out_count, ahead, 1);
        for (; k < behind && k + LANES <= l->channels; k += LANES, m += LANES)
            NAME(transform_out_vector)(j, at, k, m, m_step, false, tail);
        if (k < behind) {
            NAME(transform_out_vector)(j, at, k, m, m_step, true, tail);
            m += LANES;
        }
        NAME(advance)(j, &at);
        NAME(advance)(j, &ahead);
    }
}

static void NAME(tiles)(const struct rc_winograd_job *j, int64_t first, int64_t count,
                        float *scratch)
{
    const int64_t u_step = rc_winograd_step(j->block, j->in_channels);
    float *u = scratch, *m = scratch + 36 * u_step;
    NAME(transform_in)(j, first, count, u, u_step);
    NAME(products)(j, count, u, m);
    NAME(transform_out)(j, first, count, m, rc_winograd_step(j->block, j->out_count));
}
