/* Brightness, contrast, saturation (factors in 1 +- v) and hue (turns in +- v), in random order.
 * Saturation and hue only change red, green and blue. */
#include "data/augment/operation.h"

#include <math.h>
#include <stddef.h>

struct params {
    double brightness, contrast, saturation, hue;
};

static float factor(double v, struct rci_rng *rng)
{
    const double low = fmax(1 - v, 0);
    return (float) (low + (1 + v - low) * rci_rng_uniform(rng));
}

static void color_jitter_apply(const void *params, struct rci_augment_image *image,
                               struct rci_rng *rng)
{
    const struct params *p = params;
    uint32_t order[4] = {0, 1, 2, 3};
    rci_rng_shuffle(rng, order, 4);
    for (int i = 0; i < 4; i++) {
        if (order[i] == 0 && p->brightness > 0)
            rci_blend_black(image->data, rci_augment_plane(image) * image->channels,
                            factor(p->brightness, rng));
        else if (order[i] == 1 && p->contrast > 0)
            rci_adjust_contrast(image, factor(p->contrast, rng));
        else if (order[i] == 2 && p->saturation > 0)
            rci_adjust_color(image, factor(p->saturation, rng));
        else if (order[i] == 3 && p->hue > 0)
            rci_turn_hue(image, p->hue * (2 * rci_rng_uniform(rng) - 1));
    }
}

static const struct rci_param table[] = {
    {"brightness", "factor 1 +- v", RC_PARAM_REAL, offsetof(struct params, brightness), 0.4, 0, 10},
    {"contrast", "factor 1 +- v", RC_PARAM_REAL, offsetof(struct params, contrast), 0.4, 0, 10},
    {"saturation", "factor 1 +- v", RC_PARAM_REAL, offsetof(struct params, saturation), 0.4, 0, 10},
    {"hue", "turned by up to so much of the wheel", RC_PARAM_REAL, offsetof(struct params, hue), 0,
     0, 0.5},
};

const struct rci_augmentation rci_augment_color_jitter = {
    .m = {.name = "color-jitter",
          .summary = "random brightness, contrast, saturation and hue",
          .source = "Howard, Some Improvements on Deep CNN Based Image Classification, 2013",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 4},
    .apply = color_jitter_apply,
    .flags = RC_AUGMENT_U8,
};
