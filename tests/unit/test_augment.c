/* Augmentations: the operations against Pillow's and torchvision's results, what policies may do,
 * mixed labels, and the same bytes for any number of threads. */
#include "../golden/augment.h"
#include "base/json.h"
#include "check.h"
#include "data/augment/box.h"
#include "data/augment/operation.h"
#include "data/batches.h"
#include "files.h"
#include "shared.h"

#include <stdlib.h>

enum { SIDE = 32, COUNT = 3 * SIDE * SIDE, CLASSES = 10, IMAGES = 60 };

static const char *const names[RC_OPERATIONS] = {
    "Identity",  "ShearX",     "ShearY",       "TranslateX", "TranslateY",
    "Rotate",    "Brightness", "Color",        "Contrast",   "Sharpness",
    "Posterize", "Solarize",   "AutoContrast", "Equalize",   "Invert"};

static int operation_named(const char *name)
{
    for (int i = 0; i < RC_OPERATIONS; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

static int differ(const uint8_t *a, const uint8_t *b, int n)
{
    int most = 0;
    for (int i = 0; i < n; i++)
        most = abs(a[i] - b[i]) > most ? abs(a[i] - b[i]) : most;
    return most;
}

/* One row of the reference: 0 when there is no such operation here. */
static int row_agrees(const struct rci_json_value *row, const uint8_t *images, const uint8_t *want)
{
    static uint8_t a[COUNT], b[COUNT];
    struct rci_augment_image image = {a, b, 3, SIDE, SIDE, 1, NULL};
    const int op = operation_named(rci_json_at(row, 1)->text);
    const bool bilinear = !strcmp(rci_json_at(row, 3)->text, "bilinear");
    if (op < 0 || rci_json_at(row, 4)->number != 0)
        return 0;
    memcpy(a, images + (rci_json_at(row, 0)->number > 0 ? COUNT : 0), COUNT);
    rci_operation_apply(&image, (enum rci_operation) op, rci_json_at(row, 2)->number, bilinear);
    const int most = differ(image.data, want, COUNT);
    if (most > (bilinear ? 2 : 0))
        fail_msg("%s %g: %d grey levels from Pillow's", names[op], rci_json_at(row, 2)->number,
                 most);
    return 1;
}

static void operations_equal_those_of_pillow(void **state)
{
    const char *path = shared_path("golden/augment/augment.json");
    struct rci_json *json;
    struct rci_bytes file;
    int rows = 0, seen = 0;
    if (!path)
        skip();
    OK(rci_json_load(&json, *state, path));
    OK(rci_file_read(*state, shared_path("golden/augment/augment.bin"), 1 << 20, &file));
    const struct rci_json_value *all = rci_json_get(rci_json_root(json), "rows");
    const struct rci_json_value *r;
    const uint8_t *images[2] = {NULL, NULL};
    for (r = all->first; r; r = r->next, rows++)
        if (!strcmp(rci_json_at(r, 1)->text, "Identity"))
            images[rci_json_at(r, 0)->number > 0] = file.data + (size_t) rows * COUNT;
    static uint8_t pair[2 * COUNT];
    memcpy(pair, images[0], COUNT);
    memcpy(pair + COUNT, images[1], COUNT);
    assert_int_equal(file.size, (size_t) rows * COUNT);
    rows = 0;
    for (r = all->first; r; r = r->next, rows++)
        seen += row_agrees(r, pair, file.data + (size_t) rows * COUNT);
    assert_int_equal(seen, 176); /* all but two flips and two with another fill */
    rci_release(file.data);
    rci_json_free(&json);
}

static void expect_magnitudes(const struct rci_json_value *space,
                              const struct rci_operation_range *range)
{
    int seen = 0;
    for (const struct rci_json_value *s = space->first; s; s = s->next) {
        const int op = operation_named(s->key);
        assert_true(op >= 0);
        const struct rci_json_value *m = rci_json_get(s, "magnitudes");
        assert_int_equal(rci_operation_is_signed((enum rci_operation) op),
                         rci_json_get(s, "signed")->number != 0);
        for (uint32_t i = 0; m->count > 1 && i < m->count; i++)
            assert_true(fabs(rci_operation_magnitude(range, (enum rci_operation) op, i, m->count) -
                             rci_json_at(m, i)->number) < 1e-4);
        seen++;
    }
    assert_true(seen >= 14);
}

static void magnitudes_equal_those_of_torchvision(void **state)
{
    const char *path = shared_path("golden/augment/augment.json");
    const struct rci_augment_image image = {.channels = 3, .height = 32, .width = 32, .item = 1};
    const struct rci_operation_range usual = rci_operation_usual_range(&image);
    const struct rci_operation_range wide = {.shear = 0.99,
                                             .rotate = 135,
                                             .enhance = 0.99,
                                             .translate_x = 32,
                                             .translate_y = 32,
                                             .bits = 8,
                                             .fewer = 6};
    struct rci_json *json;
    if (!path)
        skip();
    OK(rci_json_load(&json, *state, path));
    const struct rci_json_value *spaces = rci_json_get(rci_json_root(json), "spaces");
    expect_magnitudes(rci_json_get(spaces, "autoaugment_10"), &usual);
    expect_magnitudes(rci_json_get(spaces, "randaugment_31"), &usual);
    expect_magnitudes(rci_json_get(spaces, "trivialaugment_31"), &wide);
    rci_json_free(&json);
}

static void small_image(uint8_t *a)
{
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < GOLDEN_W * GOLDEN_H; i++)
            a[c * GOLDEN_W * GOLDEN_H + i] = (uint8_t) (37 * i + 91 * c + 7 * i * i * c);
}

static void hue_turns_as_pillow_turns_it(void **state)
{
    (void) state;
    for (int k = 0; k < 3; k++) {
        uint8_t a[GOLDEN_COUNT];
        struct rci_augment_image image = {a, NULL, 3, GOLDEN_H, GOLDEN_W, 1, NULL};
        small_image(a);
        rci_turn_hue(&image, golden_hue_turn[k]);
        assert_true(differ(a, golden_hue[k], GOLDEN_COUNT) <= 2);
    }
}

static void boxes_are_resized_as_pillow_does(void **state)
{
    (void) state;
    for (int k = 0; k < 2; k++) {
        uint8_t a[GOLDEN_COUNT], b[GOLDEN_COUNT];
        struct rci_augment_image image = {a, b, 3, GOLDEN_H, GOLDEN_W, 1, NULL};
        const int64_t *v = golden_box[k];
        const struct rci_box box = {v[0], v[1], v[2], v[3]};
        small_image(a);
        rci_box_resize(&image, &box);
        assert_true(differ(image.data, golden_resized[k], GOLDEN_COUNT) <= 2);
    }
}

/* A CIFAR folder with one training file, so that images are in memory and threads are used. */
static void write_cifar(const char *folder)
{
    static uint8_t bytes[IMAGES * (COUNT + 1)];
    for (int i = 0; i < IMAGES; i++) {
        bytes[i * (COUNT + 1)] = (uint8_t) (i % CLASSES);
        for (int k = 0; k < COUNT; k++)
            bytes[i * (COUNT + 1) + 1 + k] = (uint8_t) (k % 32 * 7 + k / 32 * i + 11 * i);
    }
    char name[32];
    for (int f = 1; f <= 5; f++) {
        snprintf(name, sizeof(name), "data_batch_%d.bin", f);
        scratch_write(folder, name, bytes, sizeof(bytes) / 5);
    }
    scratch_write(folder, "test_batch.bin", bytes, COUNT + 1);
}

static rc_dataset *open_cifar(rc_context *c, const char *folder)
{
    char spec[1100];
    rc_dataset *d;
    snprintf(spec, sizeof(spec), "cifar10:%s", folder);
    OK(rc_dataset_open(&d, c, spec, NULL));
    return d;
}

static uint64_t hash(const void *data, size_t size, uint64_t h)
{
    for (size_t i = 0; i < size; i++)
        h = (h ^ ((const uint8_t *) data)[i]) * UINT64_C(1099511628211);
    return h;
}

static uint64_t two_epochs(const char *folder, const char *chain, uint64_t threads, bool prefetch)
{
    rc_context_options co = RC_CONTEXT_OPTIONS_INIT;
    rc_context *c;
    co.threads = threads;
    OK(rc_context_new(&c, &co));
    rc_dataset *d = open_cifar(c, folder);
    const struct rci_batches_config o = {.batch = IMAGES / 2,
                                         .shuffle = true,
                                         .seed = 5,
                                         .prefetch = prefetch,
                                         .augmentation = chain};
    static float x[IMAGES / 2 * COUNT], target[IMAGES / 2 * CLASSES];
    int32_t y[IMAGES / 2];
    struct rci_batches *b;
    struct rci_batch to = {.x = x, .y = y, .target = target};
    uint64_t h = UINT64_C(14695981039346656037);
    OK(rci_batches_new(&b, d, &o));
    for (uint64_t i = 0; i < 4; i++) {
        OK(rci_batches_fill(b, i / 2, i % 2, &to));
        h = hash(x, sizeof(x), hash(y, sizeof(y), h));
        for (int k = 0; k < COUNT * IMAGES / 2; k++)
            assert_true(x[k] > -2.2f && x[k] < 2.7f); /* pixels of 0..255, normalised */
        if (rci_batches_mix(b))
            h = hash(target, sizeof(target), h);
    }
    rci_batches_free(b);
    rc_dataset_free(&d);
    test_context_done(c);
    return h;
}

static void threads_and_reading_ahead_change_no_method(void **state)
{
    (void) state;
    static const char *const chains[] = {"trivial-augment",
                                         "rand-augment:n=3,bilinear=1",
                                         "auto-augment-cifar10+cutout",
                                         "auto-augment-imagenet",
                                         "aug-mix+aug-mix:depth=2",
                                         "crop+mixup+flip+cutmix:p=1",
                                         "random-erasing:p=1,noise=1",
                                         "random-resized-crop",
                                         "color-jitter:hue=0.5",
                                         "lighting:alpha=0.5"};
    char folder[1024];
    snprintf(folder, sizeof(folder), "%s", scratch_folder());
    write_cifar(folder);
    const uint64_t plain = two_epochs(folder, "", 1, false);
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
        const uint64_t one = two_epochs(folder, chains[i], 1, false);
        assert_true(one != plain);
        assert_true(two_epochs(folder, chains[i], 3, false) == one);
        assert_true(two_epochs(folder, chains[i], 2, true) == one);
    }
    scratch_remove(folder);
}

