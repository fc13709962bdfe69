/* The stages of Winograd's vector code, after the transforms and in the same way. */

/* Of the vector of channels that ends before `end`: those that exist in memory. */
INLINE TAIL NAME(tail_before)(const struct rci_conv_layout *l, int64_t end)
{
    const int64_t there = l->channels - end + LANES;
    return TAIL_OF(there < LANES ? there : LANES);
}

/* One vector of channels of one tile; side, half and part are constants. */
INLINE void NAME(tile_in)(const struct rci_winograd_job *j, struct NAME(place) at, const ELEM *from,
                          float *u, int64_t u_step, const int side, const int half, const bool part,
                          TAIL tail)
{
#if WORD == 1
    if (side == 2) {
        NAME(small_in_vector)(j, at, from, u, u_step, part, tail);
        return;
    }
#endif
    (void) side;
    (void) half;
#if ROWS != 6 /* which has an input stage of its own */
    NAME(transform_in_vector)(j, at, from, u, u_step, half, part, tail);
#endif
}

/* Tiles to u[positions][tiles][channels] or, with `pairs`, to u[positions][tiles / WORD][channels]
 * in which numbers of neighbouring tiles share a word; side and pairs are constants. */
INLINE void NAME(in_stage)(const struct rci_winograd_job *j, const struct rci_winograd_piece *p,
                           float *u, const int side, const bool pairs)
{
    const struct rci_conv_layout *l = &j->src_layout;
    const int64_t u_step = pairs ? rci_winograd_pairs_step(j, WORD, j->in_cover)
                                 : rci_winograd_step(j->block, j->in_step);
    const int half = pairs ? RC_FIRST_HALF : RC_ALL_HALVES; /* of a pair's first tile */
    const TAIL tail = NAME(tail_before)(l, p->end);
    struct NAME(place) at = NAME(place_of)(j, p->tile);
    struct NAME(place) ahead = NAME(place_of)(j, p->tile + NAME(AHEAD));
    for (int64_t i = 0; i < p->tiles; i++) {
        const ELEM *src = (const ELEM *) j->src + at.image * l->image;
        float *tile = u + (pairs ? i / WORD * j->in_cover : i * j->in_step);
        NAME(prefetch)(j, l, (const ELEM *) j->src, p->first, p->end, ahead, 0);
        for (int64_t c = p->first; c < p->end; c += LANES) {
            const ELEM *from = src + rci_conv_channel(l, c);
            float *to = tile + (pairs ? c : c / WORD);
            const bool part = c + LANES > l->channels;
            if (pairs && i % WORD == 1 && part)
                NAME(tile_in)(j, at, from, to, u_step, side, RC_SECOND_HALF, true, tail);
            else if (pairs && i % WORD == 1)
                NAME(tile_in)(j, at, from, to, u_step, side, RC_SECOND_HALF, false, tail);
            else if (part)
                NAME(tile_in)(j, at, from, to, u_step, side, half, true, tail);
            else
                NAME(tile_in)(j, at, from, to, u_step, side, half, false, tail);
        }
        NAME(advance)(j, &at);
        NAME(advance)(j, &ahead);
    }
}

static void NAME(transform_in)(const struct rci_winograd_job *j, const struct rci_winograd_piece *p,
                               float *u)
{
#if ROWS == 6
    const TAIL tail = NAME(tail_before)(&j->src_layout, p->end);
    for (int64_t i = 0, n; i < p->tiles; i += n)
        n = NAME(input_some)(j, NAME(place_of)(j, p->tile + i), p, p->tiles - i, u + i * j->in_step,
                             tail);
#else
    NAME(in_stage)(j, p, u, 4, false);
#endif
}

/* Two functions, so that each has its own registers. */
static void NAME(multiply_1)(const struct NAME(block) * b, int64_t rows)
{
    NAME(block_rows)(*b, rows, 1);
}

static void NAME(multiply_2)(const struct NAME(block) * b, int64_t rows)
{
    NAME(block_rows)(*b, rows, 2);
}

/* One position: m[tiles][channels] = bias + u[tiles][in] * w[channels / LANES][in][LANES], in
 * blocks of nearly equal numbers of tiles; `after` is the next one's w. */
