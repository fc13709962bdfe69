#ifndef RC_LIB_DATA_AUGMENT_OPERATION_H
#define RC_LIB_DATA_AUGMENT_OPERATION_H
/* The operations that policies choose from, on u8 images [C,H,W], as Pillow computes them. */
#include "data/augment/augment.h"

enum rci_operation {
    RC_OPERATION_IDENTITY,
    RC_OPERATION_SHEAR_X, /* magnitude: pixels to the side per pixel down */
    RC_OPERATION_SHEAR_Y,
    RC_OPERATION_TRANSLATE_X, /* pixels, rounded towards 0 */
    RC_OPERATION_TRANSLATE_Y,
    RC_OPERATION_ROTATE,     /* degrees, counter-clockwise */
    RC_OPERATION_BRIGHTNESS, /* these four: factor - 1 */
    RC_OPERATION_COLOR,
    RC_OPERATION_CONTRAST,
    RC_OPERATION_SHARPNESS,
    RC_OPERATION_POSTERIZE, /* bits kept */
    RC_OPERATION_SOLARIZE,  /* pixels from this threshold on are inverted */
    RC_OPERATION_AUTO_CONTRAST,
    RC_OPERATION_EQUALIZE,
    RC_OPERATION_INVERT,
    RC_OPERATIONS
};

/* The largest magnitudes of a policy. */
struct rci_operation_range {
    double shear, rotate, enhance;
    double translate_x, translate_y; /* [pixels] */
    int bits, fewer; /* kept by posterize at magnitude 0, and taken from them at the largest */
};

/* Shear 0.3, translate by 150 of 331 of the side, 30 degrees, factors 1 +- 0.9, 8 to 4 bits. */
struct rci_operation_range rci_operation_usual_range(const struct rci_augment_image *image);
/* Magnitude number `bin` of `bins` equal steps, without its sign. */
double rci_operation_magnitude(const struct rci_operation_range *r, enum rci_operation op,
                               uint32_t bin, uint32_t bins);
bool rci_operation_is_signed(enum rci_operation op);
/* The result is in image->data. bilinear: of shear and rotate; else the nearest pixel. What comes
 * from outside is black. */
void rci_operation_apply(struct rci_augment_image *image, enum rci_operation op, double magnitude,
                         bool bilinear);
/* At bin `bin` of `bins`, with a random sign where there is one. */
void rci_operation_random(struct rci_augment_image *image, const struct rci_operation_range *r,
                          enum rci_operation op, const uint32_t bin[2], bool bilinear,
                          struct rci_rng *rng);

/* out = degenerate + factor (in - degenerate), cut to 0..255. */
void rci_blend_black(uint8_t *p, size_t n, float factor);
void rci_adjust_contrast(struct rci_augment_image *image, float factor);
void rci_adjust_color(struct rci_augment_image *image, float factor); /* nothing without RGB */
/* By so many turns of the color wheel; nothing without RGB. */
void rci_turn_hue(struct rci_augment_image *image, double turns);
#endif
