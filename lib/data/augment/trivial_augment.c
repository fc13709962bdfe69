/* One operation, uniform among identity .. equalize, at one of `bins` magnitudes of the wide
 * ranges. */
#include "data/augment/operation.h"

#include <stddef.h>

struct params {
    int64_t bins, bilinear;
};

static const struct rci_operation_range wide = {
    .shear = 0.99,
    .rotate = 135,
    .enhance = 0.99,
    .translate_x = 32,
    .translate_y = 32,
    .bits = 8,
    .fewer = 6,
};

static void trivial_augment_apply(const void *params, struct rci_augment_image *image,
                                  struct rci_rng *rng)
{
    const struct params *p = params;
    const enum rci_operation op = (enum rci_operation) rci_rng_below(rng, RC_OPERATION_INVERT);
    const uint32_t bins = (uint32_t) p->bins, bin[2] = {rci_rng_below(rng, bins), bins};
    rci_operation_random(image, &wide, op, bin, p->bilinear, rng);
}

static const struct rci_param table[] = {
    {"bins", "magnitudes, from none to the largest", RC_PARAM_INT, offsetof(struct params, bins),
     31, 2, 1000},
    {"bilinear", "interpolate when shearing and rotating; else the nearest pixel", RC_PARAM_BOOL,
     offsetof(struct params, bilinear), 0, 0, 1},
};

const struct rci_augmentation rci_augment_trivial_augment = {
    .m = {.name = "trivial-augment",
          .summary = "one random operation of random strength (TrivialAugment, wide)",
          .source = "Mueller and Hutter, TrivialAugment, ICCV 2021",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 2},
    .apply = trivial_augment_apply,
    .flags = RC_AUGMENT_U8,
};
