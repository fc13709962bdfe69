/* F(2x2, 3x3), after kernel/winograd/tiles.inc.h and in the same way: 16 multiplications per
 * channel pair and 2x2 outputs instead of 36, with weights not twice as large as plain ones. */
#if WORD == 1

/* B' d along one axis: d[0] .. d[3] to o[0], o[t] .. o[3t]. */
INLINE void NAME(small_input_1d)(const VEC *d, VEC *o, int t)
{
    o[0] = d[0] - d[2];
    o[t] = d[1] + d[2];
    o[2 * t] = d[2] - d[1];
    o[3 * t] = d[1] - d[3];
}

/* A' m along one axis: m[0] .. m[3] to o[0], o[t]. */
INLINE void NAME(small_output_1d)(const VEC *m, VEC *o, int t)
{
    o[0] = m[0] + m[1] + m[2];
    o[t] = m[1] - m[2] - m[3];
}

/* 4x4 pixels around a tile, zeros outside the image, of one vector of channels from src on. */
INLINE void NAME(small_in_vector)(const struct rci_winograd_job *j, struct NAME(place) at,
                                  const ELEM *src, float *u, int64_t u_step, const bool part,
                                  TAIL tail)
{
    const struct rci_conv_layout *l = &j->src_layout;
    const int64_t y0 = at.y - 1, x0 = at.x - 1;
    const ELEM *from = src + y0 * l->row + x0 * l->pixel;
    VEC d[4], t[16];
#pragma GCC unroll 6
    for (int x = 0; x < 4; x++) {
#pragma GCC unroll 6
        for (int y = 0; y < 4; y++) {
            const bool in = y0 + y >= 0 && y0 + y < j->height && x0 + x >= 0 && x0 + x < j->width;
            d[y] = in ? NAME(load_part)(from + y * l->row + x * l->pixel, part, tail) : (VEC){0};
        }
        NAME(small_input_1d)(d, t + x, 4);
    }
#pragma GCC unroll 6
    for (int y = 0; y < 4; y++) {
        NAME(small_input_1d)(t + y * 4, d, 1);
#pragma GCC unroll 6
        for (int x = 0; x < 4; x++)
            NAME(store)(u + (y * 4 + x) * u_step, d[x]);
    }
}

/* 16 positions of a vector of channels to 2x2 pixels, cut at the image's edge, with what is fused.
 */
INLINE void NAME(small_out_vector)(const struct rci_winograd_job *j, struct NAME(place) at,
                                   int64_t channel, const float *m, int64_t m_step, const bool part,
                                   TAIL tail)
{
    const struct rci_conv_layout *l = &j->dst_layout;
    ELEM *dst = (ELEM *) j->dst + at.image * l->image + rci_conv_channel(l, channel) +
                at.y * l->row + at.x * l->pixel;
    VEC d[4], t[8], o[2];
#pragma GCC unroll 6
    for (int x = 0; x < 4; x++) {
#pragma GCC unroll 6
        for (int y = 0; y < 4; y++)
            d[y] = NAME(load)(m + (y * 4 + x) * m_step);
        NAME(small_output_1d)(d, t + x, 4);
    }
#pragma GCC unroll 6
    for (int y = 0; y < 2; y++) {
        NAME(small_output_1d)(t + y * 4, o, 1);
#pragma GCC unroll 6
        for (int x = 0; x < 2; x++)
            if (at.y + y < j->height && at.x + x < j->width)
                NAME(put)
        (dst + y * l->row + x * l->pixel, o[x], j->sum, j->relu, part, tail);
    }
}
#endif
