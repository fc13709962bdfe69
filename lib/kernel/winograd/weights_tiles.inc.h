/* The weights' vector code, after kernel/winograd/tiles.inc.h and in the same way: G g G' per pair
 * of channels, for a vector of output channels at a time. */

/* G g along one axis: g[0], g[s], g[2s] to o[0], o[t] .. o[5t]. */
INLINE void NAME(weights_1d)(const VEC *g, int s, VEC *o, int t)
{
    const float p = 1 / (2 * P * P * (P * P - Q * Q)), q = 1 / (2 * Q * Q * (Q * Q - P * P));
    const VEC ends = (g[0] + P * P * g[2 * s]) * p, middle = g[s] * (P * p);
    const VEC far = (g[0] + Q * Q * g[2 * s]) * q, middle2 = g[s] * (Q * q);
    o[0] = g[0] * (1 / (P * P * Q * Q));
    o[t] = ends + middle;
    o[2 * t] = ends - middle;
    o[3 * t] = far + middle2;
    o[4 * t] = far - middle2;
    o[5 * t] = g[2 * s];
}

/* Nine taps of a pair of channels for a vector of output channels, zeros behind the last. */
INLINE void NAME(taps)(const struct rci_winograd_plain *g, int64_t first, int64_t in, VEC *d)
{
    const int64_t lanes = g->out - first < LANES ? g->out - first : LANES;
    const float *from = g->data + first * g->out_step + in * g->in_step;
    for (int x = 0; x < 9; x++) {
        d[x] = (VEC){0};
        for (int64_t l = 0; l < lanes; l++)
            d[x][l] = from[l * g->out_step + x * g->tap_step];
    }
}

/* One input channel to halves of words, or whole ones. */
INLINE void NAME(pack_channel)(const struct rci_winograd_plain *g, int64_t first, int64_t in,
                               float *to, int64_t step, const int half)
{
    VEC d[9], t[18];
    NAME(taps)(g, first, in, d);
    for (int x = 0; x < 3; x++)
        NAME(weights_1d)(d + x, 3, t + x, 3);
    for (int y = 0; y < 6; y++) {
        VEC o[6];
        NAME(weights_1d)(t + y * 3, 1, o, 1);
        for (int x = 0; x < 6; x++)
            STORE_WORDS(to + (y * 6 + x) * step, o[x], half);
    }
}

static void NAME(pack_pair)(const struct rci_winograd_plain *g, int64_t first, int64_t in,
                            float *to, int64_t step)
{
    NAME(pack_channel)(g, first, in, to, step, RC_FIRST_HALF);
    if (WORD > 1 && in + 1 < g->in)
        NAME(pack_channel)(g, first, in + 1, to, step, RC_SECOND_HALF);
}

#if WORD == 1
/* G g along one axis: g[0], g[s], g[2s] to o[0], o[t] .. o[3t]. */
INLINE void NAME(small_weights_1d)(const VEC *g, int s, VEC *o, int t)
{
    const VEC ends = (g[0] + g[2 * s]) * 0.5f, middle = g[s] * 0.5f;
    o[0] = g[0];
    o[t] = ends + middle;
    o[2 * t] = ends - middle;
    o[3 * t] = g[2 * s];
}

static void NAME(small_pack_pair)(const struct rci_winograd_plain *g, int64_t first, int64_t in,
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
#endif
