/* n operations one after the other, each uniform among identity .. equalize, all at magnitude m. */
#include "data/augment/operation.h"

#include <stddef.h>

struct params {
    int64_t n, magnitude, bins, bilinear;
};

static void rand_augment_apply(const void *params, struct rci_augment_image *image,
                               struct rci_rng *rng)
{
    const struct params *p = params;
    const struct rci_operation_range range = rci_operation_usual_range(image);
    const int64_t last = p->bins - 1;
    const uint32_t bin[2] = {(uint32_t) (p->magnitude < last ? p->magnitude : last),
                             (uint32_t) p->bins};
    for (int64_t i = 0; i < p->n; i++)
        rci_operation_random(image, &range,
                             (enum rci_operation) rci_rng_below(rng, RC_OPERATION_INVERT), bin,
                             p->bilinear, rng);
}

static const struct rci_param table[] = {
    {"n", "operations per image", RC_PARAM_INT, offsetof(struct params, n), 2, 1, 10},
    {"magnitude", "strength, 0 .. bins - 1", RC_PARAM_INT, offsetof(struct params, magnitude), 9, 0,
     999},
    {"bins", "strengths, from none to the largest", RC_PARAM_INT, offsetof(struct params, bins), 31,
     2, 1000},
    {"bilinear", "interpolate when shearing and rotating; else the nearest pixel", RC_PARAM_BOOL,
     offsetof(struct params, bilinear), 0, 0, 1},
};

const struct rci_augmentation rci_augment_rand_augment = {
    .m = {.name = "rand-augment",
          .summary = "n random operations of one strength",
          .source = "Cubuk et al., RandAugment, CVPR workshops 2020",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 4},
    .apply = rand_augment_apply,
    .flags = RC_AUGMENT_U8,
};
