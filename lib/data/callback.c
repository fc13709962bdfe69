/* Images that the caller delivers one by one. */
#include "data/source.h"

static rc_status callback_open(struct rc_dataset *d, const char *path)
{
    const rc_dataset_source *from = &d->given;
    const int64_t chw[3] = {(int64_t) from->channels, (int64_t) from->height,
                            (int64_t) from->width};
    if (from->type > RC_DATASET_F32)
        return rci_fail(RC_ERR_ARG, "source.type is %llu, must be 0 or 1",
                        (unsigned long long) from->type);
    if (from->classes < 1 || from->classes > RC_DATA_CLASSES_MAX)
        return rci_fail(RC_ERR_ARG, "source.classes is %llu, must be 1..%d",
                        (unsigned long long) from->classes, RC_DATA_CLASSES_MAX);
    if (d->classes && d->classes != from->classes)
        return rci_fail(RC_ERR_ARG, "classes is %u, but source.classes %llu", d->classes,
                        (unsigned long long) from->classes);
    RC_TRY(rci_dataset_set_shape(d, path, (int64_t) from->images, chw));
    d->classes = (uint32_t) from->classes;
    d->is_f32 = from->type == RC_DATASET_F32;
    return RC_OK;
}

static rc_status callback_fetch(const struct rc_dataset *d, uint32_t stored, void *out,
                                int32_t *label)
{
    const rc_dataset_source *s = &d->given;
    int32_t got = -1;
    const int32_t r = s->get(s->user, stored, out, &got);
    if (r != 0)
        return rci_fail(RC_ERR_DATA, "image %u: the callback returned %d", stored, (int) r);
    if (got < 0 || (uint32_t) got >= d->classes)
        return rci_fail(RC_ERR_DATA, "image %u: the callback's label is %d, must be 0..%u", stored,
                        (int) got, d->classes - 1);
    *label = got;
    return RC_OK;
}

const struct rci_source rci_source_callback = {
    .kind = "callback",
    .open = callback_open,
    .fetch = callback_fetch,
    /* a caller's function need not be safe in several threads */
    .serial = true,
};
