/* Magnitude: score of a channel = sum of |w|^p over its weights, no root taken. */
#include "prune/criterion.h"

#include <math.h>

struct params {
    double p;
};

static double row_sum(const float *w, size_t n, double p)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double a = fabs((double) w[i]);
        sum += p == 1 ? a : p == 2 ? a * a : pow(a, p);
    }
    return sum;
}

static void sum_powers(const struct rci_slice *s, double p, double *score)
{
    for (uint32_t c = 0; c < s->channels; c++)
        score[c] = 0;
    for (size_t o = 0; o < s->outer; o++)
        for (uint32_t c = 0; c < s->channels; c++)
            score[c] += row_sum(s->data + (o * s->channels + c) * s->inner, s->inner, p);
}

static void lnorm_score(const void *params, const struct rci_slice *s, double *score)
{
    sum_powers(s, ((const struct params *) params)->p, score);
}

static void l1_score(const void *params, const struct rci_slice *s, double *score)
{
    (void) params;
    sum_powers(s, 1, score);
}

static void l2_score(const void *params, const struct rci_slice *s, double *score)
{
    (void) params;
    sum_powers(s, 2, score);
}

static const struct rci_param table[] = {
    {"p", "order of the norm", RC_PARAM_REAL, offsetof(struct params, p), 2, 0.25, 16},
};

enum { WEIGHTS = RC_SLICE_OUT | RC_SLICE_SCALE | RC_SLICE_IN };
#define SOURCE "Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017"

const struct rci_criterion rci_criterion_lnorm = {
    .m = {.name = "lnorm",
          .summary = "sum of |w|^p over all coupled weights of a channel",
          .source = SOURCE,
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .reads = WEIGHTS,
    .score = lnorm_score,
};

const struct rci_criterion rci_criterion_l1 = {
    .m = {.name = "l1",
          .summary = "sum of |w| over all coupled weights of a channel",
          .source = SOURCE},
    .reads = WEIGHTS,
    .score = l1_score,
};

const struct rci_criterion rci_criterion_l2 = {
    .m = {.name = "l2",
          .summary = "sum of w^2 over all coupled weights of a channel",
          .source = SOURCE},
    .reads = WEIGHTS,
    .score = l2_score,
};
