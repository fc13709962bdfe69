#include "noise.h"
#include "base/rng.h"

void noise_image(uint64_t index, float *pixels, uint64_t count)
{
    struct rci_rng r = rci_rng_make(11, index, 0);
    for (uint64_t i = 0; i < count; i++)
        pixels[i] = (float) rci_rng_normal(&r);
}

/* `user` is the number of pixels. */
static int32_t give(void *user, uint64_t index, void *image, int32_t *label)
{
    if (image)
        noise_image(index, image, (uint64_t) (uintptr_t) user);
    *label = (int32_t) (index % 3);
    return 0;
}

rc_dataset *noise_images(struct rc_context *c, uint64_t images, uint64_t channels, uint64_t side)
{
    rc_dataset *d;
    rc_dataset_source s = RC_DATASET_SOURCE_INIT;
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    s.get = give;
    s.user = (void *) (uintptr_t) (channels * side * side);
    s.images = images;
    s.channels = channels;
    s.height = s.width = side;
    s.classes = 3;
    s.type = RC_DATASET_F32;
    o.std[0] = o.std[1] = 1;
    OK(rc_dataset_new_callback(&d, c, &s, &o));
    return d;
}
