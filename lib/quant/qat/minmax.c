/* Straight-through: weights between plus and minus their largest magnitude per channel; activations
 * between 0 or minus a and a, the moving average of the largest magnitude of each batch,
 *   a <- 0.99 a + 0.01 max|x|.
 * What is not cut off passes its gradient. */
#include "quant/qat.h"

static float threshold_of(const float *p)
{
    return p[0] > 1e-12f ? p[0] : 1e-12f;
}

static void minmax_derive(const struct rci_fake_quant_attrs *a, const struct rci_fake_quant_seen *x,
                          float *p)
{
    (void) a;
    p[0] = (float) x->largest;
}

static void minmax_follow(const struct rci_fake_quant_attrs *a, const struct rci_fake_quant_seen *x,
                          float *p)
{
    (void) a;
    p[0] += 0.01f * ((float) x->largest - p[0]);
}

static void minmax_forward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                           float *y, int64_t n)
{
    const float s = threshold_of(p) / a->high, low = a->low, high = a->high;
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = s * rci_fake_clamp(rci_fake_round(x[i] / s), low, high);
}

static void minmax_backward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                            const float *dy, float *dx, double *dp, int64_t n)
{
    const float s = threshold_of(p) / a->high, low = a->low - 0.5f, high = a->high + 0.5f;
    (void) dp;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float r = x[i] / s;
        dx[i] = r >= low && r <= high ? dy[i] : 0;
    }
}

static float minmax_scale(const struct rci_fake_quant_attrs *a, const float *p)
{
    return threshold_of(p) / a->high;
}

static void minmax_start(const struct rci_fake_quant_attrs *a, float scale, int32_t zero, float *p)
{
    (void) zero;
    p[0] = scale * a->high;
}

static const struct rci_fake_quant_rule rule_weights = {
    .n = 1,
    .derive = minmax_derive,
    .forward = minmax_forward,
    .backward = minmax_backward,
    .scale = minmax_scale,
    .start = minmax_start,
};

static const struct rci_fake_quant_rule rule_activations = {
    .n = 1,
    .follow = minmax_follow,
    .forward = minmax_forward,
    .backward = minmax_backward,
    .scale = minmax_scale,
    .start = minmax_start,
};

static const struct rci_param table[] = {RC_QAT_COMMON};

const struct rci_qat rci_qat_minmax = {
    .m = {.name = "minmax",
          .summary = "straight-through between the extremes of weights and of recent activations",
          .source = "Jacob et al., Integer-Arithmetic-Only Inference, CVPR 2018",
          .params_size = sizeof(struct rci_qat_common),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .weights = &rule_weights,
    .activations = &rule_activations,
};
