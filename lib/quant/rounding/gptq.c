/* Integers of all outputs of a layer, input by input: the error of each is made up for by the
 * inputs that are still real. With H the covariance of the inputs, inputs by decreasing H[j][j],
 * and U the upper Cholesky factor of the inverse of H (inv H = U'U), q[j] = round(w[j] / scale),  e
 * = (w[j] - scale q[j]) / U[j][j],  w[k] -= U[j][k] e  for k > j. "gptq+" does the same to weights
 * that were fitted before (struct rci_rounding). */
#include "base/compute.h"
#include "quant/round.h"
#include "quant/rounding.h"
#include "tensor/cholesky.h"

#include <math.h>
#include <omp.h>
#include <string.h>

struct params {
    double damp;
};
struct plus_params {
    double damp, ridge;
};

struct place {
    size_t at;
    double diagonal;
};

struct gptq {
    const struct rci_rounding_job *job;
    struct place *order; /* [d] */
    double *u;           /* [d][d], inputs in order */
    double *w;           /* [d][o], the same */
};

/* Decreasing, ties as they are. */
static void order_inputs(struct gptq *g)
{
    const size_t d = g->job->d;
    for (size_t i = 0; i < d; i++) {
        const struct place p = {i, g->job->xx[i * d + i]};
        size_t k = i;
        for (; k > 0 && g->order[k - 1].diagonal < p.diagonal; k--)
            g->order[k] = g->order[k - 1];
        g->order[k] = p;
    }
}

/* u: factor of the inverse. `h` is scratch [d][d]. */
static rc_status factor_inverse(struct gptq *g, double damp, double *h)
{
    const size_t d = g->job->d;
    double mean = 0;
    for (size_t i = 0; i < d; i++)
        mean += g->order[i].diagonal / (double) d;
    const double pull = mean > 0 ? damp * mean : 1; /* constant inputs: nothing to make up for */
    for (size_t i = 0; i < d; i++) {
        for (size_t k = 0; k < d; k++) {
            h[i * d + k] = g->job->xx[g->order[i].at * d + g->order[k].at];
            g->u[i * d + k] = i == k;
        }
        h[i * d + i] += pull;
    }
    RC_TRY(rci_cholesky(h, d));
    rci_cholesky_solve(h, d, g->u, d);
    return rci_cholesky(g->u, d);
}

static int8_t round_one(const struct rci_rounding_job *j, size_t o, size_t input, double w)
{
    int range[2] = {-j->low, j->top};
    if (j->pairs)
        rci_round_limits(j->pairs, j->top, j->q + o * j->d, (int64_t) input, range);
    return (int8_t) fmax(-range[0], fmin(range[1], rint(w / (double) j->scale[o])));
}

/* Outputs [from, to). */
static void round_outputs(const struct gptq *g, size_t from, size_t to, double *error)
{
    const struct rci_rounding_job *j = g->job;
    for (size_t i = 0; i < j->d; i++) {
        const size_t input = g->order[i].at;
        const double *u = g->u + i * j->d;
        for (size_t o = from; o < to; o++) {
            const double w = g->w[i * j->o + o];
            const int8_t q = round_one(j, o, input, w);
            j->q[o * j->d + input] = q;
            error[o] = (w - (double) j->scale[o] * q) / u[i];
        }
        for (size_t k = i + 1; k < j->d; k++)
            for (size_t o = from; o < to; o++)
                g->w[k * j->o + o] -= u[k] * error[o];
    }
}

static rc_status gptq_run(struct gptq *g, double damp, double *h, double *error)
{
    const struct rci_rounding_job *j = g->job;
    order_inputs(g);
    RC_TRY(factor_inverse(g, damp, h));
    for (size_t i = 0; i < j->d; i++)
        memcpy(g->w + i * j->o, j->w + g->order[i].at * j->o, j->o * sizeof(double));
    memset(j->q, 0, j->o * j->d);
    enum { EACH = 16 };
#pragma omp parallel for schedule(dynamic)
    for (size_t from = 0; from < j->o; from += EACH)
        round_outputs(g, from, from + EACH < j->o ? from + EACH : j->o, error);
    return RC_OK;
}

static rc_status gptq_round(const void *params, const struct rci_rounding_job *job)
{
    const size_t d = job->d, o = job->o;
    struct gptq g = {.job = job};
    g.order = rci_alloc_array(job->ctx, d, sizeof(*g.order));
    g.u = rci_alloc_array(job->ctx, d * d, sizeof(double));
    g.w = rci_alloc_array(job->ctx, d * o, sizeof(double));
    double *h = rci_alloc_array(job->ctx, d * d, sizeof(double));
    double *error = rci_alloc_array(job->ctx, o, sizeof(double));
    rc_status st = RC_ERR_MEMORY;
    if (g.order && g.u && g.w && h && error) {
        const struct rci_compute saved = rci_compute_enter(job->ctx, 0);
        st = gptq_run(&g, ((const struct params *) params)->damp, h, error);
        rci_compute_leave(saved);
    }
    rci_release(g.order);
    rci_release(g.u);
    rci_release(g.w);
    rci_release(h);
    rci_release(error);
    return st;
}

static double plus_ridge(const void *params)
{
    return ((const struct plus_params *) params)->ridge;
}

static const struct rci_param table[] = {
    {"damp", "added to the covariance, relative to its mean diagonal", RC_PARAM_REAL,
     offsetof(struct plus_params, damp), 0.01, 1e-6, 10},
    {"ridge", "pull of the fit to the weights as they were, relative to the same", RC_PARAM_REAL,
     offsetof(struct plus_params, ridge), 0.1, 1e-6, 10},
};

const struct rci_rounding rci_rounding_gptq = {
    .m = {.name = "gptq",
          .summary = "inputs in turn, later ones make up for the error of earlier ones",
          .source = "Frantar et al., GPTQ, ICLR 2023",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .round = gptq_round,
};

const struct rci_rounding rci_rounding_gptq_plus = {
    .m = {.name = "gptq+",
          .summary = "gptq of weights that are fitted to quantized inputs first",
          .source = "Frantar et al., GPTQ, ICLR 2023; He et al., Channel Pruning for Accelerating "
                    "Very Deep Neural Networks, ICCV 2017",
          .params_size = sizeof(struct plus_params),
          .params = table,
          .n_params = 2},
    .round = gptq_round,
    .ridge = plus_ridge,
};
