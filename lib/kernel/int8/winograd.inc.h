/* Winograd's part of kernel/int8/tiles.inc.h, which includes it. No include guard on purpose. */
typedef uint8_t NAME(pixels) __attribute__((vector_size(16), aligned(1), may_alias));
typedef int8_t NAME(signed_pixels) __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint16_t NAME(halves) __attribute__((vector_size(32), aligned(2), may_alias));
typedef uint32_t NAME(words) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define HALVES NAME(halves)
#define WORDS NAME(words)

INLINE HALVES NAME(pixel)(const struct rci_qkernel_job *j, const uint8_t *x)
{
    if (j->src_type == RC_U8)
        return __builtin_convertvector(*(const NAME(pixels) *) x, HALVES);
    return __builtin_convertvector(*(const NAME(signed_pixels) *) x, HALVES);
}

/* B' d along one axis: d[0], d[s] .. d[5s] to o[0] .. o[5]. */
INLINE void NAME(input_1d)(const HALVES *d, int s, HALVES *o)
{
    const HALVES d0 = d[0], d1 = d[s], d2 = d[2 * s], d3 = d[3 * s], d4 = d[4 * s], d5 = d[5 * s];
    const HALVES a = d4 - (d2 << 2), b = d3 - (d1 << 2), c = d4 - d2, f = d3 - d1;
    o[0] = a + (d0 << 2) - d2;
    o[1] = a + b;
    o[2] = a - b;
    o[3] = c + f + f;
    o[4] = c - f - f;
    o[5] = d5 - d3 - (f << 2);
}

/* Addresses of the six rows around a tile at its first column, 0 outside the image, and the columns
 * inside: [first, last). Numbers, because the first column may lie before the source. */
struct NAME(around) {
    uintptr_t row[6];
    int64_t first, last;
};

/* 16 channels, of which `left` exist, to u[36]. */
INLINE void NAME(channels_in)(const struct rci_qkernel_job *j, const struct NAME(around) * a,
                              int64_t c, int64_t left, char *u, const int64_t first,
                              const int64_t last)
{
    HALVES d[6], t[36];
    for (int y = 0; y < 6; y++) {
        uintptr_t at = a->row[y] + (uintptr_t) c;
        for (int x = 0; x < 6; x++, at += (uintptr_t) j->in_c) {
            uint8_t few[16] = {0};
            if (!a->row[y] || x < first || x >= last) {
                d[x] = (HALVES){0};
                continue;
            }
            if (left < 16)
                memcpy(few, (const uint8_t *) at, (size_t) left);
            d[x] = NAME(pixel)(j, left < 16 ? few : (const uint8_t *) at);
        }
        NAME(input_1d)(d, 1, t + y * 6);
    }
    for (int x = 0; x < 6; x++) {
        NAME(input_1d)(t + x, 6, d);
        for (int y = 0; y < 6; y++)
            *(HALVES *) (u + (y * 6 + x) * j->u_step) = d[y];
    }
}

static void NAME(tile_in)(const struct rci_qkernel_job *j, int64_t tile, void *to)
{
    const int64_t row = tile / j->tiles_x, image = row / j->tiles_y;
    const int64_t y0 = (row - image * j->tiles_y) * 4 - 1, x0 = (tile - row * j->tiles_x) * 4 - 1;
    const int64_t line = j->in_w * j->in_c;
    struct NAME(around) a = {.first = x0 < 0, .last = j->in_w - x0 < 6 ? j->in_w - x0 : 6};
    for (int y = 0; y < 6; y++)
        a.row[y] = y0 + y >= 0 && y0 + y < j->in_h
                       ? (uintptr_t) j->src +
                             (uintptr_t) ((image * j->in_h + y0 + y) * line + x0 * j->in_c)
                       : 0;
    int64_t c = 0;
    for (char *u = to; c + 16 <= j->in_c; c += 16, u += 32)
        if (!a.first && a.last == 6)
            NAME(channels_in)(j, &a, c, 16, u, 0, 6);
        else if (a.first && a.last == 6)
            NAME(channels_in)(j, &a, c, 16, u, 1, 6);
        else if (!a.first && a.last == 5)
            NAME(channels_in)(j, &a, c, 16, u, 0, 5);
        else
            NAME(channels_in)(j, &a, c, 16, u, a.first, a.last);
    if (c < j->in_c)
        NAME(channels_in)(j, &a, c, j->in_c - c, (char *) to + c * 2, a.first, a.last);
}

/* A' m along one axis: six values `s` apart to four values `t` apart; the last of the six counts
 * twice, see qkernel.c. */
INLINE void NAME(output_1d)(const WORDS *m, int s, WORDS *o, int t)
{
    const WORDS sum = m[s] + m[2 * s], diff = m[s] - m[2 * s];
    const WORDS sum2 = m[3 * s] + m[4 * s], diff2 = m[3 * s] - m[4 * s], twice = diff2 + diff2;
    o[0] = m[0] + sum + sum2;
    o[t] = diff + twice;
    o[2 * t] = sum + (sum2 << 2);
    o[3 * t] = diff + (twice << 2) + m[5 * s] + m[5 * s];
}

