/* Learned step size: y = s clamp(round(x / s), low, high). With r = x / s and g = 1 / sqrt(n high),
 *   dx = dy where low < r < high, else 0
 *   ds = g sum dy { low where r <= low, high where r >= high, round(r) - r else }.
 * Steps start as calibration and rounding found them. */
#include "quant/qat.h"

static float step_of(const float *p)
{
    return p[0] > 1e-12f ? p[0] : 1e-12f;
}

static void lsq_forward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                        float *y, int64_t n)
{
    const float s = step_of(p), low = a->low, high = a->high;
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = s * rci_fake_round(rci_fake_clamp(x[i] / s, low, high));
}

static void lsq_backward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                         const float *dy, float *dx, double *dp, int64_t n)
{
    const float s = step_of(p), low = a->low, high = a->high;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        const float r = x[i] / s, c = rci_fake_clamp(r, low, high);
        const float inside = r > low && r < high ? 1.0f : 0.0f;
        sum += dy[i] * (rci_fake_round(c) - inside * r);
        dx[i] = inside * dy[i];
    }
    dp[0] += (double) sum;
}

static float lsq_scale(const struct rci_fake_quant_attrs *a, const float *p)
{
    (void) a;
    return step_of(p);
}

static void lsq_start(const struct rci_fake_quant_attrs *a, float scale, int32_t zero, float *p)
{
    (void) a;
    (void) zero;
    p[0] = scale;
}

const struct rci_fake_quant_rule rci_fake_rule_lsq = {
    .n = 1,
    .per_element = true,
    .forward = lsq_forward,
    .backward = lsq_backward,
    .scale = lsq_scale,
    .start = lsq_start,
};

static const struct rci_param table[] = {RC_QAT_COMMON};

const struct rci_qat rci_qat_lsq = {
    .m = {.name = "lsq",
          .summary = "steps of weights and activations are learned",
          .source = "Esser et al., Learned Step Size Quantization, ICLR 2020",
          .params_size = sizeof(struct rci_qat_common),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .weights = &rci_fake_rule_lsq,
    .activations = &rci_fake_rule_lsq,
};
