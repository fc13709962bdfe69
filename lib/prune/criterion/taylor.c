/* First-order Taylor expansion of the loss L. Weights form: score of a channel = mean over batches
 * of sum |w dL/dw| (multivariable: |sum w dL/dw|) over its weights. Gate form: mean over batches of
 * (scale dL/dscale + shift dL/dshift)^2 of its BatchNormalization, which is what a factor of 1
 * behind it would get as gradient, squared. */
#include "prune/criterion.h"

#include <math.h>

struct params {
    int64_t multivariable;
};

static void taylor_score(const void *params, const struct rci_slice *s, double *score)
{
    const bool joint = ((const struct params *) params)->multivariable;
    for (uint32_t c = 0; c < s->channels; c++) {
        double sum = 0;
        for (size_t o = 0; o < s->outer; o++)
            for (size_t i = 0; i < s->inner; i++) {
                const size_t k = (o * s->channels + c) * s->inner + i;
                const double change = (double) s->data[k] * (double) s->gradient[k];
                sum += joint ? change : fabs(change);
            }
        score[c] = fabs(sum);
    }
}

static void taylor_gate_score(const void *params, const struct rci_slice *s, double *score)
{
    (void) params;
    for (uint32_t c = 0; c < s->channels; c++) {
        double gate = (double) s->data[c] * (double) s->gradient[c];
        if (s->shift_gradient)
            gate += (double) s->shift[c] * (double) s->shift_gradient[c];
        score[c] = gate * gate;
    }
}

static const struct rci_param table[] = {
    {"multivariable", "|sum| over a channel's weights instead of the sum of |...|", RC_PARAM_BOOL,
     offsetof(struct params, multivariable), 0, 0, 1},
};

#define SOURCE "Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR 2019"

const struct rci_criterion rci_criterion_taylor = {
    .m = {.name = "taylor",
          .summary = "sum of |w dL/dw| over all coupled weights, mean over batches",
          .source = SOURCE,
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .reads = RC_SLICE_OUT | RC_SLICE_SCALE | RC_SLICE_IN,
    .needs_data = true,
    .needs_gradient = true,
    .without = "no weights that are trained",
    .score = taylor_score,
};

const struct rci_criterion rci_criterion_taylor_gate = {
    .m = {.name = "taylor-gate",
          .summary = "squared gradient of a factor behind the channel's BatchNormalization",
          .source = SOURCE},
    .reads = RC_SLICE_SCALE,
    .needs_data = true,
    .needs_gradient = true,
    .without = "no BatchNormalization (was it folded?)",
    .score = taylor_gate_score,
};
