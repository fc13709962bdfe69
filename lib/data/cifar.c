/* CIFAR-10 and CIFAR-100, binary version: records of 1 or 2 label bytes and 3x32x32 planar RGB. */
#include "data/source.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIXELS = 3 * 32 * 32 };

/* Files of one of the two archives. */
struct layout {
    const char *folder, *train[6], *test[2], *names; /* NULL-terminated lists */
    uint32_t label_bytes, classes;                   /* the last label byte counts */
};

static const struct layout cifar10 = {
    "cifar-10-batches-bin",
    {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
     "data_batch_5.bin"},
    {"test_batch.bin"},
    "batches.meta.txt",
    1,
    10,
};
static const struct layout cifar100 = {
    "cifar-100-binary", {"train.bin"}, {"test.bin"}, "fine_label_names.txt", 2, 100,
};

/* Append a file's records to the images that `*filled` counts. */
static rc_status append_file(struct rc_dataset *d, const struct layout *l, const char *path,
                             const struct rci_bytes *file, uint32_t *filled)
{
    const uint32_t record = l->label_bytes + PIXELS;
    const size_t n = file->size / record;
    if (n > d->stored - *filled)
        return rci_fail(RC_ERR_IO, "%s: grew while it was read", path);
    for (size_t i = 0; i < n; i++, ++*filled) {
        const uint8_t *from = file->data + i * record;
        const uint8_t label = from[l->label_bytes - 1];
        if (label >= d->classes)
            return rci_fail(RC_ERR_DATA, "%s: label of record %zu is %u, must be 0..%u", path, i,
                            label, d->classes - 1);
        d->labels[*filled] = label;
        memcpy((uint8_t *) d->pixels + (size_t) *filled * PIXELS, from + l->label_bytes, PIXELS);
    }
    return RC_OK;
}

static rc_status cifar_read_part(struct rc_dataset *d, const struct layout *l, const char *path,
                                 uint32_t *filled)
{
    struct rci_bytes file;
    RC_TRY(rci_file_read(d->ctx, path, 0, &file));
    const rc_status st = append_file(d, l, path, &file, filled);
    rci_release(file.data);
    return st;
}

/* A missing file counts as 0 here: reading it tells what is wrong with it. */
static rc_status count_part(const struct layout *l, const char *path, uint64_t *images)
{
    struct stat s;
    if (stat(path, &s) != 0 || !S_ISREG(s.st_mode))
        return RC_OK;
    const uint32_t record = l->label_bytes + PIXELS;
    if (s.st_size <= 0 || s.st_size % record)
        return rci_fail(RC_ERR_DATA, "%s: %lld bytes, must be a multiple of %u", path,
                        (long long) s.st_size, record);
    *images += (uint64_t) s.st_size / record;
    return RC_OK;
}

static rc_status each_part(struct rc_dataset *d, const struct layout *l, const char *folder,
                           uint64_t *count, uint32_t *filled)
{
    for (const char *const *f = d->split == RC_SPLIT_TEST ? l->test : l->train; *f; f++) {
        char *path = rci_format(d->ctx, "%s/%s", folder, *f);
        const rc_status st = !path    ? RC_ERR_MEMORY
                             : filled ? cifar_read_part(d, l, path, filled)
                                      : count_part(l, path, count);
        rci_release(path);
        RC_TRY(st);
    }
    return RC_OK;
}

/* Twice over the files: counted, then read into memory of that size. */
static rc_status read_parts(struct rc_dataset *d, const struct layout *l, const char *folder)
{
    static const int64_t chw[3] = {3, 32, 32};
    uint64_t images = 0;
    uint32_t filled = 0;
    RC_TRY(each_part(d, l, folder, &images, NULL));
    RC_TRY(rci_dataset_set_shape(d, folder, images ? (int64_t) images : 1, chw));
    RC_TRY(rci_dataset_reserve(d));
    RC_TRY(each_part(d, l, folder, NULL, &filled));
    if (filled != d->stored)
        return rci_fail(RC_ERR_IO, "%s: files shrank while they were read", folder);
    char *names = rci_format(d->ctx, "%s/%s", folder, l->names);
    const rc_status st = names ? rci_dataset_read_names(d, names) : RC_ERR_MEMORY;
    rci_release(names);
    return st;
}

/* The files are in `path`, or in the folder that the official archive makes. */
static rc_status open_layout(struct rc_dataset *d, const struct layout *l, const char *path)
{
    if (d->classes && d->classes < l->classes)
        return rci_fail(RC_ERR_ARG, "classes is %u, must be %u or more", d->classes, l->classes);
    d->classes = d->classes ? d->classes : l->classes;
    char *inner = rci_format(d->ctx, "%s/%s", path, l->folder);
    if (!inner)
        return RC_ERR_MEMORY;
    const rc_status st = read_parts(d, l, access(inner, F_OK) == 0 ? inner : path);
    rci_release(inner);
    return st;
}

static rc_status cifar10_open(struct rc_dataset *d, const char *path)
{
    return open_layout(d, &cifar10, path);
}
static rc_status cifar100_open(struct rc_dataset *d, const char *path)
{
    return open_layout(d, &cifar100, path);
}

const struct rci_source rci_source_cifar10 = {.kind = "cifar10", .open = cifar10_open};
const struct rci_source rci_source_cifar100 = {
    .kind = "cifar100",
    .defaults = {{0.507, 0.487, 0.441}, {0.267, 0.256, 0.276}, 3},
    .open = cifar100_open,
};
