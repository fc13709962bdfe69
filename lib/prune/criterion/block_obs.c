/* Optimal brain surgery on whole channels (Hassibi and Stork, NIPS 1993, with blocks; Frantar and
 * Alistarh, Optimal Brain Compression, NeurIPS 2022). With H the covariance of what the reader sees
 * and W its weights, taking channel c (rows I) away and letting all other weights make up for it
 * costs
 *     sum over o of importance[o] * W[I,o]' (Hinv[I,I])^-1 W[I,o]
 * in mean squared output error; then
 *     W -= Hinv[:,I] M W[I,:],   Hinv -= Hinv[:,I] M Hinv[I,:],   M = (Hinv[I,I])^-1
 * holds for the channels that are left. The cheapest channel goes, and so on until one is left. */
#include "base/compute.h"
#include "prune/criterion.h"
#include "tensor/cholesky.h"

#include <math.h>
#include <string.h>

struct params {
    double ridge;
};

struct elimination {
    const struct rci_readout *r;
    double *inverse; /* [d][d] */
    double *w;       /* [d][o] */
    double *block;   /* [taps][taps] */
    double *right;   /* [taps][max(o, d)] */
    double *column;  /* [d][taps] */
    bool *gone;
    uint32_t *order; /* [channels] channels as they go */
    double *cost;    /* [channels] of each step */
};

static rc_status invert(struct elimination *e, double ridge)
{
    const size_t d = e->r->channels * e->r->taps;
    double mean = 0;
    for (size_t i = 0; i < d; i++)
        mean += e->r->gram[i * d + i] / (double) d;
    /* a layer that sees constants only: every channel costs nothing */
    const double pull = mean > 0 ? ridge * mean : 1;
    for (size_t i = 0; i < d; i++) {
        e->r->gram[i * d + i] += pull;
        e->inverse[i * d + i] = 1;
    }
    RC_TRY(rci_cholesky(e->r->gram, d));
    rci_cholesky_solve(e->r->gram, d, e->inverse, d);
    return RC_OK;
}

/* block = factor of Hinv[I,I], right = M * rows[I] */
static rc_status solve_block(struct elimination *e, uint32_t c, const double *rows, size_t columns)
{
    const size_t m = e->r->taps, d = e->r->channels * m;
    for (size_t i = 0; i < m; i++)
        memcpy(e->block + i * m, e->inverse + (c * m + i) * d + c * m, m * sizeof(double));
    memcpy(e->right, rows + c * m * columns, m * columns * sizeof(double));
    RC_TRY(rci_cholesky(e->block, m));
    rci_cholesky_solve(e->block, m, e->right, columns);
    return RC_OK;
}

static rc_status removal_cost(struct elimination *e, uint32_t c, double *cost)
{
    const size_t m = e->r->taps, o = e->r->outputs;
    RC_TRY(solve_block(e, c, e->w, o));
    *cost = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < o; k++)
            *cost += e->r->importance[k] * e->w[(c * m + i) * o + k] * e->right[i * o + k];
    return RC_OK;
}

/* rows -= Hinv[:,I] * right, and rows[I] = 0 exactly */
static void subtract(const struct elimination *e, uint32_t c, double *rows, size_t columns)
{
    const size_t m = e->r->taps, d = e->r->channels * m;
#pragma omp parallel for schedule(static) if (d > 64)
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < m; j++) {
            const double f = e->column[i * m + j], *from = e->right + j * columns;
            for (size_t k = 0; k < columns; k++)
                rows[i * columns + k] -= f * from[k];
        }
    memset(rows + c * m * columns, 0, m * columns * sizeof(double));
}

static rc_status take_away(struct elimination *e, uint32_t c)
{
    const size_t m = e->r->taps, d = e->r->channels * m;
    for (size_t i = 0; i < d; i++)
        memcpy(e->column + i * m, e->inverse + i * d + c * m, m * sizeof(double));
    RC_TRY(solve_block(e, c, e->w, e->r->outputs));
    subtract(e, c, e->w, e->r->outputs);
    RC_TRY(solve_block(e, c, e->inverse, d));
    subtract(e, c, e->inverse, d);
    for (size_t i = 0; i < d; i++)
        memset(e->inverse + i * d + c * m, 0, m * sizeof(double));
    e->gone[c] = true;
    return RC_OK;
}

