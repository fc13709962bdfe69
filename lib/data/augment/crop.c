/* out[y,x] = in[y + dy, x + dx], 0 outside, dy and dx uniform in -pad..pad: a window of the
 * original size cut from the image with a border of `pad` black pixels. */
#include "data/augment/affine.h"

#include <stddef.h>

struct crop {
    int64_t pad;
};

static void crop_apply(const void *params, struct rci_augment_image *image, struct rci_rng *rng)
{
    const int64_t pad = ((const struct crop *) params)->pad;
    const int64_t dy = (int64_t) rci_rng_below(rng, (uint32_t) (2 * pad + 1)) - pad;
    const int64_t dx = (int64_t) rci_rng_below(rng, (uint32_t) (2 * pad + 1)) - pad;
    rci_affine_shift(image, -dx, -dy);
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
