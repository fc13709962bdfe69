/* A rectangle of the share s of the area, at a random place, comes from another image; s ~
 * Beta(alpha, alpha). Labels are mixed by the pixels that really came. */
#include "data/augment/augment.h"
#include "data/augment/box.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

struct params {
    double alpha, p;
};

static double cutmix_share(const void *params, struct rci_rng *rng)
{
    const struct params *p = params;
    return rci_rng_uniform(rng) < p->p ? rci_rng_beta(rng, p->alpha) : 0;
}

static double cutmix_blend(const void *params, struct rci_augment_image *image,
                           const struct rci_augment_image *other, double share, struct rci_rng *rng)
{
    (void) params;
    const double side = sqrt(share);
    const struct rci_box b =
        rci_box_around(image, rci_rng_below(rng, image->width), rci_rng_below(rng, image->height),
                       (int64_t) (side * image->width), (int64_t) (side * image->height));
    for (uint32_t c = 0; c < image->channels; c++)
        for (int64_t y = b.y0; y < b.y1; y++) {
            const size_t at = rci_box_row(image, &b, c, y);
            memcpy(image->data + at, other->data + at, rci_box_row_bytes(image, &b));
        }
    return rci_box_area(&b) / (double) rci_augment_plane(image);
}

static const struct rci_param table[] = {
    {"alpha", "of the distribution of the rectangle's area", RC_PARAM_REAL,
     offsetof(struct params, alpha), 1, 0.01, 100},
    {"p", "probability", RC_PARAM_REAL, offsetof(struct params, p), 0.5, 0, 1},
};

const struct rci_augmentation rci_augment_cutmix = {
    .m = {.name = "cutmix",
          .summary = "a rectangle of another image, and as much of its label",
          .source = "Yun et al., CutMix, ICCV 2019",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 2},
    .share = cutmix_share,
    .blend = cutmix_blend,
};
