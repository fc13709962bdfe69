#ifndef RC_LIB_DATA_AUGMENT_BOX_H
#define RC_LIB_DATA_AUGMENT_BOX_H
/* Rectangles of an image: x0 <= x < x1, y0 <= y < y1. */
#include "data/augment/augment.h"

struct rci_box {
    int64_t x0, y0, x1, y1;
};

/* width x height with the centre at (x, y), as far as it lies inside. */
static inline struct rci_box rci_box_around(const struct rci_augment_image *image, int64_t x,
                                            int64_t y, int64_t width, int64_t height)
{
    const int64_t left = x - width / 2, top = y - height / 2;
    struct rci_box b = {left > 0 ? left : 0, top > 0 ? top : 0, left + width, top + height};
    b.x1 = b.x1 < image->width ? b.x1 : image->width;
    b.y1 = b.y1 < image->height ? b.y1 : image->height;
    b.x1 = b.x1 > b.x0 ? b.x1 : b.x0;
    return b;
}

static inline double rci_box_area(const struct rci_box *b)
{
    return b->y1 > b->y0 ? (double) (b->x1 - b->x0) * (double) (b->y1 - b->y0) : 0;
}

/* Offset and size in bytes of the box's part of row y. */
static inline size_t rci_box_row(const struct rci_augment_image *image, const struct rci_box *b,
                                 uint32_t channel, int64_t y)
{
    const int64_t row = (int64_t) channel * image->height + y;
    return (size_t) (row * image->width + b->x0) * image->item;
}

static inline size_t rci_box_row_bytes(const struct rci_augment_image *image,
                                       const struct rci_box *b)
{
    return (size_t) (b->x1 - b->x0) * image->item;
}

/* A box of the area and the ratio of sides (width / height, drawn on a logarithmic scale) that fits
 * into the image; false after ten tries. */
struct rci_box_draw {
    double area_low, area_high, ratio_low, ratio_high;
};
bool rci_box_random(struct rci_box *out, const struct rci_augment_image *image,
                    const struct rci_box_draw *d, struct rci_rng *rng);
/* The box becomes the whole image, bilinear, without antialiasing: it only grows. */
void rci_box_resize(struct rci_augment_image *image, const struct rci_box *b);
#endif
