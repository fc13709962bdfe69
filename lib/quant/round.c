/* Integers q of one output channel with weights u and scale s, safe in pairs, by least
 *     E = sum over blocks (s q - u)' M (s q - u)        M: second moments of the block's inputs,
 * the error of the output as far as inputs of different blocks are uncorrelated. From the nearest
 * integers that are safe, coordinate descent: with g = M (s q - u) the best integer for input i,
 * all others as they are, is q_i - g_i / (M_ii s), rounded, within what its partners leave. So what
 * one weight of a pair must give up, inputs that behave alike take over. Partners whose sum is at
 * the bound move against each other. (Coordinate descent instead of GPTQ's one pass: bounds that
 * depend on the other weight of a pair suit it.) A larger scale makes fewer pairs unsafe and all
 * steps coarser: a channel with unsafe pairs takes the best of a few. */
#include "quant/round.h"
#include "kernel/int8/pairs.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { SWEEPS = 4, PARTNERS = 3 };
static const float growth[] = {1.0f, 1.04f, 1.09f, 1.15f, 1.22f, 1.3f, 1.4f, 1.5f};

/* One thread's. */
struct work {
    float *u, *e, *g; /* [in * taps] weights, [block] errors and gradient */
    int8_t *q, *best; /* [in * taps] */
};

static int smaller_of(int a, int b)
{
    return a < b ? a : b;
}

/* Inputs that some kernel adds to input (c, t) in 16 bits, as c' * taps + t'. */
static int partners(const struct rci_quant_blocks *b, int64_t c, int64_t t, int64_t to[PARTNERS])
{
    int n = 0;
    if ((c ^ 1) < b->in)
        to[n++] = (c ^ 1) * b->taps + t;
    if (b->in % 2 == 0 || b->one)
        return n;
    const int64_t runs[2] = {b->row, b->taps};
    for (int k = 0; k < 2; k++) {
        const int64_t first = t / runs[k] * runs[k], at = ((t - first) * b->in + c) ^ 1;
        if (at < runs[k] * b->in)
            to[n++] = at % b->in * b->taps + first + at / b->in;
    }
    return n;
}

void rci_round_limits(const struct rci_quant_blocks *b, int32_t top, const int8_t *q, int64_t i,
                      int range[2])
{
    int64_t other[PARTNERS];
    const int n = partners(b, i / b->taps, i % b->taps, other);
    range[0] = range[1] = top;
    for (int k = 0; k < n; k++) {
        const int v = q[other[k]];
        range[0] = smaller_of(range[0], RC_PAIR_MOST - (v < 0 ? -v : 0));
        range[1] = smaller_of(range[1], RC_PAIR_MOST - (v > 0 ? v : 0));
    }
}

/* The safe pair of one sign that is nearest to `a` and `b`, the real weights in steps. Neither
 * integer grows, so that other pairs stay safe. */
static bool round_shrink(float a, float b, int8_t *qa, int8_t *qb)
{
    const int sign = *qa < 0 ? -1 : 1, pa = sign * *qa, pb = sign * *qb;
    if (rci_pair_fits(*qa, *qb))
        return false;
    int na = (int) rintf(((float) sign * (a - b) + RC_PAIR_MOST) / 2);
    na = na < RC_PAIR_MOST - pb ? RC_PAIR_MOST - pb : smaller_of(na, pa);
    *qa = (int8_t) (sign * na);
    *qb = (int8_t) (sign * (RC_PAIR_MOST - na));
    return true;
}

/* Nearest integers, then safe ones. True: they differ. */
static bool round_start(const struct rci_round *r, const float *u, float scale, int8_t *q)
{
    const struct rci_quant_blocks *b = r->blocks;
    const float top = (float) r->top;
    bool changed = false;
    for (int64_t i = 0; i < b->in * b->taps; i++)
        q[i] = (int8_t) fmaxf(-top, fminf(top, rintf(u[i] / scale)));
    for (int64_t i = 0; i < b->in * b->taps; i++) {
        int64_t other[PARTNERS];
        const int n = partners(b, i / b->taps, i % b->taps, other);
        for (int k = 0; k < n; k++)
            if (other[k] > i &&
                round_shrink(u[i] / scale, u[other[k]] / scale, &q[i], &q[other[k]]))
                changed = true;
    }
    return changed;
}

/* --- one block --- */

struct block {
    const struct rci_round *r;
    const float *m; /* [size][size] */
    float scale;
    int64_t first, n, size; /* inputs: from the first on, those there are, and of a whole block */
    float *e, *g;
    int8_t *q; /* of the whole channel */
};

static void move(struct block *b, int64_t i, int by)
{
    const float step = b->scale * (float) by;
    b->q[b->first + i] = (int8_t) (b->q[b->first + i] + by);
    b->e[i] += step;
    for (int64_t k = 0; k < b->n; k++)
        b->g[k] += b->m[i * b->size + k] * step;
}

static bool improve_one(struct block *b, int64_t i)
{
    const int64_t at = b->first + i;
    const float m = b->m[i * b->size + i];
    int range[2];
    if (!(m > 0))
        return false;
    const float wish = (float) b->q[at] - b->g[i] / (m * b->scale);
    rci_round_limits(b->r->blocks, b->r->top, b->q, at, range);
    const int to = (int) rintf(fmaxf((float) -range[0], fminf((float) range[1], wish)));
    if (to == b->q[at])
        return false;
    move(b, i, to - b->q[at]);
    return true;
}