/* Images of one grey level per class say by their pixels what was mixed. */
static int32_t flat_image(void *user, uint64_t index, void *out, int32_t *label)
{
    (void) user;
    *label = (int32_t) (index % 2);
    for (int i = 0; out && i < 64; i++)
        ((float *) out)[i] = (float) *label;
    return 0;
}

static rc_dataset_source flat_source(void)
{
    rc_dataset_source s = RC_DATASET_SOURCE_INIT;
    s.get = flat_image;
    s.images = 32;
    s.classes = 2;
    s.channels = 1;
    s.height = s.width = 8;
    s.type = RC_DATASET_F32;
    return s;
}

static void mixed_shares(void **state, const char *chain, bool whole_pixels)
{
    rc_dataset_source s = flat_source();
    rc_dataset *d;
    struct rci_batches *b;
    float x[32 * 64], target[32 * 2];
    int32_t y[32];
    struct rci_batch to = {.x = x, .y = y, .target = target};
    const struct rci_batches_config o = {.batch = 32, .seed = 1, .augmentation = chain};
    int between = 0;
    OK(rc_dataset_new_callback(&d, *state, &s, NULL));
    OK(rci_batches_new(&b, d, &o));
    OK(rci_batches_fill(b, 0, 0, &to));
    for (int i = 0; i < 32; i++) {
        double mean = 0;
        for (int k = 0; k < 64; k++) {
            mean += x[i * 64 + k] / 64;
            assert_true(!whole_pixels || x[i * 64 + k] == 0 || x[i * 64 + k] == 1);
        }
        assert_true(fabs(mean - target[2 * i + 1]) < 1e-5);
        assert_true(fabs(target[2 * i] + target[2 * i + 1] - 1) < 1e-6);
        assert_int_equal(y[i], target[2 * i + 1] > target[2 * i]);
        between += mean > 0.02 && mean < 0.98;
    }
    assert_true(between >= 4);
    rci_batches_free(b);
    rc_dataset_free(&d);
}