INLINE void NAME(product)(const struct rci_winograd_job *j, const struct rci_winograd_piece *p,
                          const float *u, const float *w, const float *after, const float *bias,
                          float *m)
{
    const int64_t c = j->in_words, groups = (p->end - p->first) / LANES;
    struct NAME(block) one = {
        .windows = 1, .step = j->in_step, .n = c, .second = c * LANES, .to_step = j->out_count};
    for (int64_t g = 0; g < groups; g += 2, w += 2 * c * LANES) {
        const bool two = g + 1 < groups;
        const int64_t most = two ? ROWS : ROWS_1, blocks = (p->tiles + most - 1) / most;
        one.w = w;
        one.next = g + 2 < groups ? w + 2 * c * LANES : after;
        one.bias = bias ? bias + g * LANES : NULL;
        for (int64_t b = 0; b < blocks; b++) {
            const int64_t t = p->tiles * b / blocks, rows = p->tiles * (b + 1) / blocks - t;
            one.u = u + t * j->in_step;
            one.to = m + t * j->out_count + g * LANES;
            if (two)
                NAME(multiply_2)(&one, rows);
            else
                NAME(multiply_1)(&one, rows);
            one.next = NULL;
        }
    }
}

/* All positions of a block of tiles: u[positions][tiles][in] to m[positions][tiles][out]. What is
 * added at the position (1, 1), of the point 1, is added to every pixel. */
static void NAME(products)(const struct rci_winograd_job *j, const struct rci_winograd_piece *p,
                           const float *u, float *m)
{
    const int64_t u_step = rci_winograd_step(j->block, j->in_step);
    const int64_t m_step = rci_winograd_step(j->block, j->out_count);
    const int64_t all = j->in_words * j->out_channels;
    const float *w = j->weights + p->first * j->in_words;
    const int64_t one = P == 1.0f ? j->side + 3 : -1;
    m += p->first - j->out_first;
    for (int64_t i = 0; i < j->positions; i++, w += all, u += u_step, m += m_step)
        NAME(product)
    (j, p, u, w, i + 1 < j->positions ? w + all : NULL,
     i == one && j->bias ? j->bias + p->first : NULL, m);
}

INLINE void NAME(tile_out)(const struct rci_winograd_job *j, struct NAME(place) at, int64_t channel,
                           const float *m, int64_t m_step, const int side, const bool part,
                           TAIL tail)
{
#if WORD == 1
    if (side == 2) {
        NAME(small_out_vector)(j, at, channel, m, m_step, part, tail);
        return;
    }
#endif
    (void) side;
    NAME(transform_out_vector)(j, at, channel, m, m_step, part, tail);
}

/* m[positions][tiles][channels from out_first on] to tiles; `side` is a constant. */
INLINE void NAME(out_stage)(const struct rci_winograd_job *j, const struct rci_winograd_piece *p,
                            const float *m, const int side)
{
    const struct rci_conv_layout *l = &j->dst_layout;
    const int64_t m_step = rci_winograd_step(j->block, j->out_count);
    const TAIL tail = NAME(tail_before)(l, p->end);
    struct NAME(place) at = NAME(place_of)(j, p->tile);
    struct NAME(place) ahead = NAME(place_of)(j, p->tile + NAME(AHEAD));
    for (int64_t i = 0; i < p->tiles; i++, m += j->out_count) {
        NAME(prefetch)(j, l, (const ELEM *) j->dst, p->first, p->end, ahead, 1);
        for (int64_t k = p->first; k < p->end; k += LANES) {
            const float *from = m + k - j->out_first;
            if (k + LANES > l->channels)
                NAME(tile_out)(j, at, k, from, m_step, side, true, tail);
            else
                NAME(tile_out)(j, at, k, from, m_step, side, false, tail);
        }
        NAME(advance)(j, &at);
        NAME(advance)(j, &ahead);
    }
}

static void NAME(transform_out)(const struct rci_winograd_job *j,
                                const struct rci_winograd_piece *p, const float *m)
{
    NAME(out_stage)(j, p, m, 4);
}

#if WORD == 1
static void NAME(small_transform_in)(const struct rci_winograd_job *j,
                                     const struct rci_winograd_piece *p, float *u)
{
    NAME(in_stage)(j, p, u, 2, false);
}

static void NAME(small_transform_out)(const struct rci_winograd_job *j,
                                      const struct rci_winograd_piece *p, const float *m)
{
    NAME(out_stage)(j, p, m, 2);
}
#endif