/* Weights that are read next are asked for along the way, `step` bytes at a time: they come from
 * far when they are many. */
struct NAME(ahead) {
    uintptr_t at, step;
};

/* m[24][tiles] = A' of u[6][tiles][channels] * w[channels / 2][6], for six positions side by side;
 * one vector of outputs. */
INLINE void NAME(positions)(const struct rci_qkernel_job *j, const char *u, const char *w, char *m,
                            const struct NAME(ahead) * next, const int tiles)
{
    WORDS sum[TILES][6], o[4];
    const int64_t step = j->channels * 2;
#pragma GCC unroll 8
    for (int r = 0; r < tiles; r++)
#pragma GCC unroll 8
        for (int p = 0; p < 6; p++)
            sum[r][p] = (WORDS){0};
    uintptr_t ahead = next->at;
    for (int64_t i = 0; i < step; i += 4, w += 6 * 4 * LANES) {
        for (uintptr_t line = (ahead + 63) & ~(uintptr_t) 63; line < ahead + next->step; line += 64)
            __builtin_prefetch((const void *) line, 0, 2);
        ahead += next->step;
#pragma GCC unroll 8
        for (int p = 0; p < 6; p++) {
            const INTS weights = LOAD(w + p * 4 * LANES);
#pragma GCC unroll 8
            for (int r = 0; r < tiles; r++) {
                int32_t pair;
                memcpy(&pair, u + p * j->u_step + r * step + i, 4);
                sum[r][p] = (WORDS) DOT16((INTS) sum[r][p], weights, OP(set1_epi32)(pair));
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < tiles; r++) {
        NAME(output_1d)(sum[r], 1, o, 1);
#pragma GCC unroll 8
        for (int x = 0; x < 4; x++)
            *(WORDS *) (m + x * j->m_step + r * 4 * LANES) = o[x];
    }
}

/* m[24][tiles] of one vector of outputs. */
static void NAME(products)(const struct rci_qkernel_job *j, int64_t tiles, const char *u,
                           const char *w, char *m)
{
    const int64_t passes = (tiles + TILES - 1) / TILES, steps = j->channels / 2;
    const uintptr_t share = (uintptr_t) (6 * 4 * LANES / passes + 1);
    for (int v = 0; v < 6; v++, u += 6 * j->u_step, m += 4 * j->m_step, w += j->weights_vec) {
        struct NAME(ahead) next = {(uintptr_t) (w + j->weights_vec), share};
        for (int64_t t = 0; t < tiles; t += TILES, next.at += share * (uintptr_t) steps) {
            const char *from = u + t * j->channels * 2;
            char *to = m + t * 4 * LANES;
            if (tiles - t >= TILES)
                NAME(positions)(j, from, w, to, &next, TILES);
            else
                for (int64_t r = 0; r < tiles - t; r++)
                    NAME(positions)(j, from + r * j->channels * 2, w, to + r * 4 * LANES, &next, 1);
        }
    }
}

INLINE void NAME(tile_out)(const struct rci_qkernel_job *j, const struct NAME(tail) * to,
                           int64_t tile, const char *m, const enum NAME(form) form)
{
    const WORDS ninth = (WORDS){0} + UINT32_C(0x38e38e39); /* 9 * ninth = 1 modulo 2^32 */
    const int64_t row = tile / j->tiles_x, image = row / j->tiles_y;
    const int64_t y0 = (row - image * j->tiles_y) * 4, x0 = (tile - row * j->tiles_x) * 4;
    const int64_t pixel = image * j->out_h * j->out_w;
    const int64_t ny = j->out_h - y0 < 4 ? j->out_h - y0 : 4;
    const int64_t nx = j->out_w - x0 < 4 ? j->out_w - x0 : 4;
    for (int64_t x = 0; x < nx; x++) {
        WORDS d[6], y[4];
        for (int v = 0; v < 6; v++)
            d[v] = *(const WORDS *) (m + (v * 4 + x) * j->m_step);
        NAME(output_1d)(d, 1, y, 1);
        for (int64_t v = 0; v < ny; v++)
            NAME(put)
        (to, OP(cvtepi32_ps)((INTS) (y[v] * ninth)), pixel + (y0 + v) * j->out_w + x0 + x, form);
    }
}

/* m[24][tiles]. */
INLINE void NAME(put_tiles)(const struct rci_qkernel_job *j, const struct NAME(tail) * to,
                            const int64_t tiles[2], const char *m, const enum NAME(form) form)
{
    for (int64_t t = tiles[0]; t < tiles[1]; t++, m += 4 * LANES)
        NAME(tile_out)(j, to, t, m, form);
}

static void NAME(tiles_out)(const struct rci_qkernel_job *j, const int64_t tiles[2],
                            const int64_t out[2], const void *u, void *m)
{
    for (int64_t o = out[0]; o < out[1]; o += LANES) {
        const struct NAME(tail) to = NAME(tail_of)(j, o);
        NAME(products)
        (j, tiles[1] - tiles[0], u, (const char *) j->weights + o / LANES * 6 * j->weights_vec, m);
        BY_FORM(to.form, put_tiles, j, &to, tiles, m);
    }
}
