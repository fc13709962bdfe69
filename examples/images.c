#include "images.h"

#include <rescomp/rescomp.h>

#include <stdio.h>

#define FASHION "/usr/share/datasets/fashion-mnist"

/* Class k has its bright stripe at columns 2k..2k+2; the rest is noise. See 08_custom_dataset.c. */
static int32_t stripe(void *user, uint64_t index, void *image, int32_t *label)
{
    (void) user;
    *label = (int32_t) (index * 7 % 10);
    unsigned char *pixel = image;
    uint64_t noise = index * 2654435761u + 1;
    for (int i = 0; pixel && i < 28 * 28; i++) {
        noise = noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const int column = i % 28, first = 2 * *label + 3;
        pixel[i] =
            (unsigned char) ((noise >> 57) + (column >= first && column < first + 3 ? 100 : 0));
    }
    return 0;
}

rc_status open_images(rc_dataset **out, rc_context *context, const char *spec, const char *split)
{
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    o.split = split;
    o.holdout = 1; /* "train" leaves the images of "calib" out */
    if (spec)
        return rc_dataset_open(out, context, spec, &o);
    FILE *installed = fopen(FASHION "/t10k-labels-idx1-ubyte.gz", "rb");
    if (installed) {
        fclose(installed);
        return rc_dataset_open(out, context, "idx:" FASHION, &o);
    }
    rc_dataset_source source = RC_DATASET_SOURCE_INIT;
    source.get = stripe;
    source.images = 4096;
    source.classes = 10;
    source.channels = 1;
    source.height = source.width = 28;
    return rc_dataset_new_callback(out, context, &source, &o);
}
