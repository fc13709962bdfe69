#include "tensor/tensor.h"

#include <string.h>

rc_status rc_tensor_new(struct rc_tensor *t, struct rc_context *c, enum rc_dtype d,
                        const struct rc_shape *s)
{
    int64_t count;
    char text[RC_SHAPE_TEXT];
    *t = (struct rc_tensor){d, *s, NULL};
    if (!rc_shape_count_checked(s, &count))
        return rc_fail(RC_ERR_LIMIT, "tensor of shape %s is too large", rc_shape_text(s, text));
    t->data = rc_alloc_array(c, (size_t) count, rc_dtype_size(d));
    return t->data ? RC_OK : RC_ERR_MEMORY;
}

rc_status rc_tensor_copy(struct rc_tensor *t, struct rc_context *c, const struct rc_tensor *from)
{
    const size_t bytes = rc_tensor_bytes(from);
    *t = (struct rc_tensor){from->dtype, from->shape, rc_alloc(c, bytes)};
    if (!t->data)
        return RC_ERR_MEMORY;
    memcpy(t->data, from->data, bytes);
    return RC_OK;
}

void rc_tensor_free(struct rc_tensor *t)
{
    rc_release(t->data);
    t->data = NULL;
}

rc_status rc_tensor_gather(struct rc_tensor *out, struct rc_context *c, const struct rc_tensor *t,
                           uint32_t axis, const int32_t *index, uint32_t n)
{
    struct rc_shape s = t->shape;
    s.dim[axis] = n;
    RC_TRY(rc_tensor_new(out, c, t->dtype, &s));
    size_t inner = rc_dtype_size(t->dtype);
    int64_t outer = 1;
    for (uint32_t i = 0; i < t->shape.rank; i++) {
        if (i < axis)
            outer *= t->shape.dim[i];
        else if (i > axis)
            inner *= (size_t) t->shape.dim[i];
    }
    const size_t old = (size_t) t->shape.dim[axis];
    for (size_t o = 0; o < (size_t) outer; o++)
        for (uint32_t k = 0; k < n; k++)
            if (index[k] >= 0)
                memcpy((char *) out->data + (o * n + k) * inner,
                       (const char *) t->data + (o * old + (size_t) index[k]) * inner, inner);
    return RC_OK;
}