static void labels_are_mixed_as_the_pixels_are(void **state)
{
    mixed_shares(state, "mixup:alpha=1", false);
    mixed_shares(state, "cutmix:p=1", true);
    mixed_shares(state, "mixup:alpha=1+cutmix:p=1", false);
}

static void methods_for_pixels_refuse_other_values(void **state)
{
    rc_dataset_source s = flat_source();
    rc_dataset *d;
    struct rci_batches *b;
    struct rci_batches_config o = {.batch = 4, .augmentation = "flip+trivial-augment"};
    OK(rc_dataset_new_callback(&d, *state, &s, NULL));
    REFUSED(rci_batches_new(&b, d, &o), RC_ERR_UNSUPPORTED,
            "trivial-augment needs pixels 0..255, the data set has f32");
    rc_dataset_free(&d);
    s.type = RC_DATASET_U8;
    OK(rc_dataset_new_callback(&d, *state, &s, NULL));
    o.augmentation = "lighting";
    REFUSED(rci_batches_new(&b, d, &o), RC_ERR_UNSUPPORTED,
            "lighting needs 3 channels, the data set has 1");
    o.augmentation = "auto-augment-svhn";
    REFUSED(rci_batches_new(&b, d, &o), RC_ERR_ARG, "auto-augment-imagenet");
    rc_dataset_free(&d);
}

