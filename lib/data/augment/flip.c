/* out[y,x] = in[y, W - 1 - x] with probability p. */
#include "data/augment/augment.h"
#include <stddef.h>

struct flip {
    double p;
};

static void flip_u8(uint8_t *row, uint32_t n)
{
    for (uint32_t i = 0, k = n - 1; i < k; i++, k--) {
        const uint8_t v = row[i];
        row[i] = row[k];
        row[k] = v;
    }
}

static void flip_u32(uint32_t *row, uint32_t n)
{
    for (uint32_t i = 0, k = n - 1; i < k; i++, k--) {
        const uint32_t v = row[i];
        row[i] = row[k];
        row[k] = v;
    }
}

static void flip_apply(const void *params, struct rci_augment_image *image, struct rci_rng *rng)
{
    if (rci_rng_uniform(rng) >= ((const struct flip *) params)->p)
        return;
    const size_t rows = (size_t) image->channels * image->height, w = image->width;
    for (size_t r = 0; r < rows; r++)
        if (image->item == 1)
            flip_u8(image->data + r * w, image->width);
        else
            flip_u32((uint32_t *) (void *) image->data + r * w, image->width);
}

static const struct rci_param params[] = {
    {"p", "probability", RC_PARAM_REAL, offsetof(struct flip, p), 0.5, 0, 1},
};

const struct rci_augmentation rci_augment_flip = {
    .m = {.name = "flip",
          .summary = "mirror left and right",
          .source = "",
          .params_size = sizeof(struct flip),
          .params = params,
          .n_params = 1},
    .apply = flip_apply,
};
