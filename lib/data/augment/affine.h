#ifndef RC_LIB_DATA_AUGMENT_AFFINE_H
#define RC_LIB_DATA_AUGMENT_AFFINE_H
/* Images moved as a whole, u8; what comes from outside is black. */
#include "data/augment/augment.h"

/* out(x, y) = in(m0 x + m1 y + m2, m3 x + m4 y + m5), at pixel centres. */
void rci_affine_apply(struct rci_augment_image *image, const double m[6], bool bilinear);
void rci_affine_rotate(struct rci_augment_image *image, double degrees, bool bilinear);
/* Whole pixels to the right and down; u8 and f32. */
void rci_affine_shift(struct rci_augment_image *image, int64_t right, int64_t down);
#endif
