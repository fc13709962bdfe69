/* LSQ+: as LSQ, and activations of both signs also learn where their range lies. With the zero
 * point z = round(-b / s) of the offset b,
 *   y = s (clamp(round(x / s) + z, low, high) - z),  db = g sum of dy where it is clamped,
 * so that zero stays exactly zero. Steps of weights start from mean and deviation of a channel:
 *   s = max(|m - 3 d|, |m + 3 d|) / 2^(bits - 1). */
#include "quant/qat.h"

#include <math.h>

static float step_of(const float *p)
{
    return p[0] > 1e-12f ? p[0] : 1e-12f;
}

static float zero_of(const struct rci_fake_quant_attrs *a, const float *p)
{
    return rci_fake_round(rci_fake_clamp(-p[1] / step_of(p), a->low, a->high));
}

static void shifted_forward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                            float *y, int64_t n)
{
    const float s = step_of(p), z = zero_of(a, p), low = a->low - z, high = a->high - z;
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = s * rci_fake_round(rci_fake_clamp(x[i] / s, low, high));
}

static void shifted_backward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                             const float *dy, float *dx, double *dp, int64_t n)
{
    const float s = step_of(p), z = zero_of(a, p), low = a->low - z, high = a->high - z;
    float step = 0, offset = 0;
#pragma omp simd reduction(+ : step, offset)
    for (int64_t i = 0; i < n; i++) {
        const float r = x[i] / s, c = rci_fake_clamp(r, low, high);
        const float inside = r > low && r < high ? 1.0f : 0.0f;
        step += dy[i] * (rci_fake_round(c) - inside * r);
        offset += (1 - inside) * dy[i];
        dx[i] = inside * dy[i];
    }
    dp[0] += (double) step;
    dp[1] += (double) offset;
}

static float shifted_scale(const struct rci_fake_quant_attrs *a, const float *p)
{
    (void) a;
    return step_of(p);
}

static int32_t shifted_zero(const struct rci_fake_quant_attrs *a, const float *p)
{
    return (int32_t) zero_of(a, p);
}

static void shifted_start(const struct rci_fake_quant_attrs *a, float scale, int32_t zero, float *p)
{
    (void) a;
    p[0] = scale;
    p[1] = -scale * (float) zero;
}

static const struct rci_fake_quant_rule rule_shifted = {
    .n = 2,
    .per_element = true,
    .forward = shifted_forward,
    .backward = shifted_backward,
    .scale = shifted_scale,
    .zero = shifted_zero,
    .start = shifted_start,
};

static double plus_width(double mean, double deviation, uint32_t bits)
{
    return fmax(fabs(mean - 3 * deviation), fabs(mean + 3 * deviation)) / (1 << (bits - 1));
}

static const struct rci_param table[] = {RC_QAT_COMMON};

const struct rci_qat rci_qat_lsq_plus = {
    .m = {.name = "lsq+",
          .summary = "lsq with learned offsets of activations that have both signs",
          .source = "Bhalgat et al., LSQ+, CVPR 2020 workshops",
          .params_size = sizeof(struct rci_qat_common),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .weights = &rci_fake_rule_lsq,
    .activations = &rci_fake_rule_lsq,
    .shifted = &rule_shifted,
    .width = plus_width,
};
