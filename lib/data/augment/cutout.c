/* out = 0 in a size x size square whose centre is uniform over the image, cut off at its border. */
#include "data/augment/box.h"
#include <stddef.h>
#include <string.h>

struct cutout {
    int64_t size;
};

static void cutout_apply(const void *params, struct rci_augment_image *image, struct rci_rng *rng)
{
    const int64_t size = ((const struct cutout *) params)->size;
    const int64_t y = rci_rng_below(rng, image->height), x = rci_rng_below(rng, image->width);
    const struct rci_box b = rci_box_around(image, x, y, size, size);
    for (uint32_t c = 0; c < image->channels; c++)
        for (int64_t row = b.y0; row < b.y1; row++)
            memset(image->data + rci_box_row(image, &b, c, row), 0, rci_box_row_bytes(image, &b));
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
