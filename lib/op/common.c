/* What operator files share: checks with one wording, small integer operands, cost. */
#include "op/common.h"

#include <string.h>

static void type_list(uint32_t allowed, char *buf, size_t size)
{
    size_t used = 0;
    buf[0] = 0;
    for (int d = RC_F32; d <= RC_F64; d++) {
        if (!(allowed & RC_DT(d)))
            continue;
        const char *name = rci_dtype_name((enum rci_dtype) d);
        const size_t len = strlen(name);
        if (used + len + 3 > size)
            return;
        if (used)
            buf[used++] = ' ';
        memcpy(buf + used, name, len + 1);
        used += len;
    }
}

rc_status rci_op_check_type(const struct rci_infer *i, uint32_t operand, const char *what,
                            uint32_t allowed)
{
    const enum rci_dtype d = i->in[operand].dtype;
    if (d && (allowed & RC_DT(d)))
        return RC_OK;
    if (!d)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": operand %s is missing", i->node->name, what);
    char list[64];
    type_list(allowed, list, sizeof(list));
    return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": %s of type %s, %s takes %s", i->node->name,
                    what, rci_dtype_name(d), i->node->op->name, list);
}

rc_status rci_op_axis(const struct rci_node *n, int64_t axis, uint32_t rank, uint32_t *out)
{
    const int64_t r = rank;
    if (axis < -r || axis >= r)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": axis is %lld, allowed %lld to %lld", n->name,
                        (long long) axis, (long long) -r, (long long) r - 1);
    *out = (uint32_t) (axis < 0 ? axis + r : axis);
    return RC_OK;
}

rc_status rci_op_axes(const struct rci_node *n, const int64_t *axes, int32_t count, uint32_t rank,
                      uint32_t *bits)
{
    *bits = 0;
    for (int32_t k = 0; k < count; k++) {
        uint32_t a = 0;
        RC_TRY(rci_op_axis(n, axes[k], rank, &a));
        if (*bits & (1u << a))
            return rci_fail(RC_ERR_SHAPE, "node \"%s\": axis %lld is listed twice", n->name,
                            (long long) axes[k]);
        *bits |= 1u << a;
    }
    return RC_OK;
}

rc_status rci_op_check_count(const struct rci_node *n, const struct rci_shape *s)
{
    int64_t count;
    char text[RC_SHAPE_TEXT];
    if (!rci_shape_count_checked(s, &count))
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": result %s has too many elements", n->name,
                        rci_shape_text(s, text));
    return RC_OK;
}

rc_status rci_op_ints(const struct rci_node *n, const char *what, const struct rci_tensor *t,
                      int64_t *out, int32_t cap, int32_t *count)
{
    if (!t->data)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": %s is computed at run time, it must be a constant or follow "
                        "from shapes",
                        n->name, what);
    if (t->dtype != RC_I64 && t->dtype != RC_I32)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": %s of type %s, must be i64 or i32", n->name,
                        what, rci_dtype_name(t->dtype));
    const int64_t k = rci_shape_count(&t->shape);
    if (t->shape.rank > 1 || k > cap)
        return rci_fail(RC_ERR_MODEL,
                        "node \"%s\": %s has rank %u and %lld entries, at most 1 "
                        "and %d",
                        n->name, what, t->shape.rank, (long long) k, cap);
    for (int64_t j = 0; j < k; j++)
        out[j] =
            t->dtype == RC_I64 ? ((const int64_t *) t->data)[j] : ((const int32_t *) t->data)[j];
    *count = (int32_t) k;
    return RC_OK;
}

double rci_op_scalar(const struct rci_tensor *t)
{
    switch (t->dtype) {
    case RC_F32:
        return (double) *(const float *) t->data;
    case RC_F64:
        return *(const double *) t->data;
    case RC_I64:
        return (double) *(const int64_t *) t->data;
    case RC_I32:
        return *(const int32_t *) t->data;
    case RC_S8:
        return *(const int8_t *) t->data;
    case RC_U8:
    case RC_BOOL:
        return *(const uint8_t *) t->data;
    case RC_BF16: /* no value has these */
    case RC_F16:
    case RC_S4:
    case RC_U4:
    case RC_S2:
    case RC_U2:
        break;
    }
    return 0;
}

rc_status rci_op_put_i64(struct rci_attr_write *w, uint32_t index, const char *what,
                         const int64_t *v, int32_t count)
{
    int64_t copy[RC_OP_MAX_INTS];
    for (int32_t k = 0; k < count; k++)
        copy[k] = v[k];
    const struct rci_tensor t = {RC_I64, {1, {count}}, copy};
    return rci_put_operand(w, index, what, &t);
}

void rci_op_drop_from(struct rc_graph *g, struct rci_node *n, uint32_t first)
{
    const rci_id id = (rci_id) (n - g->nodes);
    while (n->n_in > first)
        rci_graph_drop_input(g, id, n->n_in - 1);
}

rc_status rci_op_infer_same(const struct rci_infer *i, uint32_t allowed)
{
    RC_TRY(rci_op_check_type(i, 0, "input", allowed));
    i->out[0].dtype = i->in[0].dtype;
    i->out[0].shape = i->in[0].shape;
    return RC_OK;
}

rc_status rci_op_forward_copy(const struct rci_call *c)
{
    if (c->out[0].data != c->in[0].data)
        memcpy(c->out[0].data, c->in[0].data, rci_tensor_bytes(&c->in[0]));
    return RC_OK;
}

rc_status rci_op_backward_copy(const struct rci_call *c)
{
    if (c->d_in[0].data && c->d_in[0].data != c->d_out[0].data)
        memcpy(c->d_in[0].data, c->d_out[0].data,
               (size_t) rci_shape_count(&c->in[0].shape) * sizeof(float));
    return RC_OK;
}

void rci_op_couple_same(const struct rci_node *n, struct rci_links *l)
{
    (void) n;
    const struct rci_shape *s = rci_links_shape(l, RC_IN(0, 0).operand);
    for (uint32_t a = 0; s && a < s->rank; a++)
        rci_link_same(l, RC_IN(0, a), RC_OUT(0, a));
}

struct rci_cost rci_op_cost_elementwise(const struct rci_node *n, const struct rci_tensor *in,
                                        const struct rci_tensor *out)
{
    (void) n;
    (void) in;
    return (struct rci_cost){0, (uint64_t) rci_shape_count(&out[0].shape)};
}

void rci_op_store(const struct rci_tensor *t, int64_t i, double v)
{
    switch (t->dtype) {
    case RC_F64:
        ((double *) t->data)[i] = v;
        break;
    case RC_I64:
        ((int64_t *) t->data)[i] = v >= 9223372036854775807.0 ? INT64_MAX : (int64_t) v;
        break;
    case RC_I32:
        ((int32_t *) t->data)[i] = (int32_t) v;
        break;
    case RC_S8:
        ((int8_t *) t->data)[i] = (int8_t) v;
        break;
    case RC_U8:
    case RC_BOOL:
        ((uint8_t *) t->data)[i] = (uint8_t) v;
        break;
    default:
        ((float *) t->data)[i] = (float) v;
        break;
    }
}

rc_status rci_op_put_scalar(struct rci_attr_write *w, uint32_t index, const char *what, double v,
                            enum rci_dtype d)
{
    int64_t space = 0;
    const struct rci_tensor t = {d ? d : RC_F32, {0, {0}}, &space};
    rci_op_store(&t, 0, v);
    return rci_put_operand(w, index, what, &t);
}
