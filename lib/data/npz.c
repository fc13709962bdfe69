/* npz: x [N,C,H,W] or [N,H,W], u8, f2, f4 or f8, and y [N] of any integer type. */
#include "data/npy.h"
#include "data/source.h"
#include "data/zip.h"
#include <math.h>
#include <string.h>

static rc_status check_finite(const struct rc_dataset *d, const char *path)
{
    const float *v = d->pixels;
    const size_t count = rci_dataset_image_count(d);
    for (size_t i = 0; i < count * d->stored; i++)
        if (!isfinite(v[i]))
            return rci_fail(RC_ERR_DATA, "%s: value %zu of image %zu is not finite", path,
                            i % count, i / count);
    return RC_OK;
}

static rc_status npz_take_images(struct rc_dataset *d, const struct rci_npy *x, const char *path)
{
    const uint32_t r = x->shape.rank;
    char text[RC_SHAPE_TEXT];
    if (r != 3 && r != 4)
        return rci_fail(RC_ERR_DATA, "%s: x is %s, must be [N,C,H,W] or [N,H,W]", path,
                        rci_shape_text(&x->shape, text));
    d->is_f32 = x->kind == 'f';
    if (!d->is_f32 && !(x->kind == 'u' && x->item == 1))
        return rci_fail(RC_ERR_DATA, "%s: x is of type %c%u, must be f2, f4, f8 or u1", path,
                        x->kind, x->item);
    const int64_t *dim = x->shape.dim;
    RC_TRY(rci_dataset_set_shape(d, path, dim[0],
                                 (int64_t[]){r == 4 ? dim[1] : 1, dim[r - 2], dim[r - 1]}));
    RC_TRY(rci_dataset_reserve(d));
    if (!d->is_f32) {
        memcpy(d->pixels, x->data, (size_t) x->count);
        return RC_OK;
    }
    rci_npy_to_f32(x, d->pixels);
    return check_finite(d, path);
}

static rc_status npz_take_labels(struct rc_dataset *d, const struct rci_npy *y, const char *path)
{
    char text[RC_SHAPE_TEXT];
    if (y->kind == 'f')
        return rci_fail(RC_ERR_DATA, "%s: y is of type f%u, must be an integer type", path,
                        y->item);
    if (y->shape.rank != 1 || y->shape.dim[0] != d->stored)
        return rci_fail(RC_ERR_DATA, "%s: y is %s, must be [%u] as x has %u images", path,
                        rci_shape_text(&y->shape, text), d->stored, d->stored);
    for (uint32_t i = 0; i < d->stored; i++)
        RC_TRY(rci_dataset_set_label(d, path, i, rci_npy_integer(y, i)));
    rci_dataset_count_classes(d);
    return RC_OK;
}

static rc_status take_member(struct rc_dataset *d, const struct rci_bytes *archive,
                             const char *path, const char *name)
{
    struct rci_bytes member;
    struct rci_npy array;
    bool found;
    RC_TRY(rci_zip_read(d->ctx, archive, path, name, &member, &found));
    if (!found)
        return rci_fail(RC_ERR_DATA, "%s: has no array \"%c\", needs x and y", path, name[0]);
    rc_status st = rci_npy_parse(&array, member.data, member.size, name);
    if (st != RC_OK)
        rci_fail_prefix(st, "%s", path);
    else
        st = name[0] == 'x' ? npz_take_images(d, &array, path) : npz_take_labels(d, &array, path);
    rci_release(member.data);
    return st;
}

static rc_status npz_open(struct rc_dataset *d, const char *path)
{
    struct rci_bytes archive;
    RC_TRY(rci_file_read(d->ctx, path, 0, &archive));
    rc_status st = take_member(d, &archive, path, "x.npy");
    if (st == RC_OK)
        st = take_member(d, &archive, path, "y.npy");
    rci_release(archive.data);
    return st;
}

const struct rci_source rci_source_npz = {.kind = "npz", .open = npz_open};
