/**
 * @file rescomp/dataset.h
 * Labelled images: from files or from a caller's callback, with the preprocessing that turns
 * pixels into network input: ((pixel / 255) - mean) / std, per channel.
 */
#ifndef RESCOMP_DATASET_H
#define RESCOMP_DATASET_H

#include <rescomp/base.h>

RC_BEGIN

/** Opaque. Read-only after it was made, so several threads may read from one; one made with
 *  rc_dataset_new_callback() only if its callback can be entered by several threads. */
typedef struct rc_dataset rc_dataset;

/** Zero means "default" for every member. Strings are read during the call only. */
typedef struct rc_dataset_options {
    size_t size;           /**< sizeof(rc_dataset_options), set by the INIT macro. */
    const char *split;     /**< "train", "test" or "calib" (part of train, see calib_percent);
                                NULL: "train". */
    uint64_t calib_percent; /**< Part of the training images that is "calib", chosen by a fixed
                                permutation that depends on their number only; 0: 10.
                                Range 1..50. [percent] */
    uint64_t holdout;      /**< 1: "train" leaves the calib images out; 0: it has all. */
    double mean[4];        /**< Per channel as delivered; used when std[0] is set. [pixel / 255] */
    double std[4];         /**< Above 0; std[0] 0: see preprocess. [pixel / 255] */
    uint64_t resize;       /**< Shorter side after resizing (bilinear, antialiased); 0: 256 for
                                folders, else none; RC_ZERO: none. Range 1..4096. [pixels] */
    uint64_t crop;         /**< Side of the square cut from the centre; 0: 224 for folders (or
                                resize, when that is set), else none. Range 1..4096. [pixels] */
    const char *channels;  /**< Order of three channels: "rgb" or "bgr"; NULL: "rgb". */
    uint64_t classes;      /**< Labels must be below it; 0: 10 or 100 for CIFAR, folders for
                                folders, else the largest label + 1. Range 1..1,000,000. */
    uint64_t skip_bad;     /**< 1: an image that cannot be decoded is replaced by the next one that
                                can, with a warning in the log; 0: it is RC_ERR_DATA. */
    const char *preprocess; /**< JSON of a model's "rescomp.preprocess" metadata. Used for whatever
                                is not set above; NULL: the data set's default, see docs/data.md. */
} rc_dataset_options;

#define RC_DATASET_OPTIONS_INIT \
    { sizeof(rc_dataset_options), 0, 0, 0, { 0 }, { 0 }, 0, 0, 0, 0, 0, 0 }

/**
 * Open a data set.
 *
 * @param[out] out     New data set; NULL on failure. Release with rc_dataset_free().
 * @param[in]  spec    "KIND:PATH". Kinds: "cifar10" and "cifar100" (folder with the official .bin
 *                     files), "idx" (folder of the MNIST family, also .gz), "folder" (one folder
 *                     of PNG and JPEG files per class), "image" (a PNG or JPEG file or a folder of
 *                     them, without labels: to run, or to calibrate on), "npz" (file with arrays
 *                     `x` **[N,C,H,W]** f32 or u8 and `y` **[N]** integer).
 * @param[in]  options NULL for defaults.
 * @return RC_OK; RC_ERR_ARG unknown kind or option out of range; RC_ERR_PATH; RC_ERR_IO;
 *         RC_ERR_FORMAT, RC_ERR_TRUNCATED, RC_ERR_DATA the message names file, index, value and
 *         allowed range; RC_ERR_LIMIT; RC_ERR_UNSUPPORTED; RC_ERR_ABI; RC_ERR_MEMORY.
 * Cost: reads the whole data set into memory, except "folder" and "image", which read names only
 * and decode images when they are asked for. Thread safety: any thread. @since 0.1
 */
RC_API rc_status rc_dataset_open(rc_dataset **out, rc_context *context, const char *spec,
                                 const rc_dataset_options *options);

/**
 * Deliver image @p index.
 *
 * @param[in]  user  rc_dataset_source.user.
 * @param[in]  index 0..images-1; any order, repeats are possible.
 * @param[out] image **[C, H, W]** of the source's type; NULL when only the label is wanted.
 * @param[out] label 0..classes-1.
 * @return 0, or anything else for failure, which the calling function returns as RC_ERR_DATA.
 * Called on the thread that made the library call, never from another.
 */
typedef int32_t (*rc_dataset_image_fn)(void *user, uint64_t index, void *image, int32_t *label);

