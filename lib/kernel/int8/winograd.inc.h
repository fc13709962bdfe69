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

/* m[36][tiles][2 vectors] = u[36][tiles][channels] * w[36][2 vectors][channels / 2]. */
static void NAME(products)(const struct rci_qkernel_job *j, int64_t tiles, const char *u,
                           const char *w, char *m)
{
    const int64_t blocks = (tiles + ROWS - 1) / ROWS;
    struct NAME(left) l = {.step = j->channels * 2, .runs = 1, .dwords = j->channels / 2};
    for (int p = 0; p < 36; p++, u += j->u_step, m += j->m_step, w += 2 * j->weights_vec)
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t from = b * tiles / blocks, to = (b + 1) * tiles / blocks;
            l.x = u + from * l.step;
            NAME(product_16)(&l, w, j->weights_vec, m + from * 8 * LANES, to - from);
        }
}

/* A' m A of one vector, a ninth of it, to y[4][4]. */
INLINE void NAME(transform_out)(const char *m, int64_t step, WORDS y[16])
{
    const WORDS ninth = (WORDS){0} + UINT32_C(0x38e38e39); /* 9 * ninth = 1 modulo 2^32 */
    WORDS half[24], d[6];
    for (int v = 0; v < 6; v++) {
        for (int x = 0; x < 6; x++)
            d[x] = *(const WORDS *) (m + (v * 6 + x) * step);
        NAME(output_1d)(d, 1, half + v * 4, 1);
    }
    for (int x = 0; x < 4; x++)
        NAME(output_1d)(half + x, 4, y + x, 4);
    for (int i = 0; i < 16; i++)
        y[i] *= ninth;
}

INLINE void NAME(tile_out)(const struct rci_qkernel_job *j, const struct NAME(tail) * to,
                           int64_t tile, const char *m, const enum NAME(form) form)
{
    const int64_t row = tile / j->tiles_x, image = row / j->tiles_y;
    const int64_t y0 = (row - image * j->tiles_y) * 4, x0 = (tile - row * j->tiles_x) * 4;
    const int64_t pixel = (image * j->out_h + y0) * j->out_w + x0;
    const int64_t ny = j->out_h - y0 < 4 ? j->out_h - y0 : 4;
    const int64_t nx = j->out_w - x0 < 4 ? j->out_w - x0 : 4;
    WORDS a[16], b[16];
    NAME(transform_out)(m, j->m_step, a);
    NAME(transform_out)(m + 4 * LANES, j->m_step, b);
    for (int64_t v = 0; v < ny; v++)
        for (int64_t x = 0; x < nx; x++)
            NAME(put)
    (to, OP(cvtepi32_ps)((INTS) a[v * 4 + x]), OP(cvtepi32_ps)((INTS) b[v * 4 + x]),
     pixel + v * j->out_w + x, form);
}

/* m[36][tiles][2 vectors]. */
INLINE void NAME(put_tiles)(const struct rci_qkernel_job *j, const struct NAME(tail) * tail,
                            const int64_t tiles[2], const char *m, const enum NAME(form) form)
{
    const struct NAME(tail) to = *tail;
    for (int64_t t = tiles[0]; t < tiles[1]; t++, m += 8 * LANES)
        NAME(tile_out)(j, &to, t, m, form);
}

static void NAME(tiles_out)(const struct rci_qkernel_job *j, const int64_t tiles[2],
                            const int64_t out[2], const void *u, void *m)
{
    const char *w = (const char *) j->weights + out[0] / (2 * LANES) * 72 * j->weights_vec;
    for (int64_t o = out[0]; o < out[1]; o += 2 * LANES, w += 72 * j->weights_vec) {
        const struct NAME(tail) to = NAME(tail_of)(j, o);
        NAME(products)(j, tiles[1] - tiles[0], u, w, m);
        BY_FORM(to.form, put_tiles, j, &to, tiles, m);
    }
}
