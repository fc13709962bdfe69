#ifndef RC_LIB_DATA_SOURCE_H
#define RC_LIB_DATA_SOURCE_H
/* What a data set is inside, and what a kind of data set (one file each) provides. */
#include "base/file.h"
#include "data/batches.h"
#include "data/preprocess.h"

enum {
    RC_DATA_SIDE_MAX = 65535,
    RC_DATA_CHANNELS_MAX = 4096,
    RC_DATA_CLASSES_MAX = 1000000,
    RC_DATA_IMAGES_MAX = 0x7FFFFFFF
};

enum rci_data_split { RC_SPLIT_TRAIN, RC_SPLIT_TEST, RC_SPLIT_CALIB };

struct rci_source {
    const char *kind;
    struct rci_preprocess defaults;
    /* Fills shape, stored, classes (when 0) and pixels or `state`, for the files of d->split.
     * d->pre.resize and crop are known. */
    rc_status (*open)(struct rc_dataset *d, const char *path);
    /* One stored image [C,H,W] (RGB) into `out`, only for kinds that leave d->pixels NULL, and its
     * label for those that leave d->labels NULL. `out` NULL: only the label. Must be callable from
     * several threads at once unless `serial`. */
    rc_status (*fetch)(const struct rc_dataset *d, uint32_t stored, void *out, int32_t *label);
    void (*close)(struct rc_dataset *d); /* releases `state`; or NULL */
    bool serial;                         /* fetch only on the caller's own thread */
};

struct rc_dataset {
    uint64_t magic;
    struct rc_context *ctx;
    const struct rci_source *source;
    enum rci_data_split split;
    uint32_t calib_percent, classes;
    bool holdout, skip_bad, is_f32, ordered_by_class;
    uint32_t shape[3];       /* C, H, W as delivered */
    uint32_t stored;         /* images that the source has */
    uint32_t images;         /* of them in the split */
    uint32_t *pick;          /* [images] stored index of each; NULL: the same */
    void *pixels;            /* [stored,C,H,W] u8 or f32; NULL: source->fetch */
    int32_t *labels;         /* [stored]; NULL: source->fetch */
    char **names;            /* [classes] or NULL */
    void *state;             /* of the source */
    rc_dataset_source given; /* of the callback */
    struct rci_preprocess pre;
    char *preprocess_text;
    float (*lut)[256]; /* [pre.n_stats] normalised value of each u8 pixel */
};

/* Kinds that open a path, and the callback. */
extern const struct rci_source rci_source_callback, rci_source_cifar10, rci_source_cifar100,
    rci_source_folder, rci_source_idx, rci_source_image, rci_source_npz;

static inline size_t rci_dataset_image_count(const struct rc_dataset *d)
{
    return (size_t) d->shape[0] * d->shape[1] * d->shape[2];
}
static inline size_t rci_dataset_image_bytes(const struct rc_dataset *d)
{
    return rci_dataset_image_count(d) * (d->is_f32 ? sizeof(float) : 1);
}

/* What the public calls do once their arguments are checked. */
rc_status rci_dataset_open(struct rc_dataset **out, struct rc_context *c, const char *spec,
                           const rc_dataset_options *o);
rc_status rci_dataset_new_callback(struct rc_dataset **out, struct rc_context *c,
                                   const rc_dataset_source *source, const rc_dataset_options *o);
bool rci_dataset_valid(const struct rc_dataset *d); /* magic */
void rci_dataset_free(struct rc_dataset *d);
rc_status rci_dataset_get_label(const struct rc_dataset *d, uint64_t index, int32_t *label);
rc_status rci_dataset_read(const struct rc_dataset *d, uint64_t first, uint64_t count, float *x,
                           int32_t *y);

/* For sources: check and set the shape and number of stored images. */
rc_status rci_dataset_set_shape(struct rc_dataset *d, const char *path, int64_t images,
                                const int64_t chw[3]);
/* Then allocate pixels and labels for them. */
rc_status rci_dataset_reserve(struct rc_dataset *d);
/* Store a label; RC_ERR_DATA that names file and index unless it is below d->classes. With
 * d->classes 0 any label up to the largest number of classes is accepted. */
rc_status rci_dataset_set_label(struct rc_dataset *d, const char *path, uint32_t stored,
                                int64_t label);
/* Classes from the labels (largest + 1) where nobody said how many. */
void rci_dataset_count_classes(struct rc_dataset *d);
/* Class names from a text file with one name per line; without the file there are none. */
rc_status rci_dataset_read_names(struct rc_dataset *d, const char *path);
#endif