/** Images by callback. All members but user must be set. */
typedef struct rc_dataset_source {
    size_t size;             /**< sizeof(rc_dataset_source), set by the INIT macro. */
    rc_dataset_image_fn get; /**< Delivers one image. */
    void *user;              /**< Its first argument. */
    uint64_t images;         /**< Range 1..2^31-1. */
    uint64_t classes;        /**< Range 1..1,000,000. */
    uint64_t channels;       /**< Range 1..4,096. */
    uint64_t height;         /**< Range 1..65,535. [pixels] */
    uint64_t width;          /**< Range 1..65,535. [pixels] */
    uint64_t type;           /**< RC_DATASET_U8 or RC_DATASET_F32. */
} rc_dataset_source;

#define RC_DATASET_U8 UINT64_C(0)  /**< Pixels 0..255. */
#define RC_DATASET_F32 UINT64_C(1) /**< Values that are divided already: (value - mean) / std. */

#define RC_DATASET_SOURCE_INIT { sizeof(rc_dataset_source), 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * A data set whose images come from the caller. The split "test" is the same as "train".
 *
 * @param[in] source Copied. Its resize and crop options must be 0.
 * @return as rc_dataset_open(). @since 0.1
 */
RC_API rc_status rc_dataset_new_callback(rc_dataset **out, rc_context *context,
                                         const rc_dataset_source *source,
                                         const rc_dataset_options *options);

/** Release; accepts NULL, sets *dataset to NULL. @since 0.1 */
RC_API void rc_dataset_free(rc_dataset **dataset);

/** Images in the chosen split; 0 for NULL. @since 0.1 */
RC_API uint64_t rc_dataset_count_images(const rc_dataset *dataset);

/** Number of classes; 0 for NULL. @since 0.1 */
RC_API uint64_t rc_dataset_count_classes(const rc_dataset *dataset);

/** Channels, height and width of images as delivered. @return RC_OK; RC_ERR_ARG. @since 0.1 */
RC_API rc_status rc_dataset_get_shape(const rc_dataset *dataset, int64_t chw[3]);

/** Name of a class, or NULL when the data set does not tell. Borrowed. @since 0.1 */
RC_API const char *rc_dataset_get_class_name(const rc_dataset *dataset, uint64_t index);

/** Label of image @p index of the split. @return RC_OK; RC_ERR_ARG index out of range; RC_ERR_DATA
 *  the callback failed. @since 0.1 */
RC_API rc_status rc_dataset_get_label(const rc_dataset *dataset, uint64_t index, int32_t *label);

/**
 * Read normalised images of the split in its own order, without augmentation.
 *
 * @param[in]  first,count Images first..first+count-1 must exist.
 * @param[out] x **[count, C, H, W]**, row-major. May be NULL. [normalised]
 * @param[out] y **[count]**. May be NULL.
 * @return RC_OK; RC_ERR_ARG; RC_ERR_DATA an image is bad, the message names it; RC_ERR_MEMORY.
 * Cost: decodes on all threads of the context. @since 0.1
 */
RC_API rc_status rc_dataset_read(const rc_dataset *dataset, uint64_t first, uint64_t count,
                                 float *x, int32_t *y);

/** The preprocessing in use as JSON, to store as a model's "rescomp.preprocess" metadata and to
 *  give back as rc_dataset_options.preprocess. Borrowed; NULL for NULL. @since 0.1 */
RC_API const char *rc_dataset_get_preprocess(const rc_dataset *dataset);

/**
 * Shape of the array in a NumPy file, versions 1 to 3.
 *
 * @param[out] dims Room for 8 numbers; a scalar has rank 0.
 * @return RC_OK; RC_ERR_ARG; RC_ERR_PATH; RC_ERR_IO; RC_ERR_FORMAT; RC_ERR_TRUNCATED; RC_ERR_LIMIT;
 *         RC_ERR_UNSUPPORTED objects, structures, texts, complex numbers, Fortran order, rank over
 *         8; RC_ERR_MEMORY. @since 0.1
 */
RC_API rc_status rc_npy_read_shape(rc_context *context, const char *path, int64_t *dims,
                                   uint64_t *rank);

/** Read a NumPy file of any real type into @p values, converted to f32; @p count must be its number
 *  of elements. @return as rc_npy_read_shape(), and RC_ERR_SHAPE for another count. @since 0.1 */
RC_API rc_status rc_npy_read(rc_context *context, const char *path, float *values, uint64_t count);

/** Write f32 values as a NumPy file (version 1.0), whole or not at all.
 *  @param[in] dims,rank Rank 0..8; no dimension below 0.
 *  @return RC_OK; RC_ERR_ARG; RC_ERR_PATH; RC_ERR_IO; RC_ERR_MEMORY. @since 0.1 */
RC_API rc_status rc_npy_write(rc_context *context, const char *path, const float *values,
                              const int64_t *dims, uint64_t rank);

RC_END
#endif
