/* 1x1 convolutions whose weights are W[first + i][i] = 1 and 0 elsewhere. */
#include "kernel/onednn/onednn.h"
#include "op/common.h"
#include "op/conv/ways.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))
enum { UNIT = 8 };

struct move {
    struct rci_conv_geometry g;
    struct rci_conv_layout src, dst;
    int64_t first;         /* output channel of input channel 0 */
    bool whole, sum, relu; /* channels move in groups of UNIT */
};

/* The output channel that takes input channel 0, if every other one follows it; else -1. */
static int64_t first_of(const struct rci_conv_geometry *g, const float *w)
{
    const int64_t in = g->in_channels, out = g->out_channels;
    int64_t first = 0;
    while (first < out && w[first * in] == 0)
        first++;
    if (first + in > out)
        return -1;
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            if (w[o * in + i] != (o == first + i ? 1.0f : 0.0f))
                return -1;
    return first;
}

/* One tap that always falls inside the image. */
static bool geometry_fits(const struct rci_conv_geometry *g)
{
    bool fits = g->groups == 1;
    for (int i = 0; i < 2; i++)
        fits = fits && g->kernel[i] == 1 && g->pad_begin[i] == 0 &&
               (g->out[i] - 1) * g->stride[i] < g->in[i];
    return fits;
}

/* False where the convolution does more than move, or lies in another layout. */
static bool move_describe(struct move *m, const struct rci_request *req,
                          const struct rci_conv_spec *s)
{
    const struct rci_conv_geometry *g = s->geometry;
    struct rci_conv_spec fused = {.sum = false};
    *m = (struct move){.g = *g};
    if (req->training || req->bf16 || s->bias || !req->in[1].data ||
        !rci_conv_posts_fit(req->node, &fused) || !geometry_fits(g) ||
        !rci_conv_layout_of(s->src, &m->src) || !rci_conv_layout_of(s->dst, &m->dst))
        return false;
    m->sum = fused.sum;
    m->relu = fused.relu;
    m->first = first_of(g, req->in[1].data);
    /* every boundary between zeros and moved channels lies between groups of UNIT */
    m->whole = (m->first | g->in_channels | m->dst.channels) % UNIT == 0 &&
               rci_conv_layout_in(&m->src, UNIT) && rci_conv_layout_in(&m->dst, UNIT);
    return m->first >= 0;
}

bool rci_conv_moves(const struct rci_request *req, const struct rci_conv_spec *s)
{
    struct move m;
    return move_describe(&m, req, s);
}

typedef float vec __attribute__((vector_size(16), aligned(4)));
typedef int32_t mask __attribute__((vector_size(16)));
enum { LANES = 4 };

INLINE float fuse(float old, float v, const bool sum, const bool relu)
{
    v = sum ? old + v : v;
    return relu && v < 0 ? 0 : v;
}

/* The ReLU as a mask: NaN < 0 is false and stays. */
INLINE vec fuse_vec(vec old, vec v, const bool sum, const bool relu)
{
    v = sum ? old + v : v;
    return relu ? (vec) ((mask) v & ~(v < 0)) : v;
}

/* Channels side by side in both layouts; `from` NULL: zeros. unit, sum and relu are constants. */
INLINE void put(float *to, const float *from, const int unit, const bool sum, const bool relu)
{
    int i = 0;
    for (; i + LANES <= unit; i += LANES) {
        vec *at = (vec *) (to + i);
        *at = fuse_vec(*at, from ? *(const vec *) (from + i) : (vec){0}, sum, relu);
    }
    for (; i < unit; i++)
        to[i] = fuse(to[i], from ? from[i] : 0, sum, relu);
}

INLINE void move_row(const struct move *m, const float *from, float *to, const int unit,
                     const bool sum, const bool relu)
{
    const int64_t step = m->g.stride[1] * m->src.pixel, end = m->first + m->g.in_channels;
    for (int64_t x = 0; x < m->g.out[1]; x++, from += step, to += m->dst.pixel) {
        for (int64_t c = 0; c < m->first; c += unit)
            put(to + rci_conv_channel(&m->dst, c), NULL, unit, sum, relu);
        for (int64_t c = m->first; c < end; c += unit)
            put(to + rci_conv_channel(&m->dst, c), from + rci_conv_channel(&m->src, c - m->first),
                unit, sum, relu);
        for (int64_t c = end; c < m->dst.channels; c += unit)
            put(to + rci_conv_channel(&m->dst, c), NULL, unit, sum, relu);
    }
}

INLINE void move_row_fused(const struct move *m, const float *from, float *to, const int unit)
{
    if (m->sum && m->relu)
        move_row(m, from, to, unit, true, true);
    else if (m->sum)
        move_row(m, from, to, unit, true, false);
    else if (m->relu)
        move_row(m, from, to, unit, false, true);
    else
        move_row(m, from, to, unit, false, false);
}

static rc_status move_share(const struct rci_step_io *io)
{
    const struct move *m = io->state;
    const struct rci_conv_geometry *g = &m->g;
#pragma omp for schedule(static) nowait
    for (int64_t r = 0; r < g->batch * g->out[0]; r++) {
        const int64_t image = r / g->out[0], y = r % g->out[0];
        const float *from = io->in[0];
        float *to = io->out[0];
        from += image * m->src.image + y * g->stride[0] * m->src.row;
        to += image * m->dst.image + y * m->dst.row;
        if (m->whole)
            move_row_fused(m, from, to, UNIT);
        else
            move_row_fused(m, from, to, 1);
    }
    return RC_OK;
}

/* New weights of the same shape (a session that is refreshed) must move the same way. */
static bool move_suits(const void *state, const void *weights)
{
    const struct move *m = state;
    return first_of(&m->g, weights) == m->first;
}

rc_status rci_conv_move(const struct rci_request *req, struct rci_prep *p,
                        const struct rci_conv_spec *s)
{
    struct move *m = RC_NEW(rci_engine_context(req->engine), struct move);
    if (!m)
        return RC_ERR_MEMORY;
    move_describe(m, req, s);
    p->want[1] = NULL;
    p->state = m;
    p->free = rci_release;
    p->run = move_share;
    p->team = true;
    p->suits = move_suits;
    p->impl = "move";
    return RC_OK;
}
