/* The vector code of winograd.c: tiles, and the transforms of tiles of 4x4, after
 * kernel/vector/block.inc.h and in the same way.
 *
 * Interpolation points are 0, P, -P, Q, -Q and infinity (Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", 2016, with 1 and 2). */
#include "kernel/winograd/code.h"

/* Tiles between the one that is read or written and the one that is asked for. */
enum { NAME(AHEAD) = 2 };

/* Where tile number `i` lies. */
struct NAME(place) {
    int64_t image, y, x;
};

INLINE struct NAME(place) NAME(place_of)(const struct rci_winograd_job *j, int64_t i)
{
    const int64_t per_image = j->tiles_y * j->tiles_x, in_image = i % per_image;
    return (struct NAME(place)){i / per_image, in_image / j->tiles_x * j->side,
                                in_image % j->tiles_x * j->side};
}

INLINE void NAME(advance)(const struct rci_winograd_job *j, struct NAME(place) * at)
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
 * which hardware prefetchers do not follow. `write` is a constant. */
INLINE void NAME(prefetch)(const struct rci_winograd_job *j, const struct rci_conv_layout *l,
                          const ELEM *base, int64_t first, int64_t end, struct NAME(place) at,
                          const int write)
{
    if (!j->prefetch || at.image >= j->batch)
        return;
    const int64_t ny = j->height - at.y < j->side ? j->height - at.y : j->side;
    const int64_t nx = j->width - at.x < j->side ? j->width - at.x : j->side;
    const int64_t line = l->shift < 4 ? LANES : 16;
    for (int64_t c = first; c < end; c += line) {
        const ELEM *p =
            base + at.image * l->image + rci_conv_channel(l, c) + at.y * l->row + at.x * l->pixel;
        for (int64_t y = 0; y < ny; y++)
            for (int64_t x = 0; x < nx; x++)
                __builtin_prefetch(p + y * l->row + x * l->pixel, write, 2);
    }
}

#if ROWS == 6
#include "kernel/winograd/pairs_tiles.inc.h"
#else

/* B' d along one axis: d[0] .. d[5] to o[0], o[t], o[2t]; the first or the second three of six. In
 * two dimensions three rows at a time stay in registers, six would not. `second` is a constant. */
INLINE void NAME(input_half)(const VEC *d, const bool second, VEC *o, int t)
{
    if (second) {
        const VEC a = NAME(times)(-P * P, d[2], d[4]), b = NAME(times)(-P * P, d[1], d[3]);
        o[0] = NAME(times)(Q, b, a);
        o[t] = NAME(times)(-Q, b, a);
        o[2 * t] = NAME(times)(P * P * Q * Q, d[1], NAME(times)(-(P * P + Q * Q), d[3], d[5]));
    } else {
        const VEC a = NAME(times)(-Q * Q, d[2], d[4]), b = NAME(times)(-Q * Q, d[1], d[3]);
        o[0] = NAME(times)(-P * P, d[2], NAME(times)(P * P * Q * Q, d[0], a));
        o[t] = NAME(times)(P, b, a);
        o[2 * t] = NAME(times)(-P, b, a);
    }
}

/* A' m along one axis: m[0] .. m[5] to o[0], o[t]; values 0 and 2 of four, or 1 and 3. `odd` is a
 * constant. */
INLINE void NAME(output_half)(const VEC *m, const bool odd, VEC *o, int t)
{
    if (odd) {
        const VEC diff = NAME(scaled)(P, m[1] - m[2]), diff2 = m[3] - m[4];
        o[0] = NAME(times)(Q, diff2, diff);
        o[t] = NAME(times)(Q * Q * Q, diff2, NAME(scaled)(P * P, diff)) + m[5];
    } else {
        const VEC sum = m[1] + m[2], sum2 = m[3] + m[4];
        o[0] = m[0] + sum + sum2;
        o[t] = NAME(times)(Q * Q, sum2, NAME(scaled)(P * P, sum));
    }
}

/* Three of six rows of positions, from 6x6 pixels around a tile of which only those inside the
 * image are read. `all`: that is all of them. */
