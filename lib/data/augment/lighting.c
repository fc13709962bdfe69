/* in + 255 sum_k a_k l_k v_k, a_k ~ N(0, alpha): noise along the principal axes v_k, of variance
 * l_k, that the colors of ImageNet's pixels have. */
#include "data/augment/augment.h"

#include <math.h>
#include <stddef.h>

struct params {
    double alpha;
};

static const double length[3] = {0.2175, 0.0188, 0.0045};
static const double axis[3][3] = {/* [channel][k] */
                                  {-0.5675, 0.7192, 0.4009},
                                  {-0.5808, -0.0045, -0.8140},
                                  {-0.5836, -0.6948, 0.4203}};

static void lighting_apply(const void *params, struct rci_augment_image *image, struct rci_rng *rng)
{
    const size_t n = rci_augment_plane(image);
    double a[3];
    for (int k = 0; k < 3; k++)
        a[k] = ((const struct params *) params)->alpha * rci_rng_normal(rng) * length[k];
    for (size_t c = 0; c < 3; c++) {
        const double add = 255 * (a[0] * axis[c][0] + a[1] * axis[c][1] + a[2] * axis[c][2]);
        const int shift = (int) lround(fmin(fmax(add, -255), 255));
        uint8_t *p = image->data + c * n;
        for (size_t i = 0; i < n; i++) {
            const int v = p[i] + shift;
            p[i] = v < 0 ? 0 : v > 255 ? 255 : (uint8_t) v;
        }
    }
}

static const struct rci_param table[] = {
    {"alpha", "deviation of the noise", RC_PARAM_REAL, offsetof(struct params, alpha), 0.1, 0, 10},
};

const struct rci_augmentation rci_augment_lighting = {
    .m = {.name = "lighting",
          .summary = "noise along the principal colors of photographs",
          .source = "Krizhevsky et al., ImageNet Classification with Deep CNNs, NIPS 2012",
          .params_size = sizeof(struct params),
          .params = table,
          .n_params = 1},
    .apply = lighting_apply,
    .flags = RC_AUGMENT_U8 | RC_AUGMENT_RGB,
};
