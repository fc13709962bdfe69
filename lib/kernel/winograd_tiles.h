/* The vector code of winograd.c: one source, compiled once per instruction set by the files that
 * include it. They define LANES (floats per vector), FMA(a, b, c) = a * b + c, BROADCAST(x), ROWS
 * (tiles per register block: ROWS x 2 accumulators, two weights and one broadcast must fit the
 * registers), NAME(f) and SET_NAME. No include guard on purpose.
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

/* B' d along one axis: d[0], d[s] .. d[5s] to o[0], o[s] .. o[5s]. */
INLINE void NAME(input_1d)(const VEC *d, int s, VEC *o)
{
    const VEC d0 = d[0], d1 = d[s], d2 = d[2 * s], d3 = d[3 * s], d4 = d[4 * s], d5 = d[5 * s];
    const VEC a = d4 - 4.0f * d2, b = d3 - 4.0f * d1, c = d4 - d2, e = 2.0f * (d3 - d1);
    o[0] = a + 4.0f * d0 - d2;
    o[s] = a + b;
    o[2 * s] = a - b;
    o[3 * s] = c + e;
    o[4 * s] = c - e;
    o[5 * s] = 4.0f * d1 - 5.0f * d3 + d5;
}

/* A' m along one axis: six values `s` apart to four values `t` apart. */
INLINE void NAME(output_1d)(const VEC *m, int s, VEC *o, int t)
{
    const VEC sum = m[s] + m[2 * s], diff = m[s] - m[2 * s];
    const VEC sum2 = m[3 * s] + m[4 * s], diff2 = m[3 * s] - m[4 * s];
    o[0] = m[0] + sum + sum2;
    o[t] = diff + 2.0f * diff2;
    o[2 * t] = sum + 4.0f * sum2;
    o[3 * t] = diff + 8.0f * diff2 + m[5 * s];
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
    return (struct NAME(place)){i / per_image, in_image / j->tiles_x * 4,
                                in_image % j->tiles_x * 4};
}

/* Asks for the pixels of a tile that the tile before it did not read: rows are short and far apart,
 * which the processor does not foresee. `write` is a constant. */
INLINE void NAME(foresee)(const struct rc_winograd_job *j, const struct rc_winograd_layout *l,
                          const float *base, int64_t channel, int64_t channels, int64_t tile,
                          const int write)
{
    if (tile >= j->batch * j->tiles_y * j->tiles_x)
        return;
    const struct NAME(place) at = NAME(place_of)(j, tile);
    const int64_t ny = j->height - at.y < 4 ? j->height - at.y : 4;
    const int64_t nx = j->width - at.x < 4 ? j->width - at.x : 4;
    for (int64_t c = channel; c < channel + channels; c += LANES) {
        const float *p = base + at.image * l->image + rc_winograd_channel(l, c) + at.y * l->row +
                         at.x * l->pixel;
        for (int64_t y = 0; y < ny; y++)
            for (int64_t x = 0; x < nx; x++)
                __builtin_prefetch(p + y * l->row + x * l->pixel, write, 2);
    }
}

/* 6x6 pixels around the tile, zeros outside the image, to u[36 positions][channels]. */
static void NAME(transform_in)(const struct rc_winograd_job *j, int64_t tile, float *u,
                               int64_t u_step)
{
    const struct NAME(place) at = NAME(place_of)(j, tile);
    const struct rc_winograd_layout *l = &j->src_layout;
    const int64_t y0 = at.y - 1, x0 = at.x - 1;
    const bool inside = y0 >= 0 && x0 >= 0 && y0 + 6 <= j->height && x0 + 6 <= j->width;
    for (int64_t cb = 0; cb < j->in_channels / LANES; cb++) {
        const float *src = j->src + at.image * l->image + rc_winograd_channel(l, cb * LANES);
        VEC d[36], t[36];
        if (inside) {
            const float *from = src + y0 * l->row + x0 * l->pixel;
            for (int y = 0; y < 6; y++)
                for (int x = 0; x < 6; x++)
                    d[y * 6 + x] = NAME(load)(from + y * l->row + x * l->pixel);
        } else {
            for (int y = 0; y < 6; y++)
                for (int x = 0; x < 6; x++) {
                    const int64_t sy = y0 + y, sx = x0 + x;
                    const bool in = sy >= 0 && sy < j->height && sx >= 0 && sx < j->width;
                    d[y * 6 + x] = in ? NAME(load)(src + sy * l->row + sx * l->pixel) : (VEC){0};
                }
        }
        for (int x = 0; x < 6; x++)
            NAME(input_1d)(d + x, 6, t + x);
        for (int y = 0; y < 6; y++)
            NAME(input_1d)(t + y * 6, 1, d + y * 6);
        for (int k = 0; k < 36; k++)
            NAME(store)(u + k * u_step + cb * LANES, d[k]);
    }
}

/* m[rows][q vectors] = u[rows][c] * w[q][c][LANES]; rows and q are constants where this is used.
 * `next` are the weights that come after these: with few tiles a layer is as fast as its weights
 * arrive. */
