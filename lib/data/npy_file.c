/* NPY files on disk, for the command line. */
#include "data/npy.h"
#include <inttypes.h>
#include <string.h>

static rc_status load(struct rc_context *c, const char *path, struct rc_bytes *file,
                      struct rc_npy *a)
{
    RC_TRY(rc_file_read(c, path, 0, file));
    const rc_status st = rc_npy_parse(a, file->data, file->size, path);
    if (st != RC_OK)
        rc_release(file->data);
    return st;
}

rc_status rc_npy_load_shape(struct rc_context *c, const char *path, int64_t *dims, uint64_t *rank)
{
    struct rc_bytes file;
    struct rc_npy a;
    RC_TRY(load(c, path, &file, &a));
    *rank = a.shape.rank;
    for (uint32_t i = 0; i < a.shape.rank; i++)
        dims[i] = a.shape.dim[i];
    rc_release(file.data);
    return RC_OK;
}

rc_status rc_npy_load(struct rc_context *c, const char *path, float *values, uint64_t count)
{
    struct rc_bytes file;
    struct rc_npy a;
    rc_status st = RC_OK;
    RC_TRY(load(c, path, &file, &a));
    if ((uint64_t) a.count != count)
        st = rc_fail(RC_ERR_SHAPE, "%s: %" PRId64 " elements, expected are %" PRIu64, path, a.count,
                     count);
    else
        rc_npy_to_f32(&a, values);
    rc_release(file.data);
    return st;
}

/* The header ends with a line break at a multiple of 64 bytes, as NumPy writes it. */
static rc_status put_header(struct rc_buffer *b, const struct rc_shape *s)
{
    RC_TRY(rc_buffer_append(b, "\x93NUMPY\x01\x00\x00\x00", 10));
    RC_TRY(rc_buffer_printf(b, "{'descr': '<f4', 'fortran_order': False, 'shape': ("));
    for (uint32_t i = 0; i < s->rank; i++)
        RC_TRY(rc_buffer_printf(b, "%" PRId64 ",%s", s->dim[i], i + 1 < s->rank ? " " : ""));
    RC_TRY(rc_buffer_printf(b, "), }"));
    while (b->size % 64 != 63)
        RC_TRY(rc_buffer_append(b, " ", 1));
    RC_TRY(rc_buffer_append(b, "\n", 1));
    b->data[8] = (uint8_t) (b->size - 10);
    b->data[9] = (uint8_t) ((b->size - 10) >> 8);
    return RC_OK;
}

rc_status rc_npy_save(struct rc_context *c, const char *path, const float *values,
                      const struct rc_shape *shape)
{
    struct rc_buffer b = {.ctx = c};
    rc_status st = put_header(&b, shape);
    if (st == RC_OK)
        st = rc_buffer_append(&b, values, (size_t) rc_shape_count(shape) * sizeof(float));
    if (st == RC_OK)
        st = rc_file_write(c, path, b.data, b.size);
    rc_buffer_free(&b);
    return st;
}
