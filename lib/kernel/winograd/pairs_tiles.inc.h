/* The transforms of tiles of 4x4 where there are 16 vector registers, in place of those of
 * kernel/winograd/tiles.inc.h and included by it: two rows of six values at a time, which leaves
 * registers for what is computed from them. Functions of their own with few arguments, because GCC
 * would else work out the addresses of all positions before each tile. */

/* B' d along one axis: d[0] .. d[5] to six positions; what is needed longest is stored last. */
INLINE void NAME(input_store)(const VEC *d, float *u, int64_t u_step)
{
    float *u3 = u + 3 * u_step;
    const VEC e = NAME(times)(-P * P, d[2], d[4]), f = NAME(times)(-P * P, d[1], d[3]);
    NAME(store)(u, NAME(times)(Q * Q, NAME(scaled)(P * P, d[0]) - d[2], e));
    NAME(store)(u3 + 2 * u_step, NAME(times)(-Q * Q, f, NAME(times)(-P * P, d[3], d[5])));
    NAME(store)(u3, NAME(times)(Q, f, e));
    NAME(store)(u3 + u_step, NAME(times)(-Q, f, e));
    const VEC a = NAME(times)(-Q * Q, d[2], d[4]), b = NAME(times)(-Q * Q, d[1], d[3]);
    NAME(store)(u + u_step, NAME(times)(P, b, a));
    NAME(store)(u + 2 * u_step, NAME(times)(-P, b, a));
}

/* Tiles side by side, and where they go: rows 1, 0 and 5 of the first's 6x6 pixels, of which the
 * latter two are vectors of zeros, 0 apart, where they are outside the image. */
struct NAME(strip) {
    const ELEM *from, *top, *bottom;
    int64_t row, pixel, top_step, bottom_step, tiles;
    bool left, right;  /* the first column, the last one are outside the image */
    const ELEM *ahead; /* four rows that the tiles after these need first, or NULL */
    float *u;
    int64_t u_step, tile_step;
};

/* Asks for 4x4 pixels: beyond L2, rows are too short for the processor to prefetch them itself. */
INLINE void NAME(input_ahead)(const struct NAME(strip) * g, const ELEM *pixel)
{
    const int64_t step = g->pixel < 16 ? 2 : 1; /* pixels of a cache line */
    for (int64_t y = 0; y < 4; y++, pixel += g->row)
        for (int64_t x = 0; x < 4; x += step)
            __builtin_prefetch(pixel + x * g->pixel, 0, 2);
}

/* The pixels of a column that are read: r1 and r4 are its pixels of the rows 1 and 4. */
struct NAME(column) {
    const ELEM *r1, *r4, *top, *bottom;
};

/* One column of two rows of positions: 0 and 5, 1 and 2, or 3 and 4, the pair of that number, which
 * is a constant. */
INLINE void NAME(input_column)(const struct NAME(column) * d, int64_t row, VEC *s, VEC *t,
                               const int pair)
{
    const VEC d1 = NAME(load)(d->r1), d2 = NAME(load)(d->r1 + row);
    const VEC d3 = NAME(load)(d->r1 + 2 * row), d4 = NAME(load)(d->r4);
    if (pair == 0) {
        *s = NAME(times)(Q * Q, NAME(scaled)(P * P, NAME(load)(d->top)) - d2,
                         NAME(times)(-P * P, d2, d4));
        *t = NAME(times)(-Q * Q, NAME(times)(-P * P, d1, d3),
                         NAME(times)(-P * P, d3, NAME(load)(d->bottom)));
    } else {
        const float p = pair == 1 ? P : Q, q = pair == 1 ? Q : P;
        const VEC even = NAME(times)(-q * q, d2, d4), odd = NAME(times)(-q * q, d1, d3);
        *s = NAME(times)(p, odd, even);
        *t = NAME(times)(-p, odd, even);
    }
}