static rc_status eliminate(struct elimination *e)
{
    const uint32_t n = (uint32_t) e->r->channels;
    for (uint32_t step = 0; step < n; step++) {
        uint32_t best = n;
        for (uint32_t c = 0; c < n; c++) {
            double cost;
            if (e->gone[c])
                continue;
            RC_TRY(removal_cost(e, c, &cost));
            if (best < n && cost >= e->cost[step])
                continue;
            best = c;
            e->cost[step] = cost;
        }
        e->order[step] = best;
        RC_TRY(rci_check_cancel(e->r->ctx));
        if (step + 1 < n)
            RC_TRY(take_away(e, best));
    }
    return RC_OK;
}

/* Steps cheaper than one before them are worth their mean with it: nobody can have them first. The
 * least that keeps the order is added. */
static void write_scores(const struct elimination *e, double *score)
{
    const uint32_t n = (uint32_t) e->r->channels;
    for (uint32_t from = 0, to; from < n; from = to) {
        double best = INFINITY, sum = 0; /* the longest stretch with the lowest mean */
        to = from + 1;
        for (uint32_t k = from; k < n; k++) {
            sum += fmax(e->cost[k], 0);
            if (sum / (k + 1 - from) <= best) {
                best = sum / (k + 1 - from);
                to = k + 1;
            }
        }
        for (uint32_t k = from; k < to; k++)
            score[e->order[k]] = best * (1 + 1e-9 * k);
    }
}

static rc_status block_obs_eliminate(const void *params, const struct rci_readout *r, double *score)
{
    const size_t m = r->taps, d = r->channels * m, o = r->outputs;
    struct elimination e = {.r = r, .w = r->weight};
    e.inverse = rci_alloc_array(r->ctx, d * d, sizeof(double));
    e.block = rci_alloc_array(r->ctx, m * m, sizeof(double));
    e.right = rci_alloc_array(r->ctx, m * (o > d ? o : d), sizeof(double));
    e.column = rci_alloc_array(r->ctx, d * m, sizeof(double));
    e.cost = rci_alloc_array(r->ctx, r->channels, sizeof(double));
    e.order = rci_alloc_array(r->ctx, r->channels, sizeof(*e.order));
    e.gone = rci_alloc_array(r->ctx, r->channels, sizeof(*e.gone));
    rc_status st = RC_ERR_MEMORY;
    if (e.inverse && e.block && e.right && e.column && e.cost && e.order && e.gone) {
        const struct rci_compute saved = rci_compute_enter(r->ctx, 0);
        st = invert(&e, ((const struct params *) params)->ridge);
        if (st == RC_OK)
            st = eliminate(&e);
        rci_compute_leave(saved);
    }
    if (st == RC_OK)
        write_scores(&e, score);
    rci_release(e.inverse);
    rci_release(e.block);
    rci_release(e.right);
    rci_release(e.column);
    rci_release(e.cost);
    rci_release(e.order);
    rci_release(e.gone);
    return st;
}

static const struct rci_param table[] = {
    {"ridge", "added to the covariance, relative to its mean diagonal", RC_PARAM_REAL,
     offsetof(struct params, ridge), 1e-4, 1e-8, 1},
};

const struct rci_criterion rci_criterion_block_obs = {
    .m = {.name = "block-obs",
          .summary = "squared error of the answers when the readers' other weights make up for it",
          .source = "Frantar and Alistarh, Optimal Brain Compression, NeurIPS 2022",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .reads = RC_SLICE_IN,
    .needs_data = true,
    .absolute = true,
    .without = "no convolution without groups and no Gemm that reads it",
    .eliminate = block_obs_eliminate,
};
