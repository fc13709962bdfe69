/* L = mean of |z - t|. */
#include "distill/loss.h"
#include "outside.h"

#include <math.h>

static const struct rci_param table[] = {RC_DISTILL_COMMON(1)};

static double outside_value(const void *params, const struct rci_loss_batch *b,
                            const float *teacher, double *room)
{
    (void) params, (void) room;
    const size_t n = (size_t) b->n * b->classes;
    double sum = 0;
    outside_calls[OUTSIDE_DISTILL_LOSS]++;
    for (size_t i = 0; i < n; i++) {
        const float e = b->logits[i] - teacher[i];
        sum += fabs((double) e);
        if (b->grad)
            b->grad[i] = (e > 0 ? 1.0f : -1.0f) / (float) n;
    }
    return sum / (double) n;
}

const struct rci_distill_loss rci_distill_loss_outside = {
    .m = {.name = "outside",
          .summary = "distance to the teacher's logits",
          .source = "",
          .params_size = sizeof(struct rci_distill_common),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .value = outside_value,
};
