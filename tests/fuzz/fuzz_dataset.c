/* Data sets in files: IDX, CIFAR, npz, and NPY arrays by themselves. The first byte of an input
 * chooses, the rest are the files. Images of a data set that is accepted are finite and its labels
 * in range. */
#include "fuzz.h"

#include "data/npy.h"
#include "data/source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void read_images(const struct rc_dataset *d)
{
    enum { VALUES_MAX = 1 << 20 };
    const size_t values = rci_dataset_image_count(d);
    int32_t label;
    FUZZ_CHECK(d->images >= 1 && d->classes >= 1 && values >= 1);
    if (values > VALUES_MAX)
        return;
    float *x = malloc(values * sizeof(*x));
    FUZZ_CHECK(x != NULL);
    for (uint32_t i = 0; i < d->images && i < 4; i++) {
        FUZZ_CHECK(rci_dataset_read(d, i, 1, x, &label) == RC_OK);
        FUZZ_CHECK(label >= 0 && (uint32_t) label < d->classes);
        for (size_t k = 0; k < values; k++)
            FUZZ_CHECK(isfinite(x[k]));
    }
    free(x);
}

static void open_set(struct rc_context *c, const char *kind, const char *path)
{
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    struct rc_dataset *d;
    char spec[300];
    snprintf(spec, sizeof(spec), "%s:%s", kind, path);
    const rc_status st = rci_dataset_open(&d, c, spec, &o);
    FUZZ_CHECK((st == RC_OK) == (d != NULL));
    FUZZ_CHECK(st != RC_ERR_STATE && st != RC_ERR_ARG);
    if (d)
        read_images(d);
    rci_dataset_free(d);
}

static void open_idx(struct rc_context *c, struct fuzz_input in)
{
    const struct fuzz_input labels = fuzz_piece(&in);
    fuzz_file("train-labels-idx1-ubyte", labels.data, labels.size);
    fuzz_file("train-images-idx3-ubyte", in.data, in.size);
    open_set(c, "idx", fuzz_folder());
}

static void open_cifar100(struct rc_context *c, struct fuzz_input in)
{
    const struct fuzz_input names = fuzz_piece(&in);
    fuzz_file("fine_label_names.txt", names.data, names.size);
    fuzz_file("train.bin", in.data, in.size);
    open_set(c, "cifar100", fuzz_folder());
}

static void parse_npy(struct fuzz_input in)
{
    enum { VALUES_MAX = 1 << 16 };
    struct rci_npy a;
    static float values[VALUES_MAX];
    if (rci_npy_parse(&a, in.data, in.size, "array") != RC_OK)
        return;
    FUZZ_CHECK(a.count >= 0 && a.data >= in.data);
    FUZZ_CHECK((size_t) a.count * a.item == in.size - (size_t) (a.data - in.data));
    if (a.count > VALUES_MAX)
        return;
    rci_npy_to_f32(&a, values);
    for (int64_t i = 0; a.kind != 'f' && i < a.count; i++)
        (void) rci_npy_integer(&a, i);
}

static void put16(uint8_t **at, size_t v)
{
    *(*at)++ = (uint8_t) v;
    *(*at)++ = (uint8_t) (v >> 8);
}

static void put32(uint8_t **at, size_t v)
{
    put16(at, v & 0xffff);
    put16(at, v >> 16 & 0xffff);
}

/* What local header and directory entry have in common. */
static void put_member(uint8_t **at, const struct fuzz_input *m)
{
    put16(at, 20); /* version */
    put32(at, 0);  /* flags, stored */
    put32(at, 0);  /* time, date */
    put32(at, crc32_z(0, m->data, m->size));
    put32(at, m->size);
    put32(at, m->size);
    put32(at, 5); /* bytes of the name; nothing extra */
}

/* An archive of two stored members, checksums included, so that what is in them is looked at. */
static void open_members(struct rc_context *c, struct fuzz_input in)
{
    struct fuzz_input member[2] = {fuzz_piece(&in), in};
    static const char *const names[2] = {"x.npy", "y.npy"};
    uint8_t *const zip = malloc(in.size + member[0].size + 300), *at = zip;
    size_t local[2];
    FUZZ_CHECK(zip != NULL);
    for (int i = 0; i < 2; i++) {
        local[i] = (size_t) (at - zip);
        put32(&at, 0x04034B50);
        put_member(&at, &member[i]);
        at = (uint8_t *) mempcpy(at, names[i], 5);
        at = (uint8_t *) mempcpy(at, member[i].data, member[i].size);
    }
    const size_t directory = (size_t) (at - zip);
    for (int i = 0; i < 2; i++) {
        put32(&at, 0x02014B50);
        put16(&at, 20);
        put_member(&at, &member[i]);
        put32(&at, 0); /* comment, disk */
        put16(&at, 0);
        put32(&at, 0); /* attributes */
        put32(&at, local[i]);
        at = (uint8_t *) mempcpy(at, names[i], 5);
    }
    const size_t end = (size_t) (at - zip);
    put32(&at, 0x06054B50);
    put32(&at, 0);
    put32(&at, 2 | 2 << 16);
    put32(&at, end - directory);
    put32(&at, directory);
    put16(&at, 0);
    open_set(c, "npz", fuzz_file("set.npz", zip, (size_t) (at - zip)));
    free(zip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rc_context *c = fuzz_context();
    struct fuzz_input in = {data, size};
    switch (fuzz_byte(&in)) {
    case 'i':
        open_idx(c, in);
        break;
    case 'c':
        open_cifar100(c, in);
        break;
    case 'z':
        open_set(c, "npz", fuzz_file("set.npz", in.data ? in.data : data, in.size));
        break;
    case 'm':
        open_members(c, in);
        break;
    default:
        parse_npy((struct fuzz_input){data, size});
    }
    fuzz_context_done(c);
    return 0;
}
