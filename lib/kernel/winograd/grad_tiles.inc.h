/* The weights gradient's vector code, after kernel/winograd/tiles.inc.h and in the same way: per
 * pair of channels dg = G' [sum over tiles (B' d B) o (A dy A')] G. */

/* Channels of the source per register block: GRAD_ROWS x 2 accumulators. Divides in_cover. */
#define GRAD_ROWS (ROWS == 12 ? 8 : 4)

/* Tiles to u[36 positions][tiles / WORD][channels]. */
static void NAME(transform_pairs)(const struct rci_winograd_job *j,
                                  const struct rci_winograd_piece *p, float *u)
{
#if WORD == 1
    NAME(transform_in)(j, p, u);
#else
    NAME(in_stage)(j, p, u, 4, true);
#endif
}

#if ROWS != 6 /* which has this in kernel/winograd/pairs_tiles.inc.h */
/* A y along one axis: y[0], y[s] .. y[3s] to o[0], o[t] .. o[5t]. */
INLINE void NAME(gradient_1d)(const VEC *y, int s, VEC *o, int t)
{
    const VEC even = NAME(times)(P * P, y[2 * s], y[0]), odd = NAME(times)(P * P, y[3 * s], y[s]);
    const VEC even2 = NAME(times)(Q * Q, y[2 * s], y[0]), odd2 = NAME(times)(Q * Q, y[3 * s], y[s]);
    o[0] = y[0];
    o[t] = NAME(times)(P, odd, even);
    o[2 * t] = NAME(times)(-P, odd, even);
    o[3 * t] = NAME(times)(Q, odd2, even2);
    o[4 * t] = NAME(times)(-Q, odd2, even2);
    o[5 * t] = y[3 * s];
}

/* 4x4 pixels of the output's gradient, zeros outside the image, of one vector of channels from
 * `from` on. */
INLINE void NAME(transform_gradient_vector)(const struct rci_winograd_job *j, struct NAME(place) at,
                                            const ELEM *from, float *v, int64_t v_step,
                                            const int half, const bool part, TAIL tail)
{
    const struct rci_conv_layout *l = &j->dst_layout;
    const bool inside = at.y + 4 <= j->height && at.x + 4 <= j->width;
    VEC d[16], t[24];
#pragma GCC unroll 6
    for (int y = 0; y < 4; y++)
#pragma GCC unroll 6
        for (int x = 0; x < 4; x++)
            d[y * 4 + x] = inside || (at.y + y < j->height && at.x + x < j->width)
                               ? NAME(load_part)(from + y * l->row + x * l->pixel, part, tail)
                               : (VEC){0};
#pragma GCC unroll 6
    for (int x = 0; x < 4; x++)
        NAME(gradient_1d)(d + x, 4, t + x, 4);
#pragma GCC unroll 6
    for (int y = 0; y < 6; y++) {
        VEC o[6];
        NAME(gradient_1d)(t + y * 4, 1, o, 1);
#pragma GCC unroll 6
        for (int x = 0; x < 6; x++)
            STORE_WORDS(v + (y * 6 + x) * v_step, o[x], half);
    }
}
#endif

/* Tiles of the output's gradient to v[36 positions][tiles / WORD][channels]. */
static void NAME(transform_gradient)(const struct rci_winograd_job *j,
                                     const struct rci_winograd_piece *p, float *v)
{
    const struct rci_conv_layout *l = &j->dst_layout;
    const int64_t v_step = rci_winograd_pairs_step(j, WORD, j->out_channels);
    const TAIL tail = NAME(tail_before)(l, p->end);
    struct NAME(place) at = NAME(place_of)(j, p->tile);
    struct NAME(place) ahead = NAME(place_of)(j, p->tile + NAME(AHEAD));
    for (int64_t i = 0; i < p->tiles; i++) {
        const ELEM *dst =
            (const ELEM *) j->dst + at.image * l->image + at.y * l->row + at.x * l->pixel;
        NAME(prefetch)(j, l, (const ELEM *) j->dst, p->first, p->end, ahead, 0);
        for (int64_t k = p->first; k < p->end; k += LANES) {
            const ELEM *from = dst + rci_conv_channel(l, k);
            float *to = v + i / WORD * j->out_channels + k;
            const bool part = k + LANES > l->channels;
            if (i % WORD == 1 && part)
                NAME(transform_gradient_vector)
            (j, at, from, to, v_step, RC_SECOND_HALF, true, tail);
            else if (i % WORD == 1) NAME(transform_gradient_vector)(j, at, from, to, v_step,
                                                                    RC_SECOND_HALF, false, tail);
            else if (part)
                NAME(transform_gradient_vector)(j, at, from, to, v_step, RC_FIRST_HALF, true, tail);
            else NAME(transform_gradient_vector)(j, at, from, to, v_step, RC_FIRST_HALF, false,
                                                 tail);
        }
        NAME(advance)(j, &at);
        NAME(advance)(j, &ahead);
    }
}