static void erasing_blackens_one_box_of_the_share_that_is_asked(void **state)
{
    static uint8_t a[400], b[400];
    struct rci_augment_chain *chain;
    int erased = 0;
    OK(rci_augment_chain_make(&chain, *state, "random-erasing:p=0.5,area_low=0.1,area_high=0.2"));
    for (uint32_t k = 0; k < 1000; k++) {
        struct rci_augment_image image = {a, b, 1, 20, 20, 1, NULL};
        struct rci_rng r = rci_rng_make(2, k, 0);
        int black = 0, x0 = 20, x1 = -1, y0 = 20, y1 = -1;
        memset(a, 9, sizeof(a));
        OK(rci_augment_chain_apply(chain, &image, &r, NULL));
        for (int i = 0; i < 400; i++)
            if (a[i] == 0) {
                black++;
                x0 = i % 20 < x0 ? i % 20 : x0;
                x1 = i % 20 > x1 ? i % 20 : x1;
                y0 = i / 20 < y0 ? i / 20 : y0;
                y1 = i / 20 > y1 ? i / 20 : y1;
            }
        erased += black > 0;
        assert_true(black == 0 || (black >= 30 && black <= 90)); /* sides are rounded */
        assert_true(black == 0 || black == (x1 - x0 + 1) * (y1 - y0 + 1));
    }
    assert_true(erased > 450 && erased < 550);
    rci_augment_chain_free(chain);
}

static void beta_numbers_have_their_mean_and_variance(void **state)
{
    (void) state;
    for (int k = 0; k < 3; k++) {
        const double a = (const double[]){0.2, 1, 5}[k];
        struct rci_rng r = rci_rng_make(3, (uint64_t) k, 0);
        double sum = 0, squares = 0;
        for (int i = 0; i < 20000; i++) {
            const double v = rci_rng_beta(&r, a);
            assert_true(v >= 0 && v <= 1);
            sum += v;
            squares += (v - 0.5) * (v - 0.5);
        }
        assert_near(sum / 20000, 0.5, 0.02);
        assert_near(squares / 20000, 1 / (4 * (2 * a + 1)), 0.04);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, context_setup, context_teardown)
    const struct CMUnitTest tests[] = {
        T(operations_equal_those_of_pillow),
        T(magnitudes_equal_those_of_torchvision),
        T(hue_turns_as_pillow_turns_it),
        T(boxes_are_resized_as_pillow_does),
        T(threads_and_reading_ahead_change_no_method),
        T(labels_are_mixed_as_the_pixels_are),
        T(methods_for_pixels_refuse_other_values),
        T(erasing_blackens_one_box_of_the_share_that_is_asked),
        T(beta_numbers_have_their_mean_and_variance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
