/* out = (1 - s) in + s other, s ~ Beta(alpha, alpha); the label likewise. */
#include "data/augment/augment.h"

#include <stddef.h>

struct params {
    double alpha, p;
};

static double mixup_share(const void *params, struct rci_rng *rng)
{
    const struct params *p = params;
    return rci_rng_uniform(rng) < p->p ? rci_rng_beta(rng, p->alpha) : 0;
}

static double mixup_blend(const void *params, struct rci_augment_image *image,
                          const struct rci_augment_image *other, double share, struct rci_rng *rng)
{
    (void) params, (void) rng;
    const size_t n = rci_augment_plane(image) * image->channels;
    const float s = (float) share;
    if (image->item == 1) {
        for (size_t i = 0; i < n; i++)
            image->data[i] = (uint8_t) ((float) image->data[i] +
                                        s * (float) (other->data[i] - image->data[i]) + 0.5f);
        return share;
    }
    float *to = (float *) (void *) image->data;
    const float *from = (const float *) (const void *) other->data;
    for (size_t i = 0; i < n; i++)
        to[i] += s * (from[i] - to[i]);
    return share;
}

static const struct rci_param table[] = {
    {"alpha", "of the distribution of the second image's share", RC_PARAM_REAL,
     offsetof(struct params, alpha), 0.2, 0.01, 100},
    {"p", "probability", RC_PARAM_REAL, offsetof(struct params, p), 1, 0, 1},
};

const struct rci_augmentation rci_augment_mixup = {
    .m = {.name = "mixup",
          .summary = "two images and their labels mixed",
          .source = "Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 2},
    .share = mixup_share,
    .blend = mixup_blend,
};