INLINE void NAME(multiply)(const float *u, int64_t c, const float *w, const float *next, float *m,
                           int64_t k, const int rows, const int q)
{
    VEC acc[ROWS][2];
    const float *third[(ROWS + 2) / 3]; /* every third row: p[0], p[c], p[2c] need no registers */
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
        acc[r][0] = acc[r][1] = (VEC){0};
#pragma GCC unroll 4
    for (int r = 0; r < rows; r += 3)
        third[r / 3] = u + r * c;
    for (int64_t i = 0; i < c; i++) {
        const VEC w0 = NAME(load)(w + i * LANES);
        const VEC w1 = q > 1 ? NAME(load)(w + (c + i) * LANES) : (VEC){0};
        if (next)
            for (int x = 0; x < q * LANES; x += 16) /* cache lines */
                __builtin_prefetch(next + i * q * LANES + x, 0, 2);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            const VEC x = BROADCAST(third[r / 3][r % 3 * c]);
            acc[r][0] = FMA(x, w0, acc[r][0]);
            if (q > 1)
                acc[r][1] = FMA(x, w1, acc[r][1]);
        }
#pragma GCC unroll 4
        for (int r = 0; r < rows; r += 3)
            third[r / 3]++;
    }
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

/* One position: m[tiles][k] = u[tiles][c] * w[k / LANES][c][LANES]; `after` is the next one's w. */
static void NAME(product)(int64_t c, int64_t k, int64_t tiles, const float *u, const float *w,
                          const float *after, float *m)
{
    const int64_t groups = k / LANES;
    for (int64_t kb = 0; kb < groups; kb += 2) {
        const bool two = kb + 1 < groups;
        const float *now = w + kb * c * LANES;
        const float *next = kb + 2 < groups ? now + 2 * c * LANES : after;
        for (int64_t t = 0; t < tiles; t += ROWS) {
            const int64_t rows = tiles - t < ROWS ? tiles - t : ROWS;
            float *to = m + t * k + kb * LANES;
            if (two)
                NAME(multiply_2)(u + t * c, c, now, t ? NULL : next, to, k, rows);
            else
                NAME(multiply_1)(u + t * c, c, now, t ? NULL : next, to, k, rows);
        }
    }
}

/* m[36 positions][channels from out_first on] to 4x4 pixels, cut at the image's edge, with what is
 * fused. */
static void NAME(transform_out)(const struct rc_winograd_job *j, int64_t tile, const float *m,
                                int64_t m_step)
{
    const struct NAME(place) at = NAME(place_of)(j, tile);
    const struct rc_winograd_layout *l = &j->dst_layout;
    const int ny = j->height - at.y < 4 ? (int) (j->height - at.y) : 4;
    const int nx = j->width - at.x < 4 ? (int) (j->width - at.x) : 4;
    for (int64_t kb = 0; kb < j->out_count / LANES; kb++) {
        const int64_t channel = j->out_first + kb * LANES;
        float *dst = j->dst + at.image * l->image + rc_winograd_channel(l, channel) +
                     at.y * l->row + at.x * l->pixel;
        const VEC bias = j->bias ? NAME(load)(j->bias + channel) : (VEC){0};
        VEC d[36], t[24], o[16];
        for (int i = 0; i < 36; i++)
            d[i] = NAME(load)(m + i * m_step + kb * LANES);
        for (int x = 0; x < 6; x++)
            NAME(output_1d)(d + x, 6, t + x, 6);
        for (int y = 0; y < 4; y++)
            NAME(output_1d)(t + y * 6, 1, o + y * 4, 1);
        for (int y = 0; y < ny; y++)
            for (int x = 0; x < nx; x++) {
                float *p = dst + y * l->row + x * l->pixel;
                VEC v = o[y * 4 + x] + bias;
                if (j->sum)
                    v += NAME(load)(p);
                if (j->relu)
                    v = (VEC) (~(v < 0.0f) & (NAME(bits)) v); /* NaN stays */
                NAME(store)(p, v);
            }
    }
}

static void NAME(tiles)(const struct rc_winograd_job *j, int64_t first, int64_t count,
                        float *scratch)
{
    const int64_t c = j->in_channels, k = j->out_count;
    const int64_t u_step = rc_winograd_step(j->block, c), m_step = rc_winograd_step(j->block, k);
    const float *weights = j->weights + j->out_first * c;
    float *u = scratch, *m = scratch + 36 * u_step;
    for (int64_t i = 0; i < count; i++) {
        NAME(foresee)(j, &j->src_layout, j->src, 0, c, first + i + NAME(AHEAD), 0);
        NAME(transform_in)(j, first + i, u + i * c, u_step);
    }
    for (int p = 0; p < 36; p++) {
        const float *w = weights + p * c * j->out_channels;
        NAME(product)
        (c, k, count, u + p * u_step, w, p < 35 ? w + c * j->out_channels : NULL, m + p * m_step);
    }
    for (int64_t i = 0; i < count; i++) {
        NAME(foresee)(j, &j->dst_layout, j->dst, j->out_first, k, first + i + NAME(AHEAD), 1);
        NAME(transform_out)(j, first + i, m + i * k, m_step);
    }
}
