/* amax = smallest bin edge with at least p percent of all elements at or below it. */
#include "quant/observer.h"

struct params {
    double p;
};

static const struct rci_param table[] = {
    {"p", "elements that are not clipped [percent]", RC_PARAM_REAL, offsetof(struct params, p),
     99.99, 50, 100},
};

static rc_status percentile_clip(const void *params, const struct rci_observation *o, uint32_t top,
                                 double *amax)
{
    (void) top;
    const struct rci_histogram *h = &o->h;
    double total = 0, below = 0;
    for (uint32_t i = 0; i < h->n; i++)
        total += (double) h->count[i];
    const double wanted = total * ((const struct params *) params)->p / 100;
    uint32_t i = 0;
    for (; i < h->n; i++)
        if ((below += (double) h->count[i]) >= wanted && below > 0)
            break;
    *amax = h->width * (i < h->n ? i + 1 : h->n);
    return RC_OK;
}

const struct rci_observer rci_observer_percentile = {
    .m = {.name = "percentile",
          .summary = "clip the largest elements, p percent stay",
          .source = "McKinstry et al., Discovering Low-Precision Networks Close to Full-Precision "
                    "Networks for Efficient Embedded Inference, 2018",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .histogram = true,
    .clip = percentile_clip,
};
