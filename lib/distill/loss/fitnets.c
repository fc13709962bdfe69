/* L = mean over all elements of (adapter(S) - T)^2. */
#include "distill/loss.h"

static const struct rci_param table[] = {RC_DISTILL_COMMON(100)};

static double fitnets_maps(const void *params, const struct rci_feature_pair *p, double *room)
{
    (void) params, (void) room;
    const struct rci_feature *s = &p->student;
    const size_t count = (size_t) p->n * s->channels * s->height * s->width;
    double sum = 0;
    for (size_t k = 0; k < count; k++) {
        const double e = (double) s->x[k] - p->teacher.x[k];
        sum += e * e;
        if (p->grad)
            p->grad[k] = (float) (2 * e / (double) count);
    }
    return sum / (double) count;
}

const struct rci_distill_loss rci_distill_loss_fitnets = {
    .m = {.name = "fitnets",
          .summary = "feature maps behind a trained 1x1 convolution, squared distance",
          .source = "Romero et al., FitNets: Hints for Thin Deep Nets, ICLR 2015",
          .params_size = sizeof(struct rci_distill_common),
          .params = table,
          .n_params = sizeof(table) / sizeof(table[0])},
    .maps = fitnets_maps,
    .place = RC_HINT_MIDDLE,
    .adapter = true,
};
