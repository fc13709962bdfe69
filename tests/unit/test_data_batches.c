/* Batches: equal to a naive implementation, the same for any number of threads, with and without
 * reading ahead; splits that never overlap; augmentations. */
#include "check.h"
#include "data/augment/augment.h"
#include "data/batches.h"

#include <stdlib.h>

enum { IMAGES = 103, SIDE = 8, COUNT = 3 * SIDE * SIDE };

static rc_context *context;

static int setup(void **state)
{
    (void) state;
    context = test_context();
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    test_context_done(context);
    return 0;
}

static uint8_t pixel(uint64_t image, int i)
{
    return (uint8_t) (image * 7 + (uint64_t) i * 13 + image * (uint64_t) i);
}

static int32_t deliver_u8(void *user, uint64_t index, void *out, int32_t *label)
{
    for (int i = 0; out && i < COUNT; i++)
        ((uint8_t *) out)[i] = pixel(index, i);
    *label = (int32_t) (index % 5);
    return user && index == *(uint64_t *) user ? 17 : 0;
}

static int32_t deliver_f32(void *user, uint64_t index, void *out, int32_t *label)
{
    (void) user;
    for (int i = 0; out && i < COUNT; i++)
        ((float *) out)[i] = (float) pixel(index, i) / 255;
    *label = (int32_t) (index % 5);
    return 0;
}

static rc_dataset_source source(rc_dataset_image_fn get, uint64_t type)
{
    rc_dataset_source s = RC_DATASET_SOURCE_INIT;
    s.get = get;
    s.images = IMAGES;
    s.classes = 5;
    s.channels = 3;
    s.height = s.width = SIDE;
    s.type = type;
    return s;
}

static rc_dataset *dataset(const char *split, uint64_t holdout)
{
    rc_dataset *d;
    const rc_dataset_source s = source(deliver_u8, RC_DATASET_U8);
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    o.split = split;
    o.holdout = holdout;
    OK(rc_dataset_new_callback(&d, context, &s, &o));
    return d;
}

static struct rci_batches *batches(rc_dataset *d, const struct rci_batches_config *o)
{
    struct rci_batches *b;
    OK(rci_batches_new(&b, d, o));
    return b;
}

static float expected(uint32_t image, int i)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    const int c = i / (SIDE * SIDE);
    return ((float) pixel(image, i) / 255.0f - mean[c]) / std[c];
}

static void batches_equal_a_naive_implementation(void **state)
{
    (void) state;
    rc_dataset *d = dataset(NULL, 0);
    const struct rci_batches_config o = {.batch = 20};
    struct rci_batches *b = batches(d, &o);
    static float x[20 * COUNT];
    int32_t y[20];
    uint32_t id[20], n;
    assert_int_equal(rci_batches_per_epoch(b), 6);
    for (uint32_t k = 0; k < 6; k++) {
        OK(rci_batches_get(b, 3, k, x, y, id, &n));
        assert_int_equal(n, k < 5 ? 20 : 3);
        for (uint32_t i = 0; i < n; i++) {
            assert_true(id[i] == k * 20 + i && y[i] == (int32_t) (id[i] % 5));
            for (int p = 0; p < COUNT; p++)
                assert_true(x[i * COUNT + (uint32_t) p] == expected(id[i], p));
        }
    }
    REFUSED(rci_batches_get(b, 0, 6, x, y, id, &n), RC_ERR_ARG, "an epoch has 6");
    rci_batches_free(b);
    rc_dataset_free(&d);
}

static void shuffling_visits_every_image_once_and_differs_by_epoch(void **state)
{
    (void) state;
    rc_dataset *d = dataset(NULL, 0);
    const struct rci_batches_config o = {.batch = 10, .shuffle = true, .limit = 95, .seed = 4};
    struct rci_batches *b = batches(d, &o);
    static float x[10 * COUNT];
    int32_t y[10];
    uint32_t id[2][100], n;
    for (uint32_t e = 0; e < 2; e++) {
        int seen[IMAGES] = {0};
        for (uint32_t k = 0; k < 10; k++)
            OK(rci_batches_get(b, e, k, x, y, id[e] + 10 * k, &n));
        assert_int_equal(n, 5);
        for (int i = 0; i < 95; i++)
            seen[id[e][i]]++;
        for (int i = 0; i < IMAGES; i++)
            assert_int_equal(seen[i], i < 95);
    }
    assert_memory_not_equal(id[0], id[1], 95 * sizeof(uint32_t));
    uint32_t again[10];
    OK(rci_batches_get(b, 0, 4, x, y, again, &n)); /* going back gives the same */
    assert_memory_equal(again, id[0] + 40, sizeof(again));
    rci_batches_free(b);
    rc_dataset_free(&d);
}