INLINE void NAME(next_column)(const struct NAME(strip) * g, struct NAME(column) * d, const int pair)
{
    d->r1 += g->pixel;
    d->r4 += g->pixel;
    if (pair == 0) {
        d->top += g->top_step;
        d->bottom += g->bottom_step;
    }
    __asm__("" : "+r"(d->r1), "+r"(d->r4)); /* worked out here, not before */
}

/* Two rows of positions of all tiles; neighbours share two columns. */
INLINE void NAME(input_pair)(const struct NAME(strip) * g, const int pair)
{
    struct NAME(column) d = {g->from, g->from + 3 * g->row, g->top, g->bottom};
    const int64_t row = g->row, u_step = g->u_step, second = (pair == 0 ? 30 : 6) * u_step;
    float *u = g->u + (pair == 0 ? 0 : 12 * pair - 6) * u_step;
    VEC s[6] = {{0}}, t[6] = {{0}};
    if (!g->left)
        NAME(input_column)(&d, row, s, t, pair);
    NAME(next_column)(g, &d, pair);
    NAME(input_column)(&d, row, s + 1, t + 1, pair);
    for (int64_t left = g->tiles; left > 0; left--, u += g->tile_step) {
        if (pair == 0 && g->ahead)
            NAME(input_ahead)(g, g->ahead + (g->tiles - left) * 4 * g->pixel);
#pragma GCC unroll 6
        for (int x = 2; x < 5; x++) {
            NAME(next_column)(g, &d, pair);
            NAME(input_column)(&d, row, s + x, t + x, pair);
        }
        NAME(next_column)(g, &d, pair);
        s[5] = t[5] = (VEC){0};
        if (left > 1 || !g->right)
            NAME(input_column)(&d, row, s + 5, t + 5, pair);
        NAME(input_store)(s, u, u_step);
        NAME(input_store)(t, u + second, u_step);
        s[0] = s[4];
        t[0] = t[4];
        s[1] = s[5];
        t[1] = t[5];
    }
}

static NOINLINE void NAME(input_ends)(const struct NAME(strip) * g)
{
    NAME(input_pair)(g, 0);
}

static NOINLINE void NAME(input_middle)(const struct NAME(strip) * g)
{
    NAME(input_pair)(g, 1);
    NAME(input_pair)(g, 2);
}

enum { NAME(STRIP) = 16 }; /* tiles at most */

/* The same where more rows or columns are outside the image, or channels behind the last one. */
static NOINLINE void NAME(input_edge)(const struct rci_winograd_job *j, struct NAME(place) at,
                                      struct NAME(strip) g, const bool part, TAIL tail)
{
    enum { WIDTH = 4 * NAME(STRIP) + 2 };
    VEC d[6 * WIDTH];
    const int64_t width = 4 * g.tiles + 2, first = at.x < 1;
    const int64_t end = j->width - at.x + 1 < width ? j->width - at.x + 1 : width;
    for (int64_t y = 0; y < 6; y++) {
        const ELEM *from = g.from + (y - 1) * g.row;
        const bool in = at.y + y >= 1 && at.y + y <= j->height;
        VEC *to = d + y * width;
        for (int64_t x = 0; x < width; x++)
            to[x] = (VEC){0};
        for (int64_t x = first; in && x < end; x++)
            to[x] = NAME(load_part)(from + x * g.pixel, part, tail);
    }
    g.top = (const float *) d;
    g.row = width * LANES;
    g.from = g.top + g.row;
    g.bottom = g.top + 5 * g.row;
    g.pixel = g.top_step = g.bottom_step = LANES;
    g.left = g.right = false;
    NAME(input_ends)(&g);
    NAME(input_middle)(&g);
}

