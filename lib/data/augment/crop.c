/* out[y,x] = in[y + dy, x + dx], 0 outside, dy and dx uniform in -pad..pad: a window of the
 * original size cut from the image with a border of `pad` black pixels. */
#include "data/augment/augment.h"
#include <stddef.h>
#include <string.h>

struct crop {
    int64_t pad;
};

static void crop_row(uint8_t *to, const uint8_t *from, int64_t width, int64_t dx, size_t item)
{
    const int64_t skip = dx < 0 ? -dx : 0, start = dx > 0 ? dx : 0;
    int64_t n = width - skip - start;
    if (n < 0)
        n = 0;
    memset(to, 0, (size_t) width * item);
    if (n)
        memcpy(to + (size_t) skip * item, from + (size_t) start * item, (size_t) n * item);
}

static void crop_apply(const void *params, struct rci_augment_image *image, struct rci_rng *rng)
{
    const int64_t pad = ((const struct crop *) params)->pad, h = image->height, w = image->width;
    const int64_t dy = (int64_t) rci_rng_below(rng, (uint32_t) (2 * pad + 1)) - pad;
    const int64_t dx = (int64_t) rci_rng_below(rng, (uint32_t) (2 * pad + 1)) - pad;
    const size_t row = image->item * (size_t) w;
    for (int64_t c = 0; c < image->channels; c++)
        for (int64_t y = 0; y < h; y++) {
            uint8_t *to = image->spare + (size_t) (c * h + y) * row;
            if (y + dy < 0 || y + dy >= h)
                memset(to, 0, row);
            else
                crop_row(to, image->data + (size_t) (c * h + y + dy) * row, w, dx, image->item);
        }
    rci_augment_swap(image);
}

static const struct rci_param params[] = {
    {"pad", "black pixels on each side", RC_PARAM_INT, offsetof(struct crop, pad), 4, 1, 64},
};

const struct rci_augmentation rci_augment_crop = {
    .m = {.name = "crop",
          .summary = "random window of the padded image",
          .source = "Lee et al., Deeply-Supervised Nets, AISTATS 2015",
          .params_size = sizeof(struct crop),
          .params = params,
          .n_params = 1},
    .apply = crop_apply,
};