static void dropping_the_last_batch_leaves_whole_ones(void **state)
{
    (void) state;
    rc_dataset *d = dataset(NULL, 0);
    struct rci_batches_config o = {.batch = 20, .drop_last = true};
    struct rci_batches *b = batches(d, &o);
    assert_int_equal(rci_batches_per_epoch(b), 5);
    rci_batches_free(b);
    o.batch = 104;
    REFUSED(rci_batches_new(&b, d, &o), RC_ERR_DATA, "103 images are less than one batch of 104");
    o.batch = 0;
    REFUSED(rci_batches_new(&b, d, &o), RC_ERR_ARG, "batch is 0");
    rc_dataset_free(&d);
}

static uint64_t hash(const void *data, size_t size, uint64_t h)
{
    for (size_t i = 0; i < size; i++)
        h = (h ^ ((const uint8_t *) data)[i]) * UINT64_C(1099511628211);
    return h;
}

/* In-memory images, so that threads and reading ahead are really used. */
static rc_dataset *memory_dataset(rc_context *c)
{
    rc_dataset *d;
    static char path[64];
    snprintf(path, sizeof(path), "idx:/usr/share/datasets/fashion-mnist");
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    o.split = "test";
    return rc_dataset_open(&d, c, path, &o) == RC_OK ? d : NULL;
}

static uint64_t epochs_hash(uint64_t threads, bool prefetch)
{
    rc_context_options co = RC_CONTEXT_OPTIONS_INIT;
    rc_context *c;
    co.threads = threads;
    OK(rc_context_new(&c, &co));
    rc_dataset *d = memory_dataset(c);
    if (!d) {
        print_message("skipped: package dataset-fashion-mnist is not installed\n");
        rc_context_free(&c);
        skip();
    }
    const struct rci_batches_config o = {.batch = 150,
                                         .shuffle = true,
                                         .limit = 1000,
                                         .seed = 9,
                                         .prefetch = prefetch,
                                         .augmentation = "crop:pad=3+flip+cutout:size=5"};
    struct rci_batches *b = batches(d, &o);
    static float x[1500 * 784];
    int32_t y[1500];
    uint32_t id[1500], n;
    uint64_t h = UINT64_C(14695981039346656037);
    for (uint64_t e = 0; e < 3; e++)
        for (uint64_t k = 0; k < rci_batches_per_epoch(b); k++) {
            OK(rci_batches_get(b, e, k, x, y, id, &n));
            h = hash(x, n * 784 * sizeof(float), hash(y, n * sizeof(*y), hash(id, n * 4, h)));
        }
    OK(rci_batches_get(b, 7, 2, x, y, id, &n)); /* not what was prepared */
    h = hash(x, n * 784 * sizeof(float), h);
    rci_batches_free(b);
    rc_dataset_free(&d);
    test_context_done(c);
    return h;
}

static void threads_and_reading_ahead_change_nothing(void **state)
{
    (void) state;
    const uint64_t one = epochs_hash(1, false);
    assert_true(epochs_hash(2, false) == one);
    assert_true(epochs_hash(5, false) == one);
    assert_true(epochs_hash(1, true) == one);
    assert_true(epochs_hash(3, true) == one);
}