/* Where the rows begin that tiles below those at `at` read first, or those of the next image. */
INLINE const ELEM *NAME(input_after)(const struct rci_winograd_job *j, struct NAME(place) at,
                                     int64_t channel)
{
    const struct rci_conv_layout *l = &j->src_layout;
    const bool below = at.y + 4 < j->height; /* maybe three of them only */
    if (!j->prefetch || j->height < 4 || (!below && at.image + 1 >= j->batch))
        return NULL;
    return (const ELEM *) j->src + (at.image + !below) * l->image + rci_conv_channel(l, channel) +
           (below ? at.y + 5 : 0) * l->row + at.x * l->pixel;
}

/* Tiles from `at` on to u; returns how many, which lie side by side. */
INLINE int64_t NAME(input_some)(const struct rci_winograd_job *j, struct NAME(place) at,
                                const struct rci_winograd_piece *p, int64_t most, float *u,
                                TAIL tail)
{
    static const VEC zeros;
    const struct rci_conv_layout *l = &j->src_layout;
    const int64_t in_row = j->width - at.x < 4 ? 1 : (j->width - at.x) / 4; /* whole ones */
    int64_t tiles = most < in_row ? most : in_row;
    if (tiles > NAME(STRIP))
        tiles = NAME(STRIP);
    const int64_t end = at.x + 4 * tiles; /* of what is written */
    const bool whole = at.y + 4 <= j->height && end <= j->width;
    const bool top = at.y > 0, bottom = at.y + 5 <= j->height;
    for (int64_t c = p->first; c < p->end; c += LANES) {
        const ELEM *src = (const ELEM *) j->src + at.image * l->image + rci_conv_channel(l, c) +
                          at.y * l->row + (at.x - 1) * l->pixel;
        const struct NAME(strip) g = {.from = src,
                                      .top = top ? src - l->row : (const float *) &zeros,
                                      .bottom = bottom ? src + 4 * l->row : (const float *) &zeros,
                                      .row = l->row,
                                      .pixel = l->pixel,
                                      .top_step = top ? l->pixel : 0,
                                      .bottom_step = bottom ? l->pixel : 0,
                                      .tiles = tiles,
                                      .left = at.x < 1,
                                      .right = end >= j->width,
                                      .ahead = whole ? NAME(input_after)(j, at, c) : NULL,
                                      .u = u + c,
                                      .u_step = rci_winograd_step(j->block, j->in_step),
                                      .tile_step = j->in_step};
        if (c + LANES > l->channels)
            NAME(input_edge)(j, at, g, true, tail);
        else if (!whole)
            NAME(input_edge)(j, at, g, false, tail);
        else {
            NAME(input_ends)(&g);
            NAME(input_middle)(&g);
        }
    }
    return tiles;
}

/* Where a tile of the output goes, and what is fused. */
struct NAME(target) {
    ELEM *to;
    int64_t row, pixel;
    VEC least; /* of what is stored: 0 or -infinity */
};

/* A' t along one axis and what is fused: t[0] .. t[5] to four pixels. */
INLINE void NAME(output_store)(const VEC *t, const struct NAME(target) * g, ELEM *to,
                               const bool sum)
{
    const VEC add = t[1] + t[2], sub = NAME(scaled)(P, t[1] - t[2]);
    const VEC add2 = t[3] + t[4], sub2 = t[3] - t[4];
    VEC o[4] = {t[0] + add + add2, NAME(times)(Q, sub2, sub),
                NAME(times)(Q * Q, add2, NAME(scaled)(P * P, add)),
                NAME(times)(Q * Q * Q, sub2, NAME(scaled)(P * P, sub)) + t[5]};
#pragma GCC unroll 4
    for (int x = 0; x < 4; x++, to += g->pixel) {
        if (sum)
            o[x] += NAME(load)(to);
        NAME(store)(to, (VEC) MAX(g->least, o[x]));
    }
}

