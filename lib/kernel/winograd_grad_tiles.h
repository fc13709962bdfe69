/* The weights gradient's vector code, after winograd_tiles.h and in the same way: per pair of
 * channels dg = G' [sum over tiles (B' d B) o (A dy A')] G. */

/* Channels of the source per register block: GRAD_ROWS x 2 accumulators. Divides LANES, hence the
 * padded channels. */
#define GRAD_ROWS (LANES / 2)

/* A y along one axis: y[0], y[s] .. y[3s] to o[0], o[t] .. o[5t]. */
INLINE void NAME(gradient_1d)(const VEC *y, int s, VEC *o, int t)
{
    const VEC even = y[0] + y[2 * s], odd = y[s] + y[3 * s];
    const VEC even2 = y[0] + 4.0f * y[2 * s], odd2 = 2.0f * y[s] + 8.0f * y[3 * s];
    o[0] = y[0];
    o[t] = even + odd;
    o[2 * t] = even - odd;
    o[3 * t] = even2 + odd2;
    o[4 * t] = even2 - odd2;
    o[5 * t] = y[3 * s];
}

/* 4x4 pixels of the output's gradient, zeros outside the image, to v[36 positions][channels]. */
static void NAME(transform_gradient)(const struct rc_winograd_job *j, int64_t tile, float *v,
                                     int64_t v_step)
{
    const struct NAME(place) at = NAME(place_of)(j, tile);
    const struct rc_winograd_layout *l = &j->dst_layout;
    const bool inside = at.y + 4 <= j->height && at.x + 4 <= j->width;
    for (int64_t kb = 0; kb < j->out_channels / LANES; kb++) {
        const float *from = j->dst + at.image * l->image + rc_winograd_channel(l, kb * LANES) +
                            at.y * l->row + at.x * l->pixel;
        VEC d[16], t[24], o[36];
        for (int y = 0; y < 4; y++)
            for (int x = 0; x < 4; x++)
                d[y * 4 + x] = inside || (at.y + y < j->height && at.x + x < j->width)
                                   ? NAME(load)(from + y * l->row + x * l->pixel)
                                   : (VEC){0};
        for (int x = 0; x < 4; x++)
            NAME(gradient_1d)(d + x, 4, t + x, 4);
        for (int y = 0; y < 6; y++)
            NAME(gradient_1d)(t + y * 4, 1, o + y * 6, 1);
        for (int k = 0; k < 36; k++)
            NAME(store)(v + k * v_step + kb * LANES, o[k]);
    }
}

/* s[GRAD_ROWS][q vectors] += u[tiles][GRAD_ROWS]' * v[tiles][q vectors]; q is a constant. */
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
            acc[r][0] = FMA(x, v0, acc[r][0]);
            if (q > 1)
                acc[r][1] = FMA(x, v1, acc[r][1]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < GRAD_ROWS; r++) {
        NAME(store)(s + r * k, acc[r][0]);
        if (q > 1)
            NAME(store)(s + r * k + LANES, acc[r][1]);
    }
}

static void NAME(grad_tiles)(const struct rc_winograd_job *j, int64_t first, int64_t count,
                             float *scratch, float *sums, float *bias_sums)
{
    const int64_t c = j->in_channels, k = j->out_channels;
    const int64_t u_step = rc_winograd_step(j->block, c), v_step = rc_winograd_step(j->block, k);
    float *u = scratch, *v = scratch + 36 * u_step;
    for (int64_t i = 0; i < count; i++) {
        NAME(foresee)(j, &j->src_layout, j->src, 0, c, first + i + NAME(AHEAD), 0);
        NAME(foresee)(j, &j->dst_layout, j->dst, 0, k, first + i + NAME(AHEAD), 0);
        NAME(transform_in)(j, first + i, u + i * c, u_step);
        NAME(transform_gradient)(j, first + i, v + i * k, v_step);
    }
    if (bias_sums) /* position (1, 1) has the sum of the tile's pixels */
        for (int64_t i = 0; i < count; i++)
            for (int64_t o = 0; o < k; o += LANES)
                NAME(store)
    (bias_sums + o, NAME(load)(bias_sums + o) + NAME(load)(v + 7 * v_step + i * k + o));
    for (int p = 0; p < 36; p++)
        for (int64_t i = 0; i < c; i += GRAD_ROWS)
            for (int64_t o = 0; o < k; o += 2 * LANES) {
                float *s = sums + (p * c + i) * k + o;
                if (o + LANES < k)
                    NAME(outer)(count, u + p * u_step + i, c, v + p * v_step + o, k, s, 2);
                else
                    NAME(outer)(count, u + p * u_step + i, c, v + p * v_step + o, k, s, 1);
            }
}

/* G' s along one axis: six values `a` apart to three values `b` apart. */
INLINE void NAME(weights_back_1d)(const VEC *s, int a, VEC *o, int b)
{
    const VEC sum = s[a] + s[2 * a], diff = s[2 * a] - s[a];
    const VEC sum2 = s[3 * a] + s[4 * a], diff2 = s[3 * a] - s[4 * a];
    o[0] = s[0] * 0.25f - sum * (1.0f / 6) + sum2 * (1.0f / 24);
    o[b] = diff * (1.0f / 6) + diff2 * (1.0f / 12);
    o[2 * b] = (sum2 - sum) * (1.0f / 6) + s[5 * a];
}

static void NAME(grad_weights)(const float *sums, int64_t step, int64_t first, int64_t out,
                               int64_t out_step, float *plain)
{
    VEC d[36], t[18], o[9];
    for (int p = 0; p < 36; p++)
        d[p] = NAME(load)(sums + p * step);
    for (int x = 0; x < 6; x++)
        NAME(weights_back_1d)(d + x, 6, t + x, 6);
    for (int y = 0; y < 3; y++)
        NAME(weights_back_1d)(t + y * 6, 1, o + y * 3, 1);
    const int64_t lanes = out - first < LANES ? out - first : LANES;
    for (int64_t l = 0; l < lanes; l++)
        for (int x = 0; x < 9; x++)
            plain[(first + l) * out_step + x] = o[x][l];
}
