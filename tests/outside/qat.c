/* Steps that stay as they are; gradients pass. */
#include "quant/qat.h"
#include "outside.h"

#include <string.h>

static void outside_forward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                            float *y, int64_t n)
{
#pragma omp atomic
    outside_calls[OUTSIDE_QAT]++;
    for (int64_t i = 0; i < n; i++)
        y[i] = p[0] * rci_fake_round(rci_fake_clamp(x[i] / p[0], a->low, a->high));
}

static void outside_backward(const struct rci_fake_quant_attrs *a, const float *p, const float *x,
                             const float *dy, float *dx, double *dp, int64_t n)
{
    (void) a;
    (void) p;
    (void) x;
    (void) dp;
    memcpy(dx, dy, (size_t) n * sizeof(float));
}

static float outside_scale(const struct rci_fake_quant_attrs *a, const float *p)
{
    (void) a;
    return p[0];
}

static void outside_start(const struct rci_fake_quant_attrs *a, float scale, int32_t zero, float *p)
{
    (void) a;
    (void) zero;
    p[0] = scale;
}

static const struct rci_fake_quant_rule rule = {
    .n = 1,
    .forward = outside_forward,
    .backward = outside_backward,
    .scale = outside_scale,
    .start = outside_start,
};

static const struct rci_param table[] = {RC_QAT_COMMON};

const struct rci_qat rci_qat_outside = {
    .m = {.name = "outside",
          .summary = "straight through",
          .source = "",
          .params_size = sizeof(struct rci_qat_common),
          .params = table,
          .n_params = 2},
    .weights = &rule,
    .activations = &rule,
};
