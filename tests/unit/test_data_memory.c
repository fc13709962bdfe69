/* Every allocation of opening, reading and batching fails once: RC_ERR_MEMORY, and nothing leaks.
 */
#include "check.h"
#include "data/batches.h"
#include "files.h"

#include <rescomp/dataset.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_int until_failure;

static void *allocate(void *user, size_t size, size_t alignment)
{
    (void) user;
    if (atomic_fetch_sub(&until_failure, 1) == 0)
        return NULL;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void release(void *user, void *p)
{
    (void) user;
    free(p);
}

static rc_status use(rc_context *c, const char *spec)
{
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    rc_dataset *d;
    struct rci_batches *b;
    float *x = calloc(4 * 3 * 32 * 32, sizeof(float));
    int32_t y[4];
    o.holdout = 1;
    o.crop = 4;
    o.preprocess = "{\"mean\":[0.5],\"std\":[0.5]}";
    rc_status st = rc_dataset_open(&d, c, spec, &o);
    if (st == RC_OK) {
        const struct rci_batches_config bo = {
            .batch = 4, .shuffle = true, .prefetch = true, .augmentation = "crop+mixup"};
        st = rc_dataset_read(d, 0, 1, x, y);
        if (st == RC_OK)
            st = rci_batches_new(&b, d, &bo);
        if (st == RC_OK) {
            float target[4 * 10];
            struct rci_batch to = {.x = x, .y = y, .target = target};
            st = rci_batches_fill(b, 0, 0, &to);
            if (st == RC_OK)
                st = rci_batches_fill(b, 1, 0, &to);
            rci_batches_free(b);
        }
    }
    rc_dataset_free(&d);
    free(x);
    return st;
}

static void fail_each(const char *spec)
{
    rc_context_options co = RC_CONTEXT_OPTIONS_INIT;
    rc_context *c;
    co.allocate = allocate;
    co.release = release;
    co.threads = 1;
    atomic_store(&until_failure, 1 << 30);
    OK(rc_context_new(&c, &co));
    rc_status st = RC_ERR_MEMORY;
    int at = 0;
    for (; st != RC_OK && at < 2000; at++) {
        atomic_store(&until_failure, at);
        st = use(c, spec);
        if (st != RC_OK && st != RC_ERR_MEMORY)
            fail_msg("%s: allocation %d: %s", spec, at, rc_last_error());
        uint64_t live;
        OK(rc_context_get_memory(c, &live, NULL));
        assert_int_equal(live, 0);
    }
    assert_int_equal(st, RC_OK);
    assert_true(at > 10);
    atomic_store(&until_failure, 1 << 30);
    test_context_done(c);
}

static void cifar_and_idx_survive(void **state)
{
    (void) state;
    const char *folder = scratch_folder();
    static const uint8_t record[3073 * 2];
    static const uint8_t images[16 + 5 * 64] = {0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 8};
    static const uint8_t labels[8 + 5] = {0, 0, 8, 1, 0, 0, 0, 5};
    char spec[300];
    for (char i = '1'; i <= '5'; i++) {
        char name[] = "data_batch_N.bin";
        name[11] = i;
        scratch_write(folder, name, record, sizeof(record));
    }
    scratch_write(folder, "batches.meta.txt", "a\nb\n", 4);
    scratch_write(folder, "train-images-idx3-ubyte", images, sizeof(images));
    scratch_write(folder, "train-labels-idx1-ubyte", labels, sizeof(labels));
    snprintf(spec, sizeof(spec), "cifar10:%s", folder);
    fail_each(spec);
    snprintf(spec, sizeof(spec), "idx:%s", folder);
    fail_each(spec);
    scratch_remove(folder);
}

static void npz_survives(void **state)
{
    (void) state;
    const char *folder = scratch_folder();
    char spec[300];
    const int status = scratch_python("import numpy as n, sys\n"
                                      "n.savez_compressed(sys.argv[1] + '/a.npz', y=n.arange(5),"
                                      " x=n.zeros((5, 3, 8, 8), 'u1'))",
                                      folder);
    snprintf(spec, sizeof(spec), "npz:%s/a.npz", folder);
    if (status == 0)
        fail_each(spec);
    scratch_remove(folder);
    if (status != 0)
        skip();
}

#ifdef RC_HAVE_PNG
static void folder_survives(void **state)
{
    (void) state;
    /* 4 x 4 grey pixels, all 128 */
    static const uint8_t png[] = {
        0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
        0x52, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x04, 0x08, 0x00, 0x00, 0x00, 0x00, 0x8c,
        0x9a, 0xc1, 0xa2, 0x00, 0x00, 0x00, 0x0e, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x68,
        0x00, 0x02, 0x06, 0x54, 0x02, 0x00, 0x50, 0x14, 0x08, 0x01, 0x70, 0x25, 0xae, 0x3f, 0x00,
        0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
    };
    const char *folder = scratch_folder();
    char spec[300];
    scratch_write(folder, "a/1.png", png, sizeof(png));
    scratch_write(folder, "b/1.png", png, sizeof(png));
    snprintf(spec, sizeof(spec), "folder:%s", folder);
    fail_each(spec);
    scratch_remove(folder);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cifar_and_idx_survive),
        cmocka_unit_test(npz_survives),
#ifdef RC_HAVE_PNG
        cmocka_unit_test(folder_survives),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
