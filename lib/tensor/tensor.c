#include "tensor/tensor.h"

#include <string.h>

rc_status rci_tensor_new(struct rci_tensor *t, struct rc_context *c, enum rci_dtype d,
                         const struct rci_shape *s)
{
    int64_t count;
    char text[RC_SHAPE_TEXT];
    *t = (struct rci_tensor){d, *s, NULL};
    if (!rci_shape_count_checked(s, &count))
        return rci_fail(RC_ERR_LIMIT, "tensor of shape %s is too large", rci_shape_text(s, text));
    t->data = rci_alloc_array(c, (size_t) count, rci_dtype_size(d));
    return t->data ? RC_OK : RC_ERR_MEMORY;
}

rc_status rci_tensor_copy(struct rci_tensor *t, struct rc_context *c, const struct rci_tensor *from)
{
    const size_t bytes = rci_tensor_bytes(from);
    *t = (struct rci_tensor){from->dtype, from->shape, rci_alloc(c, bytes)};
    if (!t->data)
        return RC_ERR_MEMORY;
    memcpy(t->data, from->data, bytes);
    return RC_OK;
}

void rci_tensor_free(struct rci_tensor *t)
{
    rci_release(t->data);
    t->data = NULL;
}

rc_status rci_tensor_gather(struct rci_tensor *out, struct rc_context *c,
                            const struct rci_tensor *t, uint32_t axis, const int32_t *index,
                            uint32_t n)
{
    struct rci_shape s = t->shape;
    s.dim[axis] = n;
    RC_TRY(rci_tensor_new(out, c, t->dtype, &s));
    size_t inner = rci_dtype_size(t->dtype);
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
