#ifndef RC_LIB_DATA_AUGMENT_AUGMENT_H
#define RC_LIB_DATA_AUGMENT_AUGMENT_H
/* Augmentations: one file each. They change one image before it is normalised, and draw from a
 * stream that belongs to (seed, epoch, position) only. */
#include "base/method.h"
#include "base/rng.h"

struct rci_augment_image {
    uint8_t *data, *spare; /* [C,H,W]; apply() may leave its result in spare and swap the two */
    uint32_t channels, height, width;
    uint32_t item; /* bytes per value: 1 or 4 */
    uint8_t *room; /* as many images as the method asked for, aligned for float */
};

enum {
    RC_AUGMENT_U8 = 1, /* needs pixels 0..255: f32 images have any range */
    RC_AUGMENT_RGB = 2 /* needs three channels */
};

/* Either apply, or share and blend. */
struct rci_augmentation {
    struct rci_method m;
    void (*apply)(const void *params, struct rci_augment_image *image, struct rci_rng *rng);
    /* Mixing with a second image: the share of that one, in [0, 1]; 0 leaves the image alone. */
    double (*share)(const void *params, struct rci_rng *rng);
    /* Puts `share` of `other` into `image`; returns the share that the other's label gets. */
    double (*blend)(const void *params, struct rci_augment_image *image,
                    const struct rci_augment_image *other, double share, struct rci_rng *rng);
    uint32_t flags; /* RC_AUGMENT_* */
    uint32_t room;  /* further images of memory that apply() needs */
};

extern const struct rci_method_kind rci_kind_augmentation;

static inline void rci_augment_swap(struct rci_augment_image *image)
{
    uint8_t *data = image->data;
    image->data = image->spare;
    image->spare = data;
}

static inline size_t rci_augment_plane(const struct rci_augment_image *image)
{
    return (size_t) image->height * image->width;
}

/* "crop:pad=4+flip:p=0.5": applied from left to right. */
struct rci_augment_chain;
rc_status rci_augment_chain_make(struct rci_augment_chain **out, struct rc_context *c,
                                 const char *spec);
void rci_augment_chain_free(struct rci_augment_chain *a); /* accepts NULL */
/* RC_ERR_UNSUPPORTED, with the method's name, for images that one of them cannot take. */
rc_status rci_augment_chain_check(const struct rci_augment_chain *a, uint32_t channels,
                                  bool is_f32);
uint32_t rci_augment_chain_room(const struct rci_augment_chain *a); /* [images] */
bool rci_augment_chain_mixes(const struct rci_augment_chain *a);

/* Where mixing methods get their second image and leave the labels. */
struct rci_augment_mixer {
    void *user;
    /* An image drawn by rng, as `first` is before any change, with buffers of its own. */
    rc_status (*fetch)(void *user, struct rci_rng *rng, struct rci_augment_image *other,
                       int32_t *label);
    float *target; /* [classes], sums to 1 */
    uint32_t classes;
};
/* `mixer` NULL: methods that mix do nothing. Fails only where fetch() does. */
rc_status rci_augment_chain_apply(const struct rci_augment_chain *a,
                                  struct rci_augment_image *image, struct rci_rng *rng,
                                  const struct rci_augment_mixer *mixer);
#endif
