/* Statistics-aware binning: weights are cut off at a = c1 sqrt(mean w^2) + c2 mean |w| of a
 * channel, which is near the least squared error for bell-shaped and flat distributions alike, and
 * become odd multiples of a / (2^bits - 1), of 8 bits multiples of max|w| / 127; gradients pass.
 * Activations as PACT's. */
#include "quant/qat.h"

#include <math.h>

struct params {
    struct rci_qat_common common;
    double decay;
};

/* 2 to 4 bits: the paper's. 5 to 7: fitted in its way to normal, uniform, Laplace, logistic,
 * triangular and von Mises samples. */
static const double coefficient[][2] = {
    [2] = {3.12, -2.064},  [3] = {7.509, -6.892}, [4] = {12.68, -12.80},
    [5] = {16.83, -17.66}, [6] = {21.79, -23.51}, [7] = {27.16, -29.87},
};

static void sawb_derive(const struct rci_fake_quant_attrs *a, const struct rci_fake_quant_seen *x,
                        float *p)
{
    const int bits = (int) lrint(log2((double) a->high + 1));
    double top = x->largest;
    if (a->odd && bits >= 2 && bits <= 7)
        top = fmin(top, coefficient[bits][0] * sqrt(x->square) + coefficient[bits][1] * x->mean);
    p[0] = (float) fmax(top, 1e-12) / a->high;
}

static void sawb_forward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                         float *y, int64_t n)
{
    const float s = p[0];
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = s * rci_fake_clamp(rci_fake_level(a, x[i] / s), a->low, a->high);
}

static void sawb_backward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                          const float *dy, float *dx, double *dp, int64_t n)
{
    (void) a;
    (void) p;
    (void) x;
    (void) dp;
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i];
}

static float sawb_scale(const struct rci_fake_quant_attrs *a, const float *p)
{
    (void) a;
    return p[0];
}

static void sawb_start(const struct rci_fake_quant_attrs *a, float scale, int32_t zero, float *p)
{
    (void) a;
    (void) zero;
    p[0] = scale;
}

static const struct rci_fake_quant_rule rule_sawb = {
    .n = 1,
    .derive = sawb_derive,
    .forward = sawb_forward,
    .backward = sawb_backward,
    .scale = sawb_scale,
    .start = sawb_start,
};

static double sawb_decay(const void *params)
{
    return ((const struct params *) params)->decay;
}

static const struct rci_param table[] = {
    RC_QAT_COMMON,
    {"decay", "L2 pull of the thresholds to 0", RC_PARAM_REAL, offsetof(struct params, decay), 2e-4,
     0, 1},
};

const struct rci_qat rci_qat_sawb = {
    .m = {.name = "sawb",
          .summary = "weights cut off by their statistics; activations as pact",
          .source =
              "Choi et al., Accurate and Efficient 2-bit Quantized Neural Networks, SysML 2019",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .weights = &rule_sawb,
    .activations = &rci_fake_rule_pact,
    .halves = true,
    .decay = sawb_decay,
};
