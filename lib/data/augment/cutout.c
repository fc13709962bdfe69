/* out = 0 in a size x size square whose centre is uniform over the image, cut off at its border. */
#include "data/augment/augment.h"
#include <stddef.h>
#include <string.h>

struct cutout {
    int64_t size;
};

static void cutout_apply(const void *params, struct rci_augment_image *image, struct rci_rng *rng)
{
    const int64_t size = ((const struct cutout *) params)->size, h = image->height,
                  w = image->width;
    const int64_t top = (int64_t) rci_rng_below(rng, image->height) - size / 2;
    const int64_t left = (int64_t) rci_rng_below(rng, image->width) - size / 2;
    const int64_t y0 = top > 0 ? top : 0, y1 = top + size < h ? top + size : h;
    const int64_t x0 = left > 0 ? left : 0, x1 = left + size < w ? left + size : w;
    for (int64_t c = 0; c < image->channels && x1 > x0; c++)
        for (int64_t y = y0; y < y1; y++)
            memset(image->data + (size_t) ((c * h + y) * w + x0) * image->item, 0,
                   (size_t) (x1 - x0) * image->item);
}

static const struct rci_param params[] = {
    {"size", "side of the square in pixels", RC_PARAM_INT, offsetof(struct cutout, size), 8, 1,
     256},
};

const struct rci_augmentation rci_augment_cutout = {
    .m = {.name = "cutout",
          .summary = "black square at a random place",
          .source = "DeVries and Taylor, Improved Regularization of CNNs with Cutout, 2017",
          .params_size = sizeof(struct cutout),
          .params = params,
          .n_params = 1},
    .apply = cutout_apply,
};
