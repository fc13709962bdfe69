/* A data set: opened by its kind, cut into splits by a fixed permutation, normalised by a table.
 *   calib = last max(1, n * percent / 100) of a permutation of 0..n-1 that depends on n only
 *   train = all n images, or with `holdout` the others */
#include "base/rng.h"
#include "data/deliver.h"
#include "data/image.h"
#include <stdlib.h>
#include <string.h>

static const struct rci_source *const sources[] = {
    &rci_source_cifar10, &rci_source_cifar100, &rci_source_folder,
    &rci_source_idx,     &rci_source_image,    &rci_source_npz,
};
#define DATASET_MAGIC UINT64_C(0x7263646174617365) /* "rcdatase" */
enum { N_SOURCES = sizeof(sources) / sizeof(sources[0]) };

static rc_status find_source(const struct rci_source **out, const char *spec, const char **path)
{
    const char *colon = strchr(spec, ':');
    const size_t n = colon ? (size_t) (colon - spec) : strlen(spec);
    for (uint32_t i = 0; i < N_SOURCES; i++)
        if (strlen(sources[i]->kind) == n && strncmp(sources[i]->kind, spec, n) == 0 && colon) {
            *out = sources[i];
            *path = colon + 1;
            return **path ? RC_OK : rci_fail(RC_ERR_ARG, "data set \"%s\" has no path", spec);
        }
    rci_fail(RC_ERR_ARG, "data set \"%s\" must be KIND:PATH with KIND one of", spec);
    for (uint32_t i = 0; i < N_SOURCES; i++)
        rci_fail_append(" %s", sources[i]->kind);
    return RC_ERR_ARG;
}

static rc_status choose_split(enum rci_data_split *out, const char *name)
{
    static const char *const names[] = {"train", "test", "calib"};
    for (uint32_t i = 0; i < 3; i++)
        if (strcmp(name ? name : "train", names[i]) == 0) {
            *out = (enum rci_data_split) i;
            return RC_OK;
        }
    return rci_fail(RC_ERR_ARG, "split is \"%s\", must be train, test or calib", name);
}

static rc_status dataset_options_read(struct rc_dataset *d, const rc_dataset_options *o)
{
    RC_TRY(choose_split(&d->split, o->split));
    if (o->calib_percent > 50)
        return rci_fail(RC_ERR_ARG, "calib_percent is %llu, must be 1..50",
                        (unsigned long long) o->calib_percent);
    if (o->classes > RC_DATA_CLASSES_MAX)
        return rci_fail(RC_ERR_ARG, "classes is %llu, must be 1..%d",
                        (unsigned long long) o->classes, RC_DATA_CLASSES_MAX);
    if (o->holdout > 1 || o->skip_bad > 1)
        return rci_fail(RC_ERR_ARG, "holdout and skip_bad must be 0 or 1");
    d->calib_percent = o->calib_percent ? (uint32_t) o->calib_percent : 10;
    d->classes = (uint32_t) o->classes;
    d->holdout = o->holdout;
    d->skip_bad = o->skip_bad;
    d->pre = (struct rci_preprocess){.resize = d->source->defaults.resize,
                                     .crop = d->source->defaults.crop};
    return rci_preprocess_choose(&d->pre, d->ctx, o);
}

static int order_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
    return (x > y) - (x < y);
}

/* Which stored images the split has, in which order. Images that come sorted by class are
 * delivered in permuted order, so that the first ones are of all classes. */
static rc_status pick_images(struct rc_dataset *d)
{
    const uint32_t n = d->stored;
    const bool part = d->split == RC_SPLIT_CALIB || (d->split == RC_SPLIT_TRAIN && d->holdout);
    d->images = n;
    if (!part && !d->ordered_by_class)
        return RC_OK;
    uint32_t *pick = d->pick = rci_alloc_array(d->ctx, n, sizeof(*pick));
    if (!pick)
        return RC_ERR_MEMORY;
    for (uint32_t i = 0; i < n; i++)
        pick[i] = i;
    /* the seed is a constant ("split"), so that every run holds out the same images */
    struct rci_rng r = rci_rng_make(0x73706c6974, n, 0);
    rci_rng_shuffle(&r, pick, n);
    if (!part)
        return RC_OK;
    /* at least one image, however small the share */
    const uint32_t share = (uint32_t) ((uint64_t) n * d->calib_percent / 100);
    const uint32_t calib = share ? share : 1;
    if (calib == n && d->split == RC_SPLIT_TRAIN)
        return rci_fail(RC_ERR_DATA, "%u image is too few to hold some out of train", n);
    if (d->split == RC_SPLIT_CALIB) {
        memmove(pick, pick + (n - calib), calib * sizeof(*pick));
        d->images = calib;
        return RC_OK;
    }
    d->images = n - calib;
    /* held-out images are random, the order of the others is the file's */
    if (!d->ordered_by_class)
        qsort(pick, d->images, sizeof(*pick), order_u32);
    return RC_OK;
}