/* Rows 0 and 2 of a tile's 4x4 pixels, or 1 and 3. `odd` and `sum` are constants. */
INLINE void NAME(output_pair)(const struct NAME(target) * g, const float *m, int64_t m_step,
                              const bool odd, const bool sum)
{
    const int64_t row = 6 * m_step;
    const float *m0 = m, *m3 = m + 3 * row;
    VEC s[6], t[6];
#pragma GCC unroll 6
    for (int x = 0; x < 6; x++) {
        const VEC d1 = NAME(load)(m0 + row), d2 = NAME(load)(m0 + 2 * row);
        const VEC d3 = NAME(load)(m3), d4 = NAME(load)(m3 + row);
        if (odd) {
            const VEC sub = NAME(scaled)(P, d1 - d2), sub2 = d3 - d4;
            s[x] = NAME(times)(Q, sub2, sub);
            t[x] =
                NAME(times)(Q * Q * Q, sub2, NAME(scaled)(P * P, sub)) + NAME(load)(m3 + 2 * row);
        } else {
            const VEC add = d1 + d2, add2 = d3 + d4;
            s[x] = NAME(load)(m0) + add + add2;
            t[x] = NAME(times)(Q * Q, add2, NAME(scaled)(P * P, add));
        }
        m0 += m_step;
        m3 += m_step;
        __asm__("" : "+r"(m0), "+r"(m3));
    }
    ELEM *to = g->to + (odd ? g->row : 0);
    NAME(output_store)(s, g, to, sum);
    NAME(output_store)(t, g, to + 2 * g->row, sum);
}

static NOINLINE void NAME(output_tile)(const struct NAME(target) * g, const float *m,
                                       int64_t m_step)
{
    NAME(output_pair)(g, m, m_step, false, false);
    NAME(output_pair)(g, m, m_step, true, false);
}

static NOINLINE void NAME(output_tile_sum)(const struct NAME(target) * g, const float *m,
                                           int64_t m_step)
{
    NAME(output_pair)(g, m, m_step, false, true);
    NAME(output_pair)(g, m, m_step, true, true);
}

/* Of the pixels inside the image, and of channels of `tail`. */
static NOINLINE void NAME(output_edge)(const struct rci_winograd_job *j, struct NAME(place) at,
                                       ELEM *to, const float *m, int64_t m_step, TAIL tail)
{
    const struct rci_conv_layout *l = &j->dst_layout;
    VEC o[16];
    const struct NAME(target) g = {(float *) o, 4 * LANES, LANES, BROADCAST(-INFINITY)};
    NAME(output_tile)(&g, m, m_step);
    for (int y = 0; y < 4 && at.y + y < j->height; y++)
        for (int x = 0; x < 4 && at.x + x < j->width; x++)
            NAME(put)(to + y * l->row + x * l->pixel, o[y * 4 + x], j->sum, j->relu, true, tail);
}

INLINE void NAME(transform_out_vector)(const struct rci_winograd_job *j, struct NAME(place) at,
                                       int64_t channel, const float *m, int64_t m_step,
                                       const bool part, TAIL tail)
{
    const struct rci_conv_layout *l = &j->dst_layout;
    ELEM *to = (ELEM *) j->dst + at.image * l->image + rci_conv_channel(l, channel) +
               at.y * l->row + at.x * l->pixel;
    const struct NAME(target) g = {to, l->row, l->pixel, BROADCAST(j->relu ? 0 : -INFINITY)};
    if (part || at.y + 4 > j->height || at.x + 4 > j->width)
        NAME(output_edge)(j, at, to, m, m_step, part ? tail : TAIL_OF(LANES));
    else if (j->sum)
        NAME(output_tile_sum)(&g, m, m_step);
    else
        NAME(output_tile)(&g, m, m_step);
}

/* --- the output's gradient --- */

