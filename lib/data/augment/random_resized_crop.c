/* A box of random area, shape and place, brought to the size of the image (bilinear). Of the image
 * as it is delivered: a data set that resizes and crops does so before. */
#include "data/augment/box.h"

#include <math.h>
#include <stddef.h>

struct params {
    double area_low, area_high, ratio_low, ratio_high;
};

/* The largest box in the middle whose shape is in the range. */
static struct rci_box middle_box(const struct rci_augment_image *image, const struct params *p)
{
    const double w = image->width, h = image->height;
    const double ratio = fmin(fmax(w / h, p->ratio_low), p->ratio_high);
    const int64_t bw = (int64_t) fmax(fmin(w, nearbyint(h * ratio)), 1);
    const int64_t bh = (int64_t) fmax(fmin(h, nearbyint(w / ratio)), 1);
    const int64_t x = (image->width - bw) / 2, y = (image->height - bh) / 2;
    return (struct rci_box){x, y, x + bw, y + bh};
}

static void random_resized_crop_apply(const void *params, struct rci_augment_image *image,
                                      struct rci_rng *rng)
{
    const struct params *p = params;
    const struct rci_box_draw draw = {p->area_low, p->area_high, p->ratio_low, p->ratio_high};
    struct rci_box b;
    if (!rci_box_random(&b, image, &draw, rng))
        b = middle_box(image, p);
    rci_box_resize(image, &b);
}

static const struct rci_param table[] = {
    {"area_low", "smallest share of the image", RC_PARAM_REAL, offsetof(struct params, area_low),
     0.08, 0.001, 1},
    {"area_high", "largest share of the image", RC_PARAM_REAL, offsetof(struct params, area_high),
     1, 0.001, 1},
    {"ratio_low", "smallest width / height", RC_PARAM_REAL, offsetof(struct params, ratio_low),
     0.75, 0.01, 100},
    {"ratio_high", "largest width / height", RC_PARAM_REAL, offsetof(struct params, ratio_high),
     4.0 / 3, 0.01, 100},
};

const struct rci_augmentation rci_augment_random_resized_crop = {
    .m = {.name = "random-resized-crop",
          .summary = "a random box of the image, resized to all of it",
          .source = "Szegedy et al., Going Deeper with Convolutions, CVPR 2015",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 4},
    .apply = random_resized_crop_apply,
};
