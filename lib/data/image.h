#ifndef RC_LIB_DATA_IMAGE_H
#define RC_LIB_DATA_IMAGE_H
/* Images in memory: decode to RGB, resize, crop. */
#include "base/file.h"

enum { RC_IMAGE_SIDE_MAX = 65535, RC_IMAGE_PIXELS_MAX = 1 << 26 };

struct rci_image {
    uint8_t *data; /* [height, width, channels] */
    uint32_t width, height, channels;
};

/* By the first bytes, not by the name. 8-bit RGB, whatever the file has: grey is repeated, palettes
 * looked up, 16 bits rounded, transparency dropped. CMYK is refused. Release out->data.
 * The messages do not name the file: callers know which image it is. */
rc_status rci_image_decode(struct rc_context *c, const struct rci_bytes *file,
                           struct rci_image *out);
rc_status rci_image_decode_png(struct rc_context *c, const struct rci_bytes *file,
                               struct rci_image *out);
rc_status rci_image_decode_jpeg(struct rc_context *c, const struct rci_bytes *file,
                                struct rci_image *out);
/* Check the size that a file claims, and allocate RGB pixels for it. */
rc_status rci_image_new(struct rc_context *c, struct rci_image *out, uint32_t width,
                        uint32_t height);

struct rci_image_cut {
    uint32_t resize, crop;
}; /* resize 0: none */

/* Shorter side to `resize` (bilinear, antialiased), then the crop x crop centre, as planes
 * [channels, crop, crop] into `out`. RC_ERR_DATA when the image is too small to crop. */
rc_status rci_image_resize_crop(struct rc_context *c, const struct rci_image *from,
                                const struct rci_image_cut *cut, uint8_t *out);
#endif
