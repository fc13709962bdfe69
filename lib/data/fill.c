/* What every source does while it fills a data set: checked shape, labels, class names. */
#include "data/source.h"
#include <limits.h>
#include <string.h>
#include <unistd.h>

rc_status rci_dataset_set_shape(struct rc_dataset *d, const char *path, int64_t images,
                                const int64_t chw[3])
{
    static const int64_t most[3] = {RC_DATA_CHANNELS_MAX, RC_DATA_SIDE_MAX, RC_DATA_SIDE_MAX};
    static const char *const name[3] = {"channels", "height", "width"};
    if (images < 1 || images > RC_DATA_IMAGES_MAX)
        return rci_fail(RC_ERR_DATA, "%s: %lld images, must be 1..%d", path, (long long) images,
                        RC_DATA_IMAGES_MAX);
    for (uint32_t i = 0; i < 3; i++) {
        if (chw[i] < 1 || chw[i] > most[i])
            return rci_fail(RC_ERR_DATA, "%s: %s is %lld, must be 1..%lld", path, name[i],
                            (long long) chw[i], (long long) most[i]);
        d->shape[i] = (uint32_t) chw[i];
    }
    if ((uint64_t) chw[0] * (uint64_t) chw[1] * (uint64_t) chw[2] > INT_MAX)
        return rci_fail(RC_ERR_LIMIT, "%s: images of %lldx%lldx%lld have over 2^31 - 1 values",
                        path, (long long) chw[0], (long long) chw[1], (long long) chw[2]);
    d->stored = (uint32_t) images;
    return RC_OK;
}

rc_status rci_dataset_reserve(struct rc_dataset *d)
{
    d->pixels = rci_alloc_array(d->ctx, d->stored, rci_dataset_image_bytes(d));
    d->labels = d->pixels ? rci_alloc_array(d->ctx, d->stored, sizeof(*d->labels)) : NULL;
    return d->labels ? RC_OK : RC_ERR_MEMORY;
}

rc_status rci_dataset_set_label(struct rc_dataset *d, const char *path, uint32_t stored,
                                int64_t label)
{
    const int64_t below = d->classes ? d->classes : RC_DATA_CLASSES_MAX;
    if (label < 0 || label >= below)
        return rci_fail(RC_ERR_DATA, "%s: label of image %u is %lld, must be 0..%lld", path, stored,
                        (long long) label, (long long) below - 1);
    d->labels[stored] = (int32_t) label;
    return RC_OK;
}

void rci_dataset_count_classes(struct rc_dataset *d)
{
    int32_t largest = 0;
    for (uint32_t i = 0; i < d->stored; i++)
        largest = d->labels[i] > largest ? d->labels[i] : largest;
    if (d->classes == 0)
        d->classes = (uint32_t) largest + 1;
}

static rc_status copy_names(struct rc_dataset *d, const char *text)
{
    d->names = rci_alloc_array(d->ctx, d->classes, sizeof(*d->names));
    if (!d->names)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < d->classes; i++) {
        text += strspn(text, "\r\n");
        const size_t n = strcspn(text, "\r\n");
        d->names[i] = rci_format(d->ctx, "%.*s", (int) (n < 256 ? n : 256), text);
        if (!d->names[i])
            return RC_ERR_MEMORY;
        text += n;
    }
    return RC_OK;
}

rc_status rci_dataset_read_names(struct rc_dataset *d, const char *path)
{
    struct rci_bytes file;
    if (access(path, R_OK) != 0)
        return RC_OK;
    RC_TRY(rci_file_read(d->ctx, path, 1 << 20, &file));
    char *text = rci_format(d->ctx, "%.*s", (int) file.size, (const char *) file.data);
    rci_release(file.data);
    if (!text)
        return RC_ERR_MEMORY;
    const rc_status st = copy_names(d, text);
    rci_release(text);
    return st;
}