/* Channels c and c + 1 at one tap, when their sum is at the bound: one takes what the other gives.
 */
static bool improve_pair(struct block *b, int64_t i, int64_t k)
{
    const int qi = b->q[b->first + i], qk = b->q[b->first + k], sign = qi < 0 ? -1 : 1;
    const float m = b->m[i * b->size + i] + b->m[k * b->size + k] - 2 * b->m[i * b->size + k];
    if (sign * (qi + qk) != RC_PAIR_MOST || sign * qk < 0 || !(m > 0))
        return false;
    const float wish = (float) qi - (b->g[i] - b->g[k]) / (m * b->scale);
    const float least = (float) (RC_PAIR_MOST - b->r->top), most = (float) b->r->top;
    const float size = fmaxf(least, fminf(most, (float) sign * wish));
    const int by = sign * (int) rintf(size) - qi;
    if (!by)
        return false;
    move(b, i, by);
    move(b, k, -by);
    return true;
}

static void descend(struct block *b)
{
    const int64_t taps = b->r->blocks->taps;
    const bool exchange = b->r->blocks->in % 2 == 0;
    bool moved = true;
    for (int sweep = 0; sweep < SWEEPS && moved; sweep++) {
        moved = false;
        for (int64_t i = 0; i < b->n; i++) {
            moved |= improve_one(b, i);
            if (exchange && i / taps % 2 == 0 && i + taps < b->n)
                moved |= improve_pair(b, i, i + taps);
        }
    }
}

/* E of the block. */
static double settle(struct block *b, const float *u)
{
    double error = 0;
    for (int64_t i = 0; i < b->n; i++) {
        b->e[i] = b->scale * (float) b->q[b->first + i] - u[b->first + i];
        b->g[i] = 0;
    }
    if (!b->m) {
        for (int64_t i = 0; i < b->n; i++)
            error += (double) b->e[i] * (double) b->e[i];
        return error;
    }
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t k = 0; k < b->n; k++)
            b->g[k] += b->m[i * b->size + k] * b->e[i];
    descend(b);
    for (int64_t i = 0; i < b->n; i++)
        error += (double) b->e[i] * (double) b->g[i];
    return error;
}

/* --- one output channel --- */

static double settle_all(const struct rci_round *r, int64_t group, float scale, struct work *w)
{
    const struct rci_quant_blocks *l = r->blocks;
    const int64_t size = rci_quant_block_size(l), inputs = l->in * l->taps;
    double error = 0;
    for (int64_t k = 0; k < l->count; k++) {
        struct block b = {.r = r,
                          .m =
                              r->moments ? r->moments + (group * l->count + k) * size * size : NULL,
                          .scale = scale,
                          .first = k * size,
                          .n = inputs - k * size < size ? inputs - k * size : size,
                          .size = size,
                          .e = w->e,
                          .g = w->g,
                          .q = w->q};
        error += settle(&b, w->u);
    }
    return error;
}

static void round_channel(const struct rci_round *r, int64_t o, float *scale, int8_t *q,
                          struct work *w)
{
    const struct rci_quant_blocks *l = r->blocks;
    const int64_t group = o / (l->out / l->groups);
    const float given = *scale;
    double least = INFINITY;
    for (int64_t i = 0; i < l->in * l->taps; i++)
        w->u[i] = r->w[o * l->stride_out + i / l->taps * l->stride_in + i % l->taps];
    for (size_t k = 0; k < sizeof(growth) / sizeof(*growth); k++) {
        const bool changed = round_start(r, w->u, given * growth[k], w->q);
        const double error = settle_all(r, group, given * growth[k], w);
        if (error < least) {
            least = error;
            *scale = given * growth[k];
            memcpy(w->best, w->q, (size_t) (l->in * l->taps));
        }
        if (!changed || r->keep || r->per_tensor)
            break;
    }
    for (int64_t i = 0; i < l->in * l->taps; i++)
        q[o * l->stride_out + i / l->taps * l->stride_in + i % l->taps] = w->best[i];
}

rc_status rci_round_pairs(const struct rci_round *r, struct rc_context *c, float *scale, int8_t *q)
{
    const struct rci_quant_blocks *l = r->blocks;
    const size_t inputs = (size_t) (l->in * l->taps), size = (size_t) rci_quant_block_size(l);
    const size_t threads = (size_t) omp_get_max_threads();
    float *reals = rci_alloc_array(c, threads * (inputs + 2 * size), sizeof(float));
    int8_t *integers = rci_alloc_array(c, threads * 2 * inputs, 1);
    if (reals && integers) {
#pragma omp parallel for schedule(dynamic, 4) num_threads((int) threads)
        for (int64_t o = 0; o < l->out; o++) {
            const size_t t = (size_t) omp_get_thread_num();
            float *real = reals + t * (inputs + 2 * size);
            int8_t *integer = integers + t * 2 * inputs;
            struct work w = {real, real + inputs, real + inputs + size, integer, integer + inputs};
            float one = scale[0];
            round_channel(r, o, r->per_tensor ? &one : &scale[o], q, &w);
        }
    }
    const rc_status st = reals && integers ? RC_OK : RC_ERR_MEMORY;
    rci_release(reals);
    rci_release(integers);
    return st;
}