static void calib_never_overlaps_held_out_train(void **state)
{
    (void) state;
    int seen[IMAGES] = {0};
    rc_dataset *train = dataset("train", 1), *calib = dataset("calib", 0), *all = dataset(NULL, 0);
    assert_int_equal(rc_dataset_count_images(train), 93);
    assert_int_equal(rc_dataset_count_images(calib), 10);
    assert_int_equal(rc_dataset_count_images(all), IMAGES);
    for (int part = 0; part < 2; part++) {
        rc_dataset *d = part ? calib : train;
        static float x[COUNT];
        for (uint64_t i = 0; i < rc_dataset_count_images(d); i++) {
            uint32_t image = 0;
            OK(rc_dataset_read(d, i, 1, x, NULL));
            while (image < IMAGES &&
                   x[5] != expected(image, 5)) /* 103 images differ there or ... */
                image++;
            for (; image < IMAGES; image++) { /* ... in another pixel */
                int p = 0;
                while (p < COUNT && x[p] == expected(image, p))
                    p++;
                if (p == COUNT)
                    break;
            }
            assert_true(image < IMAGES);
            seen[image]++;
        }
    }
    for (int i = 0; i < IMAGES; i++)
        assert_int_equal(seen[i], 1);
    rc_dataset_free(&train);
    rc_dataset_free(&calib);
    rc_dataset_free(&all);
}

static void callback_failures_name_the_image(void **state)
{
    (void) state;
    uint64_t bad = 42;
    rc_dataset *d;
    rc_dataset_source s = source(deliver_u8, RC_DATASET_U8);
    static float x[IMAGES * COUNT];
    int32_t y[IMAGES];
    s.user = &bad;
    OK(rc_dataset_new_callback(&d, context, &s, NULL));
    REFUSED(rc_dataset_read(d, 0, IMAGES, x, y), RC_ERR_DATA, "image 42: the callback returned 17");
    rc_dataset_free(&d);
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    o.skip_bad = 1;
    OK(rc_dataset_new_callback(&d, context, &s, &o));
    OK(rc_dataset_read(d, 0, IMAGES, x, y));
    assert_true(x[42 * COUNT + 9] == expected(43, 9) && y[42] == 43 % 5);
    rc_dataset_free(&d);
    s.user = NULL;
    s.classes = 4;
    OK(rc_dataset_new_callback(&d, context, &s, NULL));
    REFUSED(rc_dataset_read(d, 3, 2, x, y), RC_ERR_DATA, "label is 4, must be 0..3");
    rc_dataset_free(&d);
    s.images = 0;
    REFUSED(rc_dataset_new_callback(&d, context, &s, NULL), RC_ERR_DATA, "0 images");
    s.images = 5;
    s.type = 2;
    REFUSED(rc_dataset_new_callback(&d, context, &s, NULL), RC_ERR_ARG, "source.type is 2");
    s.get = NULL;
    REFUSED(rc_dataset_new_callback(&d, context, &s, NULL), RC_ERR_ARG, "source.get is NULL");
}

static void preprocessing_is_chosen_and_told(void **state)
{
    (void) state;
    rc_dataset *d;
    rc_dataset_source s = source(deliver_f32, RC_DATASET_F32);
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    float x[COUNT];
    OK(rc_dataset_new_callback(&d, context, &s, NULL));
    assert_non_null(strstr(rc_dataset_get_preprocess(d), "\"mean\":[0],\"std\":[1]"));
    OK(rc_dataset_read(d, 7, 1, x, NULL));
    assert_true(x[3] == (float) pixel(7, 3) / 255);
    rc_dataset_free(&d);
    s = source(deliver_u8, RC_DATASET_U8);
    o.channels = "bgr";
    OK(rc_dataset_new_callback(&d, context, &s, &o)); /* defaults follow the order */
    char text[512];
    snprintf(text, sizeof(text), "%s", rc_dataset_get_preprocess(d));
    assert_non_null(strstr(text, "\"mean\":[0.406,0.456,0.485]"));
    OK(rc_dataset_read(d, 7, 1, x, NULL));
    for (int i = 0; i < SIDE * SIDE; i++)
        assert_true(x[i] == expected(7, i + 2 * SIDE * SIDE));
    rc_dataset_free(&d);
    rc_dataset_options back = RC_DATASET_OPTIONS_INIT;
    back.preprocess = text;
    OK(rc_dataset_new_callback(&d, context, &s, &back));
    assert_string_equal(rc_dataset_get_preprocess(d), text);
    rc_dataset_free(&d);
    back.mean[0] = 0.25; /* an option wins; one value is for all channels */
    back.std[0] = 2;
    OK(rc_dataset_new_callback(&d, context, &s, &back));
    assert_non_null(strstr(rc_dataset_get_preprocess(d), "\"mean\":[0.25],\"std\":[2]"));
    OK(rc_dataset_read(d, 0, 1, x, NULL));
    assert_true(x[0] == ((float) pixel(0, 2 * SIDE * SIDE) / 255.0f - 0.25f) / 2);
    rc_dataset_free(&d);
    back.std[1] = 1;
    REFUSED(rc_dataset_new_callback(&d, context, &s, &back), RC_ERR_ARG, "have 2 values");
    o.crop = 6;
    REFUSED(rc_dataset_new_callback(&d, context, &s, &o), RC_ERR_UNSUPPORTED, "which are 8x8");
}

