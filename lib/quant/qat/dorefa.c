/* DoReFa: weights become t = tanh(w), and 2^bits levels evenly from -max|t| to max|t| (of a
 * channel) take its place, none of them 0: odd multiples of s = max|t| / (2^bits - 1), y = s (2
 * round((t / s - 1) / 2) + 1),  dw = dy (1 - t^2); of 8 bits the multiples of max|t| / 127. The
 * paper divides by max|t|, which a normalization behind the layer takes back. Activations are cut
 * off where calibration did and pass gradients inside. */
#include "quant/qat.h"

#include <math.h>

static void dorefa_derive(const struct rci_fake_quant_attrs *a, const struct rci_fake_quant_seen *x,
                          float *p)
{
    const float largest = tanhf((float) x->largest);
    p[0] = (largest > 1e-12f ? largest : 1e-12f) / a->high;
}

static void dorefa_forward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                           float *y, int64_t n)
{
    const float s = p[0];
    for (int64_t i = 0; i < n; i++)
        y[i] = s * rci_fake_clamp(rci_fake_level(a, tanhf(x[i]) / s), a->low, a->high);
}

static void dorefa_backward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                            const float *dy, float *dx, double *dp, int64_t n)
{
    (void) a;
    (void) p;
    (void) dp;
    for (int64_t i = 0; i < n; i++) {
        const float t = tanhf(x[i]);
        dx[i] = dy[i] * (1 - t * t);
    }
}

static float dorefa_scale(const struct rci_fake_quant_attrs *a, const float *p)
{
    (void) a;
    return p[0];
}

static void dorefa_start(const struct rci_fake_quant_attrs *a, float scale, int32_t zero, float *p)
{
    (void) a;
    (void) zero;
    p[0] = scale;
}

static float dorefa_latent(float y)
{
    return atanhf(fmaxf(-0.999999f, fminf(0.999999f, y)));
}

const struct rci_fake_quant_rule rci_fake_rule_dorefa = {
    .n = 1,
    .derive = dorefa_derive,
    .forward = dorefa_forward,
    .backward = dorefa_backward,
    .scale = dorefa_scale,
    .start = dorefa_start,
    .latent = dorefa_latent,
};

static void fixed_follow(const struct rci_fake_quant_attrs *a, const struct rci_fake_quant_seen *x,
                         float *p)
{
    (void) a;
    (void) x;
    (void) p; /* being a statistic keeps it from being learned */
}

static void fixed_forward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                          float *y, int64_t n)
{
    rci_fake_rule_pact.forward(a, p, x, y, n);
}

static void fixed_backward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                           const float *dy, float *dx, double *dp, int64_t n)
{
    rci_fake_rule_pact.backward(a, p, x, dy, dx, dp, n);
}

static float fixed_scale(const struct rci_fake_quant_attrs *a, const float *p)
{
    return p[0] / a->high;
}

static void fixed_start(const struct rci_fake_quant_attrs *a, float scale, int32_t zero, float *p)
{
    (void) zero;
    p[0] = scale * a->high;
}

static const struct rci_fake_quant_rule rule_fixed = {
    .n = 1,
    .follow = fixed_follow,
    .forward = fixed_forward,
    .backward = fixed_backward,
    .scale = fixed_scale,
    .start = fixed_start,
};

static const struct rci_param table[] = {RC_QAT_COMMON};

const struct rci_qat rci_qat_dorefa = {
    .m = {.name = "dorefa",
          .summary = "weights by tanh between their largest, activations cut off as calibrated",
          .source = "Zhou et al., DoReFa-Net, 2016",
          .params_size = sizeof(struct rci_qat_common),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .weights = &rci_fake_rule_dorefa,
    .activations = &rule_fixed,
    .halves = true,
};