INLINE void NAME(transform_in_rows)(const struct rci_winograd_job *j, const ELEM *from, int64_t y0,
                                    int64_t x0, float *u, int64_t u_step, const int half,
                                    const bool all, const bool second, const bool part, TAIL tail)
{
    const struct rci_conv_layout *l = &j->src_layout;
    VEC d[6], t[18];
#pragma GCC unroll 6
    for (int x = 0; x < 6; x++) {
        const bool column = all || (x0 + x >= 0 && x0 + x < j->width);
#pragma GCC unroll 6
        for (int y = 0; y < 6; y++) {
            const bool in = all || (column && y0 + y >= 0 && y0 + y < j->height);
            d[y] = in ? NAME(load_part)(from + y * l->row + x * l->pixel, part, tail) : (VEC){0};
        }
        NAME(input_half)(d, second, t + x, 6);
    }
#pragma GCC unroll 6
    for (int y = 0; y < 3; y++) {
        NAME(input_half)(t + y * 6, false, d, 1);
        NAME(input_half)(t + y * 6, true, d + 3, 1);
#pragma GCC unroll 6
        for (int x = 0; x < 6; x++)
            STORE_WORDS(u + ((second ? 3 + y : y) * 6 + x) * u_step, d[x], half);
    }
}

/* One vector of channels from src on. */
INLINE void NAME(transform_in_vector)(const struct rci_winograd_job *j, struct NAME(place) at,
                                      const ELEM *src, float *u, int64_t u_step, const int half,
                                      const bool part, TAIL tail)
{
    const struct rci_conv_layout *l = &j->src_layout;
    const int64_t y0 = at.y - 1, x0 = at.x - 1;
    const ELEM *from = src + y0 * l->row + x0 * l->pixel;
    if (y0 >= 0 && x0 >= 0 && y0 + 6 <= j->height && x0 + 6 <= j->width) {
        NAME(transform_in_rows)(j, from, y0, x0, u, u_step, half, true, false, part, tail);
        NAME(transform_in_rows)(j, from, y0, x0, u, u_step, half, true, true, part, tail);
    } else {
        NAME(transform_in_rows)(j, from, y0, x0, u, u_step, half, false, false, part, tail);
        NAME(transform_in_rows)(j, from, y0, x0, u, u_step, half, false, true, part, tail);
    }
}

/* Rows 0 and 2 of a tile's 4x4 pixels, or 1 and 3, with what is fused; ny x nx of all are inside
 * the image. */
INLINE void NAME(transform_out_rows)(const struct rci_winograd_job *j, ELEM *dst, VEC bias,
                                     const float *m, int64_t m_step, const bool odd, const int ny,
                                     const int nx, const bool part, TAIL tail)
{
    const struct rci_conv_layout *l = &j->dst_layout;
    VEC d[6], t[12], o[4];
#pragma GCC unroll 6
    for (int x = 0; x < 6; x++) {
#pragma GCC unroll 6
        for (int y = 0; y < 6; y++)
            d[y] = NAME(load)(m + (y * 6 + x) * m_step);
        NAME(output_half)(d, odd, t + x, 6);
    }
#pragma GCC unroll 6
    for (int i = 0; i < 2; i++) {
        const int y = 2 * i + odd;
        NAME(output_half)(t + i * 6, false, o, 2);
        NAME(output_half)(t + i * 6, true, o + 1, 2);
#pragma GCC unroll 6
        for (int x = 0; x < 4; x++) {
            if (P != 1.0f)
                o[x] += bias;
            if (y < ny && x < nx)
                NAME(put)
            (dst + y * l->row + x * l->pixel, o[x], j->sum, j->relu, part, tail);
        }
    }
}

/* One vector of channels from `channel` on. */
INLINE void NAME(transform_out_vector)(const struct rci_winograd_job *j, struct NAME(place) at,
                                       int64_t channel, const float *m, int64_t m_step,
                                       const bool part, TAIL tail)
{
    const struct rci_conv_layout *l = &j->dst_layout;
    const int ny = j->height - at.y < 4 ? (int) (j->height - at.y) : 4;
    const int nx = j->width - at.x < 4 ? (int) (j->width - at.x) : 4;
    ELEM *dst = (ELEM *) j->dst + at.image * l->image + rci_conv_channel(l, channel) +
                at.y * l->row + at.x * l->pixel;
    const VEC bias = P != 1.0f && j->bias ? NAME(load)(j->bias + channel) : (VEC){0};
    if (ny == 4 && nx == 4) {
        NAME(transform_out_rows)(j, dst, bias, m, m_step, false, 4, 4, part, tail);
        NAME(transform_out_rows)(j, dst, bias, m, m_step, true, 4, 4, part, tail);
    } else {
        NAME(transform_out_rows)(j, dst, bias, m, m_step, false, ny, nx, part, tail);
        NAME(transform_out_rows)(j, dst, bias, m, m_step, true, ny, nx, part, tail);
    }
}
#endif
