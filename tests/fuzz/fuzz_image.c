/* PNG and JPEG images, as they are and with the checksums of PNG's chunks made right. */
#include "fuzz.h"

#include "data/image.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void cut(struct rc_context *c, const struct rci_image *image)
{
    const struct rci_image_cut how[] = {{0, 1}, {5, 4}};
    uint8_t planes[3 * 4 * 4];
    for (int i = 0; i < 2; i++) {
        const rc_status st = rci_image_resize_crop(c, image, &how[i], planes);
        FUZZ_CHECK(st == RC_OK || st == RC_ERR_LIMIT || st == RC_ERR_MEMORY);
    }
}

static void use(const uint8_t *data, size_t size)
{
    struct rc_context *c = fuzz_context();
    const struct rci_bytes file = {(uint8_t *) (uintptr_t) data, size};
    struct rci_image image;
    const rc_status st = rci_image_decode(c, &file, &image);
    FUZZ_CHECK((st == RC_OK) == (image.data != NULL));
    FUZZ_CHECK(st == RC_OK || st == RC_ERR_DATA || st == RC_ERR_TRUNCATED || st == RC_ERR_LIMIT ||
               st == RC_ERR_MEMORY);
    if (st == RC_OK) {
        FUZZ_CHECK(image.channels == 3 && image.width && image.height);
        cut(c, &image);
    }
    rci_release(image.data);
    fuzz_context_done(c);
}

static size_t big32(const uint8_t *p)
{
    return (size_t) p[0] << 24 | (size_t) p[1] << 16 | (size_t) p[2] << 8 | p[3];
}

/* Chunks: length, type, data, checksum of type and data. */
static void mend_sums(uint8_t *png, size_t size)
{
    for (size_t at = 8; size - at >= 12;) {
        const size_t n = big32(png + at);
        if (n > size - at - 12)
            return;
        const uLong sum = crc32_z(0, png + at + 4, n + 4);
        for (int i = 0; i < 4; i++)
            png[at + 8 + n + (size_t) i] = (uint8_t) (sum >> (24 - 8 * i));
        at += n + 12;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    use(data, size);
    if (size < 20 || memcmp(data, "\x89PNG\r\n\x1a\n", 8) != 0)
        return 0;
    uint8_t *png = malloc(size);
    FUZZ_CHECK(png != NULL);
    memcpy(png, data, size);
    mend_sums(png, size);
    use(png, size);
    free(png);
    return 0;
}
