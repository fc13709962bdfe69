/* IDX files (MNIST family), also gzipped: 00 00 08 RANK, then RANK big-endian sizes, then bytes.
 * Images are [N,H,W] or [N,C,H,W], labels [N]. */
#include "data/inflate.h"
#include "data/source.h"
#include <string.h>
#include <unistd.h>

struct idx {
    struct rci_bytes file;
    bool gzip;
    uint32_t rank;
    int64_t dim[4];
    size_t header, bytes; /* bytes: product of the sizes */
};

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

/* Both usual spellings, "-idx3-ubyte" and ".idx3-ubyte". */
static rc_status find_file(struct rc_dataset *d, const char *folder, const char *what, char **out)
{
    const char *split = d->split == RC_SPLIT_TEST ? "t10k" : "train";
    const int rank = strcmp(what, "images") == 0 ? 3 : 1;
    for (uint32_t i = 0; i < 4; i++) {
        const char *gz = i & 1 ? ".gz" : "";
        *out = rci_format(d->ctx, "%s/%s-%s%cidx%d-ubyte%s", folder, split, what, i < 2 ? '-' : '.',
                          rank, gz);
        if (!*out)
            return RC_ERR_MEMORY;
        if (access(*out, F_OK) == 0)
            return RC_OK;
        rci_release(*out);
        *out = NULL;
    }
    return rci_fail(RC_ERR_PATH, "%s: no file %s-%s-idx%d-ubyte, with or without .gz", folder,
                    split, what, rank);
}

static rc_status read_head(struct rc_dataset *d, const struct idx *f, uint8_t *to, size_t n,
                           const char *path)
{
    if (f->gzip)
        return rci_inflate(d->ctx, RC_INFLATE_GZIP, f->file.data, f->file.size, to, n, false, path);
    if (f->file.size < n)
        return rci_fail(RC_ERR_TRUNCATED, "%s: %zu bytes, the header has %zu", path, f->file.size,
                        n);
    memcpy(to, f->file.data, n);
    return RC_OK;
}

static rc_status read_header(struct rc_dataset *d, struct idx *f, const char *path, bool images)
{
    uint8_t head[20];
    RC_TRY(read_head(d, f, head, 4, path));
    f->rank = head[3];
    const bool good = images ? f->rank == 3 || f->rank == 4 : f->rank == 1;
    if (head[0] || head[1] || head[2] != 8 || !good)
        return rci_fail(RC_ERR_FORMAT, "%s: magic is %02x%02x%02x%02x, must be 000008%s", path,
                        head[0], head[1], head[2], head[3], images ? "03 or 00000804" : "01");
    f->header = 4 + 4 * (size_t) f->rank;
    RC_TRY(read_head(d, f, head, f->header, path));
    f->bytes = 1;
    bool fits = true;
    for (uint32_t i = 0; i < f->rank; i++) {
        f->dim[i] = big_endian(head + 4 + 4 * i);
        fits = fits && rci_mul_size(f->bytes, (size_t) f->dim[i], &f->bytes);
    }
    fits = fits && f->bytes <= SIZE_MAX - 20 &&
           (f->gzip ? rci_inflate_possible(f->file.size, f->bytes)
                    : f->file.size == f->header + f->bytes);
    if (!fits)
        return rci_fail(RC_ERR_DATA, "%s: %zu bytes do not match the sizes in its header", path,
                        f->file.size);
    return RC_OK;
}

static rc_status open_file(struct rc_dataset *d, struct idx *f, const char *path, bool images)
{
    RC_TRY(rci_file_read(d->ctx, path, 0, &f->file));
    f->gzip = f->file.size >= 2 && f->file.data[0] == 0x1F && f->file.data[1] == 0x8B;
    return read_header(d, f, path, images);
}

/* The data behind the header: points into the file, or to `*owned` after inflating. */
static rc_status file_data(struct rc_dataset *d, const struct idx *f, const char *path,
                           uint8_t **owned, const uint8_t **data)
{
    *data = f->file.data + f->header;
    if (!f->gzip)
        return RC_OK;
    const size_t all = f->header + f->bytes;
    if (!(*owned = rci_alloc(d->ctx, all)))
        return RC_ERR_MEMORY;
    *data = *owned + f->header;
    return rci_inflate(d->ctx, RC_INFLATE_GZIP, f->file.data, f->file.size, *owned, all, true,
                       path);
}

static rc_status idx_take_images(struct rc_dataset *d, const char *path)
{
    struct idx f = {.file = {NULL, 0}};
    uint8_t *owned = NULL;
    const uint8_t *data;
    rc_status st = open_file(d, &f, path, true);
    if (st == RC_OK) {
        const uint32_t r = f.rank;
        const int64_t chw[3] = {r == 4 ? f.dim[1] : 1, f.dim[r - 2], f.dim[r - 1]};
        st = rci_dataset_set_shape(d, path, f.dim[0], chw);
    }
    if (st == RC_OK)
        st = rci_dataset_reserve(d);
    if (st == RC_OK)
        st = file_data(d, &f, path, &owned, &data);
    if (st == RC_OK)
        memcpy(d->pixels, data, f.bytes);
    rci_release(owned);
    rci_release(f.file.data);
    return st;
}

static rc_status copy_labels(struct rc_dataset *d, const struct idx *f, const char *path,
                             const uint8_t *data)
{
    if (f->dim[0] != d->stored)
        return rci_fail(RC_ERR_DATA, "%s: %lld labels for %u images", path, (long long) f->dim[0],
                        d->stored);
    for (uint32_t i = 0; i < d->stored; i++)
        RC_TRY(rci_dataset_set_label(d, path, i, data[i]));
    rci_dataset_count_classes(d);
    return RC_OK;
}

static rc_status idx_take_labels(struct rc_dataset *d, const char *path)
{
    struct idx f = {.file = {NULL, 0}};
    uint8_t *owned = NULL;
    const uint8_t *data;
    rc_status st = open_file(d, &f, path, false);
    if (st == RC_OK)
        st = file_data(d, &f, path, &owned, &data);
    if (st == RC_OK)
        st = copy_labels(d, &f, path, data);
    rci_release(owned);
    rci_release(f.file.data);
    return st;
}

static rc_status idx_open(struct rc_dataset *d, const char *folder)
{
    char *path;
    RC_TRY(find_file(d, folder, "images", &path));
    rc_status st = idx_take_images(d, path);
    rci_release(path);
    RC_TRY(st);
    RC_TRY(find_file(d, folder, "labels", &path));
    st = idx_take_labels(d, path);
    rci_release(path);
    return st;
}

const struct rci_source rci_source_idx = {.kind = "idx", .open = idx_open};
