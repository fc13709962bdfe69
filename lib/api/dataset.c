#include "base/abi.h"
#include "data/npy.h"
#include "data/source.h"

RC_ABI_NO_TAIL(rc_dataset_options, preprocess);
RC_ABI_NO_TAIL(rc_dataset_source, type);

static rc_status check_make(rc_dataset **out, const rc_context *context)
{
    if (!out)
        return rci_fail(RC_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!rci_context_valid(context))
        return rci_fail(RC_ERR_ARG, "context is NULL or was freed");
    return RC_OK;
}

rc_status rc_dataset_open(rc_dataset **out, rc_context *context, const char *spec,
                          const rc_dataset_options *options)
{
    rc_dataset_options o;
    RC_TRY(check_make(out, context));
    if (!spec)
        return rci_fail(RC_ERR_ARG, "spec is NULL");
    RC_TRY(rci_abi_read(&o, sizeof(o), sizeof(o), options, "rc_dataset_options"));
    return rci_dataset_make(out, context, spec, &o);
}

rc_status rc_dataset_new_callback(rc_dataset **out, rc_context *context,
                                  const rc_dataset_source *source,
                                  const rc_dataset_options *options)
{
    rc_dataset_options o;
    rc_dataset_source s;
    RC_TRY(check_make(out, context));
    if (!source)
        return rci_fail(RC_ERR_ARG, "source is NULL");
    RC_TRY(rci_abi_read(&s, sizeof(s), sizeof(s), source, "rc_dataset_source"));
    RC_TRY(rci_abi_read(&o, sizeof(o), sizeof(o), options, "rc_dataset_options"));
    if (!s.get)
        return rci_fail(RC_ERR_ARG, "source.get is NULL");
    return rci_dataset_make_callback(out, context, &s, &o);
}

void rc_dataset_free(rc_dataset **dataset)
{
    if (!dataset)
        return;
    rci_dataset_destroy(*dataset);
    *dataset = NULL;
}

uint64_t rc_dataset_images(const rc_dataset *dataset)
{
    return dataset ? dataset->images : 0;
}

uint32_t rc_dataset_classes(const rc_dataset *dataset)
{
    return dataset ? dataset->classes : 0;
}

rc_status rc_dataset_shape(const rc_dataset *dataset, int64_t chw[3])
{
    if (!dataset || !chw)
        return rci_fail(RC_ERR_ARG, "%s is NULL", dataset ? "chw" : "dataset");
    rci_dataset_image_shape(dataset, chw);
    return RC_OK;
}

const char *rc_dataset_class_name(const rc_dataset *dataset, uint32_t index)
{
    if (!dataset || !dataset->names || index >= dataset->classes)
        return NULL;
    return dataset->names[index];
}

rc_status rc_dataset_label(const rc_dataset *dataset, uint64_t index, int32_t *label)
{
    if (!dataset || !label)
        return rci_fail(RC_ERR_ARG, "%s is NULL", dataset ? "label" : "dataset");
    return rci_dataset_get_label(dataset, index, label);
}

rc_status rc_dataset_read(const rc_dataset *dataset, uint64_t first, uint64_t count, float *x,
                          int32_t *y)
{
    if (!dataset)
        return rci_fail(RC_ERR_ARG, "dataset is NULL");
    return rci_dataset_get_images(dataset, first, count, x, y);
}

const char *rc_dataset_preprocess(const rc_dataset *dataset)
{
    return dataset ? dataset->preprocess_text : NULL;
}

static rc_status check_file(const rc_context *context, const char *path)
{
    if (!rci_context_valid(context))
        return rci_fail(RC_ERR_ARG, "context is NULL or was freed");
    return path ? RC_OK : rci_fail(RC_ERR_ARG, "path is NULL");
}

rc_status rc_npy_shape(rc_context *context, const char *path, int64_t *dims, uint64_t *rank)
{
    RC_TRY(check_file(context, path));
    if (!dims || !rank)
        return rci_fail(RC_ERR_ARG, "%s is NULL", dims ? "rank" : "dims");
    return rci_npy_load_shape(context, path, dims, rank);
}

rc_status rc_npy_read(rc_context *context, const char *path, float *values, uint64_t count)
{
    RC_TRY(check_file(context, path));
    if (!values && count)
        return rci_fail(RC_ERR_ARG, "values is NULL");
    return rci_npy_load(context, path, values, count);
}

rc_status rc_npy_write(rc_context *context, const char *path, const float *values,
                       const int64_t *dims, uint64_t rank)
{
    int64_t count;
    RC_TRY(check_file(context, path));
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
    return rci_npy_save(context, path, values, &shape);
}
