/* CIFAR, IDX and npz data sets, NPY files: what is read, and what is refused with which words. */
#include "check.h"
#include "files.h"
#include "shared.h"

#include <rescomp/dataset.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

static rc_context *context;
static const char *folder;

static int setup(void **state)
{
    (void) state;
    context = test_context();
    folder = scratch_folder();
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    scratch_remove(folder);
    test_context_done(context);
    return 0;
}

static rc_status open_split(rc_dataset **d, const char *kind, const char *name, const char *split)
{
    char spec[1200];
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    o.split = split;
    snprintf(spec, sizeof(spec), "%s:%s", kind, name);
    return rc_dataset_open(d, context, spec, &o);
}

static void refuse(const char *kind, const char *name, rc_status st, const char *text)
{
    rc_dataset *d;
    REFUSED(open_split(&d, kind, name, "train"), st, text);
    assert_null(d);
}

/* Files of `n` records each, pixel = (record + byte) mod 256, label = record mod 10. */
static void write_cifar10(const char *to, int n)
{
    static const char *const names[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                        "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};
    uint8_t *data = malloc((size_t) n * 3073);
    for (int f = 0; f < 6; f++) {
        for (int i = 0; i < n * 3073; i++)
            data[i] =
                (uint8_t) (i % 3073 ? f * n + i / 3073 + i % 3073 - 1 : (f * n + i / 3073) % 10);
        scratch_write(to, names[f], data, (size_t) n * 3073);
    }
    free(data);
}

static void cifar10_is_read_and_normalised(void **state)
{
    (void) state;
    rc_dataset *d;
    static const char names[] = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\n"
                                "truck\n\n";
    static float x[3 * 3072];
    int32_t y[3];
    int64_t chw[3];
    write_cifar10(folder, 4);
    scratch_write(folder, "batches.meta.txt", names, sizeof(names) - 1);
    OK(open_split(&d, "cifar10", folder, NULL));
    assert_int_equal(rc_dataset_count_images(d), 20);
    assert_int_equal(rc_dataset_count_classes(d), 10);
    OK(rc_dataset_get_shape(d, chw));
    assert_true(chw[0] == 3 && chw[1] == 32 && chw[2] == 32);
    assert_string_equal(rc_dataset_get_class_name(d, 9), "truck");
    assert_null(rc_dataset_get_class_name(d, 10));
    OK(rc_dataset_read(d, 11, 3, x, y));
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    for (int i = 0; i < 3 * 3072; i++) {
        const int c = i % 3072 / 1024, p = (11 + i / 3072 + i % 3072) & 255;
        assert_true(x[i] == ((float) p / 255.0f - mean[c]) / std[c]);
    }
    assert_true(y[0] == 1 && y[1] == 2 && y[2] == 3);
    REFUSED(rc_dataset_read(d, 18, 3, x, y), RC_ERR_ARG, "the split has 20");
    rc_dataset_free(&d);
    OK(open_split(&d, "cifar10", folder, "test"));
    assert_int_equal(rc_dataset_count_images(d), 4);
    OK(rc_dataset_get_label(d, 3, y));
    assert_int_equal(y[0], 3);
    rc_dataset_free(&d);
}

static void bad_cifar_is_refused(void **state)
{
    (void) state;
    uint8_t record[3074] = {10};
    write_cifar10(folder, 1);
    scratch_write(folder, "data_batch_3.bin", record, 3073);
    refuse("cifar10", folder, RC_ERR_DATA,
           "data_batch_3.bin: label of record 0 is 10, must be 0..9");
    scratch_write(folder, "data_batch_3.bin", record, 3072);
    refuse("cifar10", folder, RC_ERR_DATA,
           "data_batch_3.bin: 3072 bytes, must be a multiple of 3073");
    scratch_write(folder, "data_batch_3.bin", record, 0);
    refuse("cifar10", folder, RC_ERR_DATA, "data_batch_3.bin: 0 bytes");
    unlink(scratch_path(folder, "data_batch_3.bin"));
    refuse("cifar10", folder, RC_ERR_PATH, "data_batch_3.bin: cannot open");
    refuse("cifar100", folder, RC_ERR_PATH, "train.bin");
    record[0] = 3;
    record[1] = 99;
    scratch_write(folder, "train.bin", record, 3074);
    rc_dataset *d;
    int32_t y;
    OK(open_split(&d, "cifar100", folder, "train"));
    OK(rc_dataset_get_label(d, 0, &y));
    assert_int_equal(y, 99);
    rc_dataset_free(&d);
    record[1] = 100;
    scratch_write(folder, "train.bin", record, 3074);
    refuse("cifar100", folder, RC_ERR_DATA, "label of record 0 is 100, must be 0..99");
}

static void wrong_specs_and_options_are_refused(void **state)
{
    (void) state;
    rc_dataset *d;
    REFUSED(rc_dataset_open(&d, context, "cifar10", NULL), RC_ERR_ARG, "must be KIND:PATH");
    REFUSED(rc_dataset_open(&d, context, "mnist:/tmp", NULL), RC_ERR_ARG, "cifar10 cifar100");
    REFUSED(rc_dataset_open(&d, context, "idx:", NULL), RC_ERR_ARG, "has no path");
    REFUSED(rc_dataset_open(&d, NULL, "idx:/tmp", NULL), RC_ERR_ARG, "context");
    REFUSED(open_split(&d, "cifar10", folder, "valid"), RC_ERR_ARG, "train, test or calib");
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    o.calib_percent = 51;
    REFUSED(rc_dataset_open(&d, context, "idx:x", &o), RC_ERR_ARG, "calib_percent is 51");
    o.calib_percent = 0;
    o.std[0] = -1;
    REFUSED(rc_dataset_open(&d, context, "idx:x", &o), RC_ERR_ARG, "std[0] is -1");
    o.std[0] = 0;
    o.channels = "gbr";
    REFUSED(rc_dataset_open(&d, context, "idx:x", &o), RC_ERR_ARG, "channels is \"gbr\"");
    o.channels = NULL;
    o.preprocess = "{\"mean\":[0.5],\"std\":[0.5],\"hue\":1}";
    REFUSED(rc_dataset_open(&d, context, "idx:x", &o), RC_ERR_FORMAT, "unknown key \"hue\"");
    o.preprocess = "{\"mean\":[0.5,1],\"std\":[0.5]}";
    REFUSED(rc_dataset_open(&d, context, "idx:x", &o), RC_ERR_FORMAT, "\"mean\" has 2 numbers");
    o.size = 8;
    REFUSED(rc_dataset_open(&d, context, "idx:x", &o), RC_ERR_ABI, "rc_dataset_options.size");
}

static void write_gz(const char *name, const void *data, size_t size)
{
    gzFile f = gzopen(scratch_path(folder, name), "wb");
    assert_int_equal(gzwrite(f, data, (unsigned) size), size);
    assert_int_equal(gzclose(f), Z_OK);
}

/* 5 images of 2 x 3 pixels. */
static const uint8_t idx_images[16 + 30] = {0, 0, 8, 3, 0, 0,   0, 5, 0, 0, 0, 2,
                                            0, 0, 0, 3, 0, 255, 2, 3, 4, 5, 6};
static const uint8_t idx_labels[8 + 5] = {0, 0, 8, 1, 0, 0, 0, 5, 0, 1, 2, 6, 4};

static void expect_idx(void)
{
    rc_dataset *d;
    float x[12];
    int32_t y[2];
    OK(open_split(&d, "idx", folder, "train"));
    assert_int_equal(rc_dataset_count_images(d), 5);
    assert_int_equal(rc_dataset_count_classes(d), 7);
    OK(rc_dataset_read(d, 0, 2, x, y));
    assert_true(x[0] == -1.0f && x[1] == 1.0f && y[1] == 1);
    assert_null(rc_dataset_get_class_name(d, 0));
    rc_dataset_free(&d);
}

static void idx_is_read_with_and_without_gzip(void **state)
{
    (void) state;
    scratch_write(folder, "train-images-idx3-ubyte", idx_images, sizeof(idx_images));
    scratch_write(folder, "train-labels.idx1-ubyte", idx_labels, sizeof(idx_labels));
    expect_idx();
    unlink(scratch_path(folder, "train-images-idx3-ubyte"));
    unlink(scratch_path(folder, "train-labels.idx1-ubyte"));
    write_gz("train-images-idx3-ubyte.gz", idx_images, sizeof(idx_images));
    write_gz("train-labels-idx1-ubyte.gz", idx_labels, sizeof(idx_labels));
    expect_idx();
}

static void bad_idx_is_refused(void **state)
{
    (void) state;
    uint8_t images[47], labels[13];
    refuse("idx", folder, RC_ERR_PATH, "no file train-images-idx3-ubyte, with or without .gz");
    memcpy(images, idx_images, 46);
    memcpy(labels, idx_labels, 13);
    scratch_write(folder, "train-labels-idx1-ubyte", labels, 13);
    for (size_t n = 0; n < 46; n++) {
        scratch_write(folder, "train-images-idx3-ubyte", images, n);
        refuse("idx", folder, n < 16 ? RC_ERR_TRUNCATED : RC_ERR_DATA, "train-images-idx3-ubyte: ");
    }
    images[46] = 0;
    scratch_write(folder, "train-images-idx3-ubyte", images, 47);
    refuse("idx", folder, RC_ERR_DATA, "do not match the sizes");
    images[2] = 9;
    scratch_write(folder, "train-images-idx3-ubyte", images, 46);
    refuse("idx", folder, RC_ERR_FORMAT, "magic is 00000903, must be 00000803");
    images[2] = 8;
    memset(images + 4, 255, 12); /* 2^32 x 2^32 x 2^32 overflows */
    scratch_write(folder, "train-images-idx3-ubyte", images, 46);
    refuse("idx", folder, RC_ERR_DATA, "do not match the sizes");
    memcpy(images, idx_images, 46);
    scratch_write(folder, "train-images-idx3-ubyte", images, 46);
    labels[7] = 4;
    scratch_write(folder, "train-labels-idx1-ubyte", labels, 12);
    refuse("idx", folder, RC_ERR_DATA, "4 labels for 5 images");
    unlink(scratch_path(folder, "train-labels-idx1-ubyte"));
    refuse("idx", folder, RC_ERR_PATH, "no file train-labels");
}

static void gzip_bombs_and_cut_streams_are_refused(void **state)
{
    (void) state;
    uint8_t images[46], packed[4096];
    write_gz("train-labels-idx1-ubyte.gz", idx_labels, 13);
    memcpy(images, idx_images, 46);
    images[4] = 100; /* 1.6 billion images in 60 bytes */
    write_gz("train-images-idx3-ubyte.gz", images, 46);
    refuse("idx", folder, RC_ERR_DATA, "do not match the sizes");
    images[4] = 0;
    images[7] = 4; /* more data than the header says */
    write_gz("train-images-idx3-ubyte.gz", images, 46);
    refuse("idx", folder, RC_ERR_FORMAT, "does not end after 40 bytes");
    images[7] = 6;
    write_gz("train-images-idx3-ubyte.gz", images, 46);
    refuse("idx", folder, RC_ERR_TRUNCATED, "ends after 46 bytes, expected are 52");
    write_gz("train-images-idx3-ubyte.gz", idx_images, 46);
    FILE *f = fopen(scratch_path(folder, "train-images-idx3-ubyte.gz"), "rb");
    const size_t size = fread(packed, 1, sizeof(packed), f);
    fclose(f);
    for (size_t n = 2; n < size; n++) {
        rc_dataset *d;
        scratch_write(folder, "train-images-idx3-ubyte.gz", packed, n);
        assert_int_not_equal(open_split(&d, "idx", folder, "train"), RC_OK);
    }
}

static void memory_cap_stops_a_large_data_set(void **state)
{
    (void) state;
    rc_context_options co = RC_CONTEXT_OPTIONS_INIT;
    rc_context *small;
    rc_dataset *d;
    char spec[300];
    write_cifar10(folder, 8);
    snprintf(spec, sizeof(spec), "cifar10:%s", folder);
    co.max_memory = 100000;
    OK(rc_context_new(&small, &co));
    assert_int_equal(rc_dataset_open(&d, small, spec, NULL), RC_ERR_MEMORY);
    test_context_done(small);
}

static void fashion_mnist_is_read(void **state)
{
    (void) state;
    const char *path = "/usr/share/datasets/fashion-mnist";
    rc_dataset *d;
    if (access(path, R_OK)) {
        print_message("skipped: package dataset-fashion-mnist is not installed\n");
        skip();
    }
    OK(open_split(&d, "idx", path, "test"));
    int64_t chw[3];
    OK(rc_dataset_get_shape(d, chw));
    assert_true(rc_dataset_count_images(d) == 10000 && rc_dataset_count_classes(d) == 10);
    assert_true(chw[0] == 1 && chw[1] == 28 && chw[2] == 28);
    int32_t y[5];
    OK(rc_dataset_read(d, 0, 5, NULL, y));
    assert_true(y[0] == 9 && y[1] == 2 && y[2] == 1 && y[3] == 1 && y[4] == 6);
    rc_dataset_free(&d);
}

static void official_cifar10_is_read(void **state)
{
    (void) state;
    const char *path = shared_cifar10();
    rc_dataset *d;
    if (!path)
        skip();
    OK(open_split(&d, "cifar10", path, "test"));
    assert_int_equal(rc_dataset_count_images(d), 10000);
    assert_string_equal(rc_dataset_get_class_name(d, 3), "cat");
    static int32_t y[10000];
    int count[10] = {0};
    OK(rc_dataset_read(d, 0, 10000, NULL, y));
    for (int i = 0; i < 10000; i++)
        count[y[i]]++;
    for (int i = 0; i < 10; i++)
        assert_int_equal(count[i], 1000);
    rc_dataset_free(&d);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(cifar10_is_read_and_normalised),
        T(bad_cifar_is_refused),
        T(wrong_specs_and_options_are_refused),
        T(idx_is_read_with_and_without_gzip),
        T(bad_idx_is_refused),
        T(gzip_bombs_and_cut_streams_are_refused),
        T(memory_cap_stops_a_large_data_set),
        T(fashion_mnist_is_read),
        T(official_cifar10_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
