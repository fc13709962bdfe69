/* F(2x2, 3x3), after winograd_tiles.h and in the same way: 16 multiplications per channel pair and
 * 2x2 outputs instead of 36, with weights not twice as large as plain ones. */

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
INLINE void NAME(small_in_vector)(const struct rc_winograd_job *j, struct NAME(place) at,
                                  const float *src, float *u, int64_t u_step, const bool part,
                                  TAIL tail)
{
    const struct rc_winograd_layout *l = &j->src_layout;
    const int64_t y0 = at.y - 1, x0 = at.x - 1;
    const float *from = src + y0 * l->row + x0 * l->pixel;
    VEC d[4], t[16];
    for (int x = 0; x < 4; x++) {
        for (int y = 0; y < 4; y++) {
            const bool in = y0 + y >= 0 && y0 + y < j->height && x0 + x >= 0 && x0 + x < j->width;
            d[y] = in ? NAME(load_part)(from + y * l->row + x * l->pixel, part, tail) : (VEC){0};
        }
        NAME(small_input_1d)(d, t + x, 4);
    }
    for (int y = 0; y < 4; y++) {
        NAME(small_input_1d)(t + y * 4, d, 1);
        for (int x = 0; x < 4; x++)
            NAME(store)(u + (y * 4 + x) * u_step, d[x]);
    }
}

/* 16 positions of a vector of channels to 2x2 pixels, cut at the image's edge, with what is fused.
 */
INLINE void NAME(small_out_vector)(const struct rc_winograd_job *j, struct NAME(place) at,
                                   int64_t channel, const float *m, int64_t m_step, const bool part,
                                   TAIL tail)
{
    const struct rc_winograd_layout *l = &j->dst_layout;
    float *dst = j->dst + at.image * l->image + rc_winograd_channel(l, channel) + at.y * l->row +
                 at.x * l->pixel;
    const VEC bias = j->bias ? NAME(load)(j->bias + channel) : (VEC){0};
    VEC d[4], t[8], o[2];
    for (int x = 0; x < 4; x++) {
        for (int y = 0; y < 4; y++)
            d[y] = NAME(load)(m + (y * 4 + x) * m_step);
        NAME(small_output_1d)(d, t + x, 4);
    }
    for (int y = 0; y < 2; y++) {
        NAME(small_output_1d)(t + y * 4, o, 1);
        for (int x = 0; x < 2; x++)
            if (at.y + y < j->height && at.x + x < j->width)
                NAME(put)
        (dst + y * l->row + x * l->pixel, o[x] + bias, j->sum, j->relu, part, tail);
    }
}

static void NAME(small_tiles)(const struct rc_winograd_job *j, int64_t first, int64_t count,
                              float *scratch)
{
    const int64_t u_step = rc_winograd_step(j->block, j->in_channels);
    const int64_t m_step = rc_winograd_step(j->block, j->out_count);
    const struct rc_winograd_layout *from = &j->src_layout, *to = &j->dst_layout;
    const TAIL in_tail = TAIL_OF(from->channels % LANES), out_tail = TAIL_OF(to->channels % LANES);
    struct NAME(place) at = NAME(place_of)(j, first);
    float *u = scratch, *m = scratch + 16 * u_step;
    for (int64_t i = 0; i < count; i++, NAME(advance)(j, &at)) {
        const float *src = j->src + at.image * from->image;
        float *tile = u + i * j->in_channels;
        int64_t c = 0;
        for (; c + LANES <= from->channels; c += LANES)
            NAME(small_in_vector)
        (j, at, src + rc_winograd_channel(from, c), tile + c, u_step, false, in_tail);
        if (c < from->channels)
            NAME(small_in_vector)(j, at, src + c, tile + c, u_step, true, in_tail);
    }
    NAME(products)(j, count, u, m);
    at = NAME(place_of)(j, first);
    for (int64_t i = 0; i < count; i++, NAME(advance)(j, &at)) {
        const int64_t behind = j->out_first + j->out_count;
        const float *tile = m + i * j->out_count;
        int64_t k = j->out_first;
        for (; k < behind && k + LANES <= to->channels; k += LANES, tile += LANES)
            NAME(small_out_vector)(j, at, k, tile, m_step, false, out_tail);
        if (k < behind)
            NAME(small_out_vector)(j, at, k, tile, m_step, true, out_tail);
    }
}

/* G g along one axis: g[0], g[s], g[2s] to o[0], o[t] .. o[3t]. */
INLINE void NAME(small_weights_1d)(const VEC *g, int s, VEC *o, int t)
{
    const VEC ends = (g[0] + g[2 * s]) * 0.5f, middle = g[s] * 0.5f;
    o[0] = g[0];
    o[t] = ends + middle;
    o[2 * t] = ends - middle;
    o[3 * t] = g[2 * s];
}

static void NAME(small_pack_pair)(const struct rc_winograd_plain *g, int64_t first, int64_t in,
                                  float *to, int64_t step)
{
    VEC d[9], t[12], o[4];
    NAME(taps)(g, first, in, d);
    for (int x = 0; x < 3; x++)
        NAME(small_weights_1d)(d + x, 3, t + x, 3);
    for (int y = 0; y < 4; y++) {
        NAME(small_weights_1d)(t + y * 3, 1, o, 1);
        for (int x = 0; x < 4; x++)
            NAME(store)(to + (y * 4 + x) * step, o[x]);
    }
}