static void augmentations_move_pixels_as_they_say(void **state)
{
    (void) state;
    uint8_t a[12], b[12];
    struct rci_augment_chain *chain;
    int flipped = 0, moved[5] = {0};
    OK(rci_augment_chain_make(&chain, context, "crop:pad=2+flip:p=0.25"));
    for (uint32_t k = 0; k < 4000; k++) {
        struct rci_augment_image image = {a, b, 1, 1, 12, 1};
        struct rci_rng r = rci_rng_make(1, k, 0);
        for (int i = 0; i < 12; i++)
            a[i] = (uint8_t) (i + 1);
        OK(rci_augment_chain_apply(chain, &image, &r, NULL));
        const uint8_t *v = image.data;
        const bool black = v[4] == 0; /* one row: any vertical move empties it */
        const bool back = v[4] > v[5];
        if (black)
            continue;
        const int shift = back ? v[4] - 8 : v[4] - 5;
        assert_true(shift >= -2 && shift <= 2);
        for (int i = 0; i < 12; i++) {
            const int from = (back ? 11 - i : i) + shift;
            assert_int_equal(v[i], from < 0 || from > 11 ? 0 : from + 1);
        }
        flipped += back;
        moved[shift + 2]++;
    }
    const int all = moved[0] + moved[1] + moved[2] + moved[3] + moved[4];
    assert_true(all > 700 && all < 900); /* a fifth of 4000 */
    assert_true(flipped > all / 5 && flipped < all * 3 / 10);
    for (int i = 0; i < 5; i++)
        assert_true(moved[i] > all / 7);
    rci_augment_chain_free(chain);
}

static void cutout_blackens_one_square(void **state)
{
    (void) state;
    float a[2 * 36], b[2 * 36];
    struct rci_augment_chain *chain;
    OK(rci_augment_chain_make(&chain, context, "cutout:size=2"));
    for (uint32_t k = 0; k < 200; k++) {
        struct rci_augment_image image = {(uint8_t *) a, (uint8_t *) b, 2, 6, 6, 4};
        struct rci_rng r = rci_rng_make(1, k, 0);
        for (int i = 0; i < 72; i++)
            a[i] = 1;
        OK(rci_augment_chain_apply(chain, &image, &r, NULL));
        float sum = 0;
        for (int i = 0; i < 72; i++) {
            sum += a[i];
            assert_true(a[i] == a[(i + 36) % 72]);
        }
        assert_true(sum == 72 - 8 || sum == 72 - 4 || sum == 72 - 2);
    }
    rci_augment_chain_free(chain);
    REFUSED(rci_augment_chain_make(&chain, context, "crop+spin"), RC_ERR_ARG, "cutout");
    REFUSED(rci_augment_chain_make(&chain, context, "flip:p=2"), RC_ERR_ARG, "p");
    assert_null(chain);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(batches_equal_a_naive_implementation),
        T(shuffling_visits_every_image_once_and_differs_by_epoch),
        T(dropping_the_last_batch_leaves_whole_ones),
        T(threads_and_reading_ahead_change_nothing),
        T(calib_never_overlaps_held_out_train),
        T(callback_failures_name_the_image),
        T(preprocessing_is_chosen_and_told),
        T(augmentations_move_pixels_as_they_say),
        T(cutout_blackens_one_square),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
