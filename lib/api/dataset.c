/* The border of data sets and of NPY files. */
#include "api/check.h"
#include "data/npy.h"
#include "data/source.h"

RC_ABI_NO_TAIL(rc_dataset_options, preprocess);
RC_ABI_NO_TAIL(rc_dataset_source, type);

rc_status rc_dataset_open(rc_dataset **out, rc_context *context, const char *spec,
                          const rc_dataset_options *options)
{
    rc_dataset_options o;
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    RC_CHECK_SET(spec);
    RC_TRY(rci_abi_read(&o, sizeof(o), options, "rc_dataset_options"));
    return rci_dataset_open(out, context, spec, &o);
}

rc_status rc_dataset_new_callback(rc_dataset **out, rc_context *context,
                                  const rc_dataset_source *source,
                                  const rc_dataset_options *options)
{
    rc_dataset_options o;
    rc_dataset_source s;
    RC_CHECK_OUT(out);
    RC_CHECK(context, context);
    RC_CHECK_SET(source);
    RC_TRY(rci_abi_read(&s, sizeof(s), source, "rc_dataset_source"));
    RC_TRY(rci_abi_read(&o, sizeof(o), options, "rc_dataset_options"));
    if (!s.get)
        return rci_fail(RC_ERR_ARG, "source.get is NULL");
    return rci_dataset_new_callback(out, context, &s, &o);
}

void rc_dataset_free(rc_dataset **dataset)
{
    RC_FREE(dataset, dataset);
}

uint64_t rc_dataset_count_images(const rc_dataset *dataset)
{
    /* functions that return a number have no way to say what is wrong with a handle: 0 */
    return rci_dataset_valid(dataset) ? rci_dataset_images(dataset) : 0;
}

uint64_t rc_dataset_count_classes(const rc_dataset *dataset)
{
    return rci_dataset_valid(dataset) ? rci_dataset_classes(dataset) : 0;
}

rc_status rc_dataset_get_shape(const rc_dataset *dataset, int64_t chw[3])
{
    RC_CHECK(dataset, dataset);
    RC_CHECK_SET(chw);
    rci_dataset_image_shape(dataset, chw);
    return RC_OK;
}

const char *rc_dataset_get_class_name(const rc_dataset *dataset, uint64_t index)
{
    if (!rci_dataset_valid(dataset) || !dataset->names || index >= dataset->classes)
        return NULL;
    return dataset->names[index];
}

rc_status rc_dataset_get_label(const rc_dataset *dataset, uint64_t index, int32_t *label)
{
    RC_CHECK(dataset, dataset);
    RC_CHECK_SET(label);
    return rci_dataset_get_label(dataset, index, label);
}

rc_status rc_dataset_read(const rc_dataset *dataset, uint64_t first, uint64_t count, float *x,
                          int32_t *y)
{
    RC_CHECK(dataset, dataset);
    return rci_dataset_read(dataset, first, count, x, y);
}

const char *rc_dataset_get_preprocess(const rc_dataset *dataset)
{
    return rci_dataset_valid(dataset) ? rci_dataset_preprocess_text(dataset) : NULL;
}

rc_status rc_npy_read_shape(rc_context *context, const char *path, int64_t *dims, uint64_t *rank)
{
    RC_CHECK(context, context);
    RC_CHECK_SET(path);
    RC_CHECK_SET(dims);
    RC_CHECK_SET(rank);
    return rci_npy_read_shape(context, path, dims, rank);
}

rc_status rc_npy_read(rc_context *context, const char *path, float *values, uint64_t count)
{
    RC_CHECK(context, context);
    RC_CHECK_SET(path);
    if (!values && count)
        return rci_fail(RC_ERR_ARG, "values is NULL");
    return rci_npy_read(context, path, values, count);
}

rc_status rc_npy_write(rc_context *context, const char *path, const float *values,
                       const int64_t *dims, uint64_t rank)
{
    int64_t count;
    RC_CHECK(context, context);
    RC_CHECK_SET(path);
    if (rank > RC_MAX_DIMS)
        return rci_fail(RC_ERR_ARG, "rank is %llu, must be 0..%d", (unsigned long long) rank,
                        RC_MAX_DIMS);
    if (rank && !dims)
        return rci_fail(RC_ERR_ARG, "dims is NULL");
    const struct rci_shape shape =
        rank ? rci_shape_make((uint32_t) rank, dims) : (struct rci_shape){0};
    if (!rci_shape_count_checked(&shape, &count))
        return rci_fail(RC_ERR_ARG, "dims are negative or too large");
    if (!values && count)
        return rci_fail(RC_ERR_ARG, "values is NULL");
    return rci_npy_write(context, path, values, &shape);
}