/* A y along one axis: y[0] .. y[3] to six positions. */
INLINE void NAME(gradient_store)(const VEC *y, float *v, int64_t v_step)
{
    float *v3 = v + 3 * v_step;
    const VEC even = NAME(times)(P * P, y[2], y[0]), odd = NAME(times)(P * P, y[3], y[1]);
    const VEC even2 = NAME(times)(Q * Q, y[2], y[0]), odd2 = NAME(times)(Q * Q, y[3], y[1]);
    NAME(store)(v, y[0]);
    NAME(store)(v + v_step, NAME(times)(P, odd, even));
    NAME(store)(v + 2 * v_step, NAME(times)(-P, odd, even));
    NAME(store)(v3, NAME(times)(Q, odd2, even2));
    NAME(store)(v3 + v_step, NAME(times)(-Q, odd2, even2));
    NAME(store)(v3 + 2 * v_step, y[3]);
}

/* Of six rows of positions 1 and 2, of the point p = P, or 3 and 4, of Q: to the first. */
INLINE void NAME(gradient_pair)(const ELEM *from, int64_t row, int64_t pixel, float *v,
                                int64_t v_step, const float p)
{
    VEC s[4], t[4];
#pragma GCC unroll 4
    for (int x = 0; x < 4; x++, from += pixel) {
        const VEC y0 = NAME(load)(from), y1 = NAME(load)(from + row);
        const VEC even = NAME(times)(p * p, NAME(load)(from + 2 * row), y0);
        const VEC odd = NAME(times)(p * p, NAME(load)(from + 3 * row), y1);
        s[x] = NAME(times)(p, odd, even);
        t[x] = NAME(times)(-p, odd, even);
    }
    NAME(gradient_store)(s, v, v_step);
    NAME(gradient_store)(t, v + 6 * v_step, v_step);
}

/* Row 0 or 5 of positions, which is row 0 or 3 of the pixels. */
INLINE void NAME(gradient_end)(const ELEM *from, int64_t pixel, float *v, int64_t v_step)
{
    VEC y[4];
#pragma GCC unroll 4
    for (int x = 0; x < 4; x++)
        y[x] = NAME(load)(from + x * pixel);
    NAME(gradient_store)(y, v, v_step);
}

/* One vector of channels of 4x4 pixels. */
static NOINLINE void NAME(gradient_tile)(const ELEM *from, int64_t row, int64_t pixel, float *v,
                                         int64_t v_step)
{
    NAME(gradient_end)(from, pixel, v, v_step);
    NAME(gradient_pair)(from, row, pixel, v + 6 * v_step, v_step, P);
    NAME(gradient_pair)(from, row, pixel, v + 18 * v_step, v_step, Q);
    NAME(gradient_end)(from + 3 * row, pixel, v + 30 * v_step, v_step);
}

/* The same, zeros outside the image and behind the last channel. */
static NOINLINE void NAME(gradient_edge)(const struct rci_winograd_job *j, struct NAME(place) at,
                                         const ELEM *from, float *v, int64_t v_step, TAIL tail)
{
    const struct rci_conv_layout *l = &j->dst_layout;
    VEC y[16] = {{0}};
    for (int64_t r = 0; r < 4 && at.y + r < j->height; r++)
        for (int64_t x = 0; x < 4 && at.x + x < j->width; x++)
            y[r * 4 + x] = (VEC) LOAD_TAIL(from + r * l->row + x * l->pixel, tail);
    NAME(gradient_tile)((const float *) y, 4 * LANES, LANES, v, v_step);
}

INLINE void NAME(transform_gradient_vector)(const struct rci_winograd_job *j, struct NAME(place) at,
                                            const ELEM *from, float *v, int64_t v_step,
                                            const int half, const bool part, TAIL tail)
{
    const struct rci_conv_layout *l = &j->dst_layout;
    (void) half;
    if (part || at.y + 4 > j->height || at.x + 4 > j->width)
        NAME(gradient_edge)(j, at, from, v, v_step, part ? tail : TAIL_OF(LANES));
    else
        NAME(gradient_tile)(from, l->row, l->pixel, v, v_step);
}
