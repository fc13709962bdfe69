/* Which decoder reads an image file, and how large an image may be. */
#include "data/image.h"
#include <string.h>

rc_status rci_image_decode(struct rc_context *c, const struct rci_bytes *file,
                           struct rci_image *out)
{
    *out = (struct rci_image){0};
    /* by content: names of files in data sets are often wrong */
    if (file->size >= 8 && memcmp(file->data, "\x89PNG\r\n\x1A\n", 8) == 0)
        return rci_image_decode_png(c, file, out);
    if (file->size >= 3 && memcmp(file->data, "\xFF\xD8\xFF", 3) == 0)
        return rci_image_decode_jpeg(c, file, out);
    return rci_fail(RC_ERR_DATA, "neither a PNG nor a JPEG image");
}

rc_status rci_image_new(struct rc_context *c, struct rci_image *out, uint32_t width,
                        uint32_t height)
{
    /* before memory is taken: headers claim what they like */
    if (width < 1 || height < 1 || width > RC_IMAGE_SIDE_MAX || height > RC_IMAGE_SIDE_MAX ||
        (uint64_t) width * height > RC_IMAGE_PIXELS_MAX)
        return rci_fail(RC_ERR_LIMIT, "%ux%u pixels, allowed are %d per side and %d in all", width,
                        height, RC_IMAGE_SIDE_MAX, RC_IMAGE_PIXELS_MAX);
    *out = (struct rci_image){.width = width, .height = height, .channels = 3};
    out->data = rci_alloc_zero(c, (size_t) width * height * 3);
    return out->data ? RC_OK : RC_ERR_MEMORY;
}