/* Resize and crop images that are in memory once, not at each delivery. */
static rc_status transform_stored(struct rc_dataset *d)
{
    const uint32_t c = d->shape[0], h = d->shape[1], w = d->shape[2], side = d->pre.crop;
    if (!side || (h == side && w == side && (!d->pre.resize || d->is_f32 || !d->pixels)))
        return RC_OK;
    if (d->is_f32 || !d->pixels)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "resize and crop (to %ux%u) of f32 or caller's images, which are %ux%u",
                        side, side, h, w);
    const struct rci_image_cut cut = {.resize = d->pre.resize, .crop = side};
    size_t bytes;
    if (!rci_mul_size((size_t) side * side * c, d->stored, &bytes))
        return rci_fail(RC_ERR_LIMIT, "%u images of %ux%u are too many", d->stored, side, side);
    uint8_t *to = rci_alloc(d->ctx, bytes);
    if (!to)
        return RC_ERR_MEMORY;
    rc_status st = RC_OK;
    for (size_t i = 0; st == RC_OK && i < (size_t) d->stored * c; i++) {
        const struct rci_image plane = {(uint8_t *) d->pixels + i * h * w, w, h, 1};
        st = rci_image_resize_crop(d->ctx, &plane, &cut, to + i * side * side);
    }
    if (st != RC_OK) {
        rci_release(to);
        return st;
    }
    rci_release(d->pixels);
    d->pixels = to;
    d->shape[1] = d->shape[2] = side;
    return RC_OK;
}

/* The same float operations in the same order as everybody's reference: (p / 255 - mean) / std. */
static rc_status build_table(struct rc_dataset *d)
{
    d->lut = rci_alloc_array(d->ctx, d->pre.n_stats, sizeof(*d->lut));
    if (!d->lut)
        return RC_ERR_MEMORY;
    for (uint32_t c = 0; c < d->pre.n_stats; c++)
        for (uint32_t p = 0; p < 256; p++)
            d->lut[c][p] = ((float) p / 255.0f - (float) d->pre.mean[c]) / (float) d->pre.std[c];
    return RC_OK;
}

static rc_status open_source(struct rc_dataset *d, const char *path, const rc_dataset_options *o)
{
    RC_TRY(dataset_options_read(d, o));
    RC_TRY(d->source->open(d, path));
    RC_TRY(transform_stored(d));
    RC_TRY(rci_preprocess_fit(&d->pre, &d->source->defaults, d->shape[0], d->is_f32));
    RC_TRY(pick_images(d));
    RC_TRY(build_table(d));
    return rci_preprocess_text(&d->preprocess_text, d->ctx, &d->pre);
}

static struct rc_dataset *new_dataset(struct rc_context *c, const struct rci_source *source)
{
    struct rc_dataset *d = RC_NEW(c, struct rc_dataset);
    if (d) {
        d->magic = DATASET_MAGIC;
        d->ctx = c;
        d->source = source;
    }
    return d;
}

static rc_status dataset_finish(struct rc_dataset **out, struct rc_dataset *d, const char *path,
                                const rc_dataset_options *o)
{
    const rc_status st = d ? open_source(d, path, o) : RC_ERR_MEMORY;
    if (st != RC_OK) {
        rci_dataset_free(d);
        return st;
    }
    *out = d;
    return RC_OK;
}

rc_status rci_dataset_open(struct rc_dataset **out, struct rc_context *c, const char *spec,
                           const rc_dataset_options *o)
{
    const struct rci_source *source;
    const char *path;
    *out = NULL;
    RC_TRY(find_source(&source, spec, &path));
    return dataset_finish(out, new_dataset(c, source), path, o);
}

rc_status rci_dataset_new_callback(struct rc_dataset **out, struct rc_context *c,
                                   const rc_dataset_source *source, const rc_dataset_options *o)
{
    *out = NULL;
    struct rc_dataset *d = new_dataset(c, &rci_source_callback);
    if (d)
        d->given = *source;
    return dataset_finish(out, d, "callback", o);
}

void rci_dataset_free(struct rc_dataset *d)
{
    if (!d)
        return;
    if (d->source->close)
        d->source->close(d);
    for (uint32_t i = 0; d->names && i < d->classes; i++)
        rci_release(d->names[i]);
    rci_release(d->names);
    rci_release(d->pick);
    rci_release(d->pixels);
    rci_release(d->labels);
    rci_release(d->lut);
    rci_release(d->preprocess_text);
    d->magic = 0;
    rci_release(d);
}

bool rci_dataset_valid(const struct rc_dataset *d)
{
    return d && d->magic == DATASET_MAGIC;
}

uint64_t rci_dataset_images(const struct rc_dataset *d)
{
    return d->images;
}

uint32_t rci_dataset_classes(const struct rc_dataset *d)
{
    return d->classes;
}

void rci_dataset_image_shape(const struct rc_dataset *d, int64_t chw[3])
{
    for (uint32_t i = 0; i < 3; i++)
        chw[i] = d->shape[i];
}

rc_status rci_dataset_get_label(const struct rc_dataset *d, uint64_t index, int32_t *label)
{
    if (index >= d->images)
        return rci_fail(RC_ERR_ARG, "image %llu, the split has %u", (unsigned long long) index,
                        d->images);
    const uint32_t stored = d->pick ? d->pick[index] : (uint32_t) index;
    if (!d->labels)
        return d->source->fetch(d, stored, NULL, label);
    *label = d->labels[stored];
    return RC_OK;
}

rc_status rci_dataset_read(const struct rc_dataset *d, uint64_t first, uint64_t count, float *x,
                           int32_t *y)
{
    if (first > d->images || count > d->images - first)
        return rci_fail(RC_ERR_ARG, "images %llu..%llu + %llu, the split has %u",
                        (unsigned long long) first, (unsigned long long) first,
                        (unsigned long long) count, d->images);
    for (uint64_t i = 0; !x && y && i < count; i++)
        RC_TRY(rci_dataset_get_label(d, first + i, &y[i]));
    if (!x)
        return RC_OK;
    const struct rci_delivery job = {.dataset = d,
                                     .first = first,
                                     .count = (uint32_t) count,
                                     .threads = rci_context_threads(d->ctx),
                                     .x = x,
                                     .y = y};
    return rci_deliver(&job);
}

const char *rci_dataset_preprocess_text(const struct rc_dataset *d)
{
    return d->preprocess_text;
}