/* s[GRAD_ROWS][q vectors] += u[tiles][GRAD_ROWS]' * v[tiles][q vectors] of words; q is a
 * constant. */
INLINE void NAME(outer)(int64_t tiles, const float *u, int64_t c, const float *v, int64_t k,
                        float *s, const int q)
{
    VEC acc[GRAD_ROWS][2];
#pragma GCC unroll 8
    for (int r = 0; r < GRAD_ROWS; r++) {
        acc[r][0] = NAME(load)(s + r * k);
        acc[r][1] = q > 1 ? NAME(load)(s + r * k + LANES) : (VEC){0};
    }
    for (int64_t i = 0; i < tiles; i++) {
        const VEC v0 = NAME(load)(v + i * k);
        const VEC v1 = q > 1 ? NAME(load)(v + i * k + LANES) : (VEC){0};
#pragma GCC unroll 8
        for (int r = 0; r < GRAD_ROWS; r++) {
            const VEC x = BROADCAST(u[i * c + r]);
            ADD_MAC(acc[r][0], x, v0);
            if (q > 1)
                ADD_MAC(acc[r][1], x, v1);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < GRAD_ROWS; r++) {
        NAME(store)(s + r * k, acc[r][0]);
        if (q > 1)
            NAME(store)(s + r * k + LANES, acc[r][1]);
    }
}

/* bias_sums[channels in p] += the sums of pixels: what position (1, 1) has, of the point 1. */
INLINE void NAME(add_bias)(const struct rci_winograd_job *j, const struct rci_winograd_piece *p,
                           const float *v, float *bias_sums)
{
    for (int64_t i = 0; i < p->tiles; i++, v += j->out_channels)
        for (int64_t o = p->first; o < p->end; o += LANES)
            NAME(store)(bias_sums + o, NAME(load)(bias_sums + o) + NAME(load)(v + o));
}

/* Of the output's channels in p. */
static void NAME(grad_products)(const struct rci_winograd_job *j,
                                const struct rci_winograd_piece *p, const float *u, const float *v,
                                float *sums, float *bias_sums)
{
    const int64_t c = j->in_cover, k = j->out_channels, rows = (p->tiles + WORD - 1) / WORD;
    const int64_t u_step = rci_winograd_pairs_step(j, WORD, c);
    const int64_t v_step = rci_winograd_pairs_step(j, WORD, k);
    if (bias_sums && WORD == 1 && P == 1.0f)
        NAME(add_bias)(j, p, v + 7 * v_step, bias_sums);
    for (int x = 0; x < 36; x++)
        for (int64_t i = 0; i < c; i += GRAD_ROWS)
            for (int64_t o = p->first; o < p->end; o += 2 * LANES) {
                const float *from = u + x * u_step + i, *grad = v + x * v_step + o;
                float *s = sums + (x * c + i) * k + o;
                if (o + LANES < p->end)
                    NAME(outer)(rows, from, c, grad, k, s, 2);
                else
                    NAME(outer)(rows, from, c, grad, k, s, 1);
            }
}

/* G' s along one axis: six values `a` apart to three values `b` apart. */
INLINE void NAME(weights_back_1d)(const VEC *s, int a, VEC *o, int b)
{
    const float p = 1 / (2 * P * P * (P * P - Q * Q)), q = 1 / (2 * Q * Q * (Q * Q - P * P));
    const VEC sum = s[a] + s[2 * a], diff = s[a] - s[2 * a];
    const VEC sum2 = s[3 * a] + s[4 * a], diff2 = s[3 * a] - s[4 * a];
    o[0] = s[0] * (1 / (P * P * Q * Q)) + sum * p + sum2 * q;
    o[b] = diff * (P * p) + diff2 * (Q * q);
    o[2 * b] = sum2 * (Q * Q * q) + sum * (P * P * p) + s[5 * a];
}

static void NAME(grad_weights)(const float *sums, int64_t step, int64_t first, int64_t out,
                               int64_t out_step, float *plain)
{
    VEC d[6], t[18], o[9];
    for (int x = 0; x < 6; x++) {
        for (int y = 0; y < 6; y++)
            d[y] = NAME(load)(sums + (y * 6 + x) * step);
        NAME(weights_back_1d)(d, 1, t + x, 6);
    }
    for (int y = 0; y < 3; y++)
        NAME(weights_back_1d)(t + y * 6, 1, o + y * 3, 1);
    const int64_t lanes = out - first < LANES ? out - first : LANES;
    for (int64_t l = 0; l < lanes; l++)
        for (int x = 0; x < 9; x++)
            plain[(first + l) * out_step + x] = o[x][l];
}
