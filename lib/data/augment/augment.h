#ifndef RC_LIB_DATA_AUGMENT_AUGMENT_H
#define RC_LIB_DATA_AUGMENT_AUGMENT_H
/* Augmentations: one file each. They move pixels of one image before it is normalised, u8 or f32
 * alike, and draw from a stream that belongs to (seed, epoch, position) only. */
#include "base/method.h"
#include "base/rng.h"

struct rci_augment_image {
    uint8_t *data, *spare; /* [C,H,W]; apply() may leave its result in spare and swap the two */
    uint32_t channels, height, width;
    uint32_t item; /* bytes per value: 1 or 4 */
};

struct rci_augmentation {
    struct rci_method m;
    void (*apply)(const void *params, struct rci_augment_image *image, struct rci_rng *rng);
};

extern const struct rci_method_kind rci_kind_augmentation;

static inline void rci_augment_swap(struct rci_augment_image *image)
{
    uint8_t *data = image->data;
    image->data = image->spare;
    image->spare = data;
}

/* "crop:pad=4+flip:p=0.5": applied from left to right. */
struct rci_augment_chain;
rc_status rci_augment_chain_make(struct rci_augment_chain **out, struct rc_context *c,
                                 const char *spec);
void rci_augment_chain_free(struct rci_augment_chain *a); /* accepts NULL */
void rci_augment_chain_apply(const struct rci_augment_chain *a, struct rci_augment_image *image,
                             struct rci_rng *rng);
#endif
