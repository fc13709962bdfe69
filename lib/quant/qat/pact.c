/* Learned thresholds: y = s round(clamp(x, -a or 0, a) / s), s = a / high, a learned:
 *   dx = dy inside,  da = sum of dy where x >= a, less that where x <= -a,
 * with an L2 pull on a. Weights as DoReFa's. */
#include "quant/qat.h"

struct params {
    struct rci_qat_common common;
    double decay;
};

static float threshold_of(const float *p)
{
    return p[0] > 1e-12f ? p[0] : 1e-12f;
}

static void pact_forward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                         float *y, int64_t n)
{
    const float high = a->high, low = a->low < -high ? -high : a->low, s = threshold_of(p) / high;
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = s * rci_fake_round(rci_fake_clamp(x[i] / s, low, high));
}

static void pact_backward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                          const float *dy, float *dx, double *dp, int64_t n)
{
    const float top = threshold_of(p), bottom = a->low < 0 ? -top : 0;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        const float above = x[i] >= top ? 1.0f : 0.0f, below = x[i] <= bottom ? 1.0f : 0.0f;
        sum += dy[i] * (above - (bottom < 0 ? below : 0));
        dx[i] = (1 - above - below) * dy[i];
    }
    dp[0] += (double) sum;
}

static float pact_scale(const struct rci_fake_quant_attrs *a, const float *p)
{
    return threshold_of(p) / a->high;
}

static void pact_start(const struct rci_fake_quant_attrs *a, float scale, int32_t zero, float *p)
{
    (void) zero;
    p[0] = scale * a->high;
}

const struct rci_fake_quant_rule rci_fake_rule_pact = {
    .n = 1,
    .forward = pact_forward,
    .backward = pact_backward,
    .scale = pact_scale,
    .start = pact_start,
};

static double pact_decay(const void *params)
{
    return ((const struct params *) params)->decay;
}

static const struct rci_param table[] = {
    RC_QAT_COMMON,
    {"decay", "L2 pull of the thresholds to 0", RC_PARAM_REAL, offsetof(struct params, decay), 2e-4,
     0, 1},
};

const struct rci_qat rci_qat_pact = {
    .m = {.name = "pact",
          .summary = "thresholds of activations are learned; weights as dorefa",
          .source = "Choi et al., PACT, 2018",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .weights = &rci_fake_rule_dorefa,
    .activations = &rci_fake_rule_pact,
    .halves = true,
    .decay = pact_decay,
};
