/* NPY files on disk, for the command line. */
#include "data/npy.h"
#include <inttypes.h>
#include <string.h>

static rc_status npy_file_load(struct rc_context *c, const char *path, struct rci_bytes *file,
                               struct rci_npy *a)
{
    RC_TRY(rci_file_read(c, path, 0, file));
    const rc_status st = rci_npy_parse(a, file->data, file->size, path);
    if (st != RC_OK)
        rci_release(file->data);
    return st;
}

rc_status rci_npy_read_shape(struct rc_context *c, const char *path, int64_t *dims, uint64_t *rank)
{
    struct rci_bytes file;
    struct rci_npy a;
    RC_TRY(npy_file_load(c, path, &file, &a));
    *rank = a.shape.rank;
    for (uint32_t i = 0; i < a.shape.rank; i++)
        dims[i] = a.shape.dim[i];
    rci_release(file.data);
    return RC_OK;
}

rc_status rci_npy_read(struct rc_context *c, const char *path, float *values, uint64_t count)
{
    struct rci_bytes file;
    struct rci_npy a;
    rc_status st = RC_OK;
    RC_TRY(npy_file_load(c, path, &file, &a));
    if ((uint64_t) a.count != count)
        st = rci_fail(RC_ERR_SHAPE, "%s: %" PRId64 " elements, expected are %" PRIu64, path,
                      a.count, count);
    else
        rci_npy_to_f32(&a, values);
    rci_release(file.data);
    return st;
}

/* The header ends with a line break at a multiple of 64 bytes, as NumPy writes it. */
static rc_status put_header(struct rci_buffer *b, const struct rci_shape *s)
{
    RC_TRY(rci_buffer_append(b, "\x93NUMPY\x01\x00\x00\x00", 10));
    RC_TRY(rci_buffer_printf(b, "{'descr': '<f4', 'fortran_order': False, 'shape': ("));
    for (uint32_t i = 0; i < s->rank; i++)
        RC_TRY(rci_buffer_printf(b, "%" PRId64 ",%s", s->dim[i], i + 1 < s->rank ? " " : ""));
    RC_TRY(rci_buffer_printf(b, "), }"));
    while (b->size % 64 != 63)
        RC_TRY(rci_buffer_append(b, " ", 1));
    RC_TRY(rci_buffer_append(b, "\n", 1));
    b->data[8] = (uint8_t) (b->size - 10);
    b->data[9] = (uint8_t) ((b->size - 10) >> 8);
    return RC_OK;
}

rc_status rci_npy_write(struct rc_context *c, const char *path, const float *values,
                        const struct rci_shape *shape)
{
    struct rci_buffer b = {.ctx = c};
    rc_status st = put_header(&b, shape);
    if (st == RC_OK)
        st = rci_buffer_append(&b, values, (size_t) rci_shape_count(shape) * sizeof(float));
    if (st == RC_OK)
        st = rci_file_write(c, path, b.data, b.size);
    rci_buffer_free(&b);
    return st;
}
