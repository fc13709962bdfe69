/* With probability p a rectangle of random area, shape and place becomes black, or noise. */
#include "data/augment/box.h"

#include <stddef.h>
#include <string.h>

struct params {
    double p, area_low, area_high, ratio_low, ratio_high;
    int64_t noise;
};

static void noise_row(uint8_t *at, size_t bytes, uint32_t item, struct rci_rng *rng)
{
    if (item == 1) {
        for (size_t i = 0; i < bytes; i++)
            at[i] = (uint8_t) rci_rng_below(rng, 256);
        return;
    }
    float *v = (float *) (void *) at;
    for (size_t i = 0; i < bytes / sizeof(float); i++)
        v[i] = (float) rci_rng_normal(rng);
}

static void random_erasing_apply(const void *params, struct rci_augment_image *image,
                                 struct rci_rng *rng)
{
    const struct params *p = params;
    const struct rci_box_draw draw = {p->area_low, p->area_high, p->ratio_low, p->ratio_high};
    struct rci_box b;
    if (rci_rng_uniform(rng) >= p->p || !rci_box_random(&b, image, &draw, rng))
        return;
    for (uint32_t c = 0; c < image->channels; c++)
        for (int64_t y = b.y0; y < b.y1; y++) {
            uint8_t *at = image->data + rci_box_row(image, &b, c, y);
            if (p->noise)
                noise_row(at, rci_box_row_bytes(image, &b), image->item, rng);
            else
                memset(at, 0, rci_box_row_bytes(image, &b));
        }
}

static const struct rci_param table[] = {
    {"p", "probability", RC_PARAM_REAL, offsetof(struct params, p), 0.5, 0, 1},
    {"area_low", "smallest share of the image", RC_PARAM_REAL, offsetof(struct params, area_low),
     0.02, 0.001, 1},
    {"area_high", "largest share of the image", RC_PARAM_REAL, offsetof(struct params, area_high),
     0.33, 0.001, 1},
    {"ratio_low", "smallest width / height", RC_PARAM_REAL, offsetof(struct params, ratio_low), 0.3,
     0.01, 100},
    {"ratio_high", "largest width / height", RC_PARAM_REAL, offsetof(struct params, ratio_high),
     3.3, 0.01, 100},
    {"noise", "random pixels instead of black ones", RC_PARAM_BOOL, offsetof(struct params, noise),
     0, 0, 1},
};

const struct rci_augmentation rci_augment_random_erasing = {
    .m = {.name = "random-erasing",
          .summary = "a random rectangle becomes black or noise",
          .source = "Zhong et al., Random Erasing Data Augmentation, AAAI 2020",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 6},
    .apply = random_erasing_apply,
};
