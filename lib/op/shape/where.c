/* Where: y = condition ? a : b, all three with NumPy broadcasting. */
#include "op/common.h"
#include "op/math/broadcast.h"

#include <string.h>

static rc_status where_infer(const struct rci_infer *i)
{
    char a[RC_SHAPE_TEXT], b[RC_SHAPE_TEXT], c[RC_SHAPE_TEXT];
    struct rci_shape s;
    RC_TRY(rci_op_check_type(i, 0, "condition", RC_DT(RC_BOOL)));
    RC_TRY(rci_op_check_type(i, 1, "X", RC_DT_ANY));
    RC_TRY(rci_op_check_type(i, 2, "Y", RC_DT_ANY));
    if (i->in[1].dtype != i->in[2].dtype)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": operands of type %s and %s, must be equal",
                        i->node->name, rci_dtype_name(i->in[1].dtype),
                        rci_dtype_name(i->in[2].dtype));
    if (!rci_shape_broadcast(&i->in[1].shape, &i->in[2].shape, &s) ||
        !rci_shape_broadcast(&s, &i->in[0].shape, &i->out[0].shape))
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": shapes %s, %s and %s do not broadcast",
                        i->node->name, rci_shape_text(&i->in[0].shape, c),
                        rci_shape_text(&i->in[1].shape, a), rci_shape_text(&i->in[2].shape, b));
    i->out[0].dtype = i->in[1].dtype;
    return rci_op_check_count(i->node, &i->out[0].shape);
}

/* Strides of the three operands over the result's axes. */
struct places {
    const struct rci_shape *out;
    int64_t stride[3][RC_MAX_DIMS];
};

static struct places places_of(const struct rci_call *c)
{
    struct places p = {.out = &c->out[0].shape};
    for (int k = 0; k < 3; k++)
        rci_shape_strides(&c->in[k].shape, p.out, p.stride[k]);
    return p;
}

/* Places in the three operands of element i of the result. */
static void place(const struct places *p, int64_t i, int64_t at[3])
{
    at[0] = at[1] = at[2] = 0;
    for (uint32_t a = p->out->rank; a-- > 0; i /= p->out->dim[a])
        for (int k = 0; k < 3; k++)
            at[k] += i % p->out->dim[a] * p->stride[k][a];
}

static rc_status where_forward(const struct rci_call *c)
{
    const struct places p = places_of(c);
    const uint8_t *condition = c->in[0].data;
    const int64_t n = rci_shape_count(p.out);
    const size_t size = rci_dtype_size(c->out[0].dtype);
#pragma omp parallel for schedule(static) if (n >= RC_PARALLEL_MIN)
    for (int64_t i = 0; i < n; i++) {
        int64_t at[3];
        place(&p, i, at);
        const int k = condition[at[0]] ? 1 : 2;
        memcpy((char *) c->out[0].data + (size_t) i * size,
               (const char *) c->in[k].data + (size_t) at[k] * size, size);
    }
    return RC_OK;
}

/* Each result's gradient goes to the operand it came from; sums run in the order of the results. */
static rc_status where_backward(const struct rci_call *c)
{
    const struct places p = places_of(c);
    const uint8_t *condition = c->in[0].data;
    const float *g = c->d_out[0].data;
    for (int k = 1; k < 3; k++)
        if (c->d_in[k].data)
            memset(c->d_in[k].data, 0, (size_t) rci_shape_count(&c->in[k].shape) * sizeof(float));
    if (c->out[0].dtype != RC_F32)
        return RC_OK;
    for (int64_t i = 0, n = rci_shape_count(p.out); i < n; i++) {
        int64_t at[3];
        place(&p, i, at);
        const int k = condition[at[0]] ? 1 : 2;
        if (c->d_in[k].data)
            ((float *) c->d_in[k].data)[at[k]] += g[i];
    }
    return RC_OK;
}

/* An operand that is broadcast along an axis (length 1) has no channels there. */
static void where_couple(const struct rci_node *n, struct rci_links *l)
{
    (void) n;
    const struct rci_shape *y = rci_links_shape(l, RC_OUT(0, 0).operand);
    for (int32_t k = 0; k < 3; k++) {
        const struct rci_shape *x = rci_links_shape(l, k);
        for (uint32_t a = 0; x && y && a < x->rank; a++)
            if (x->dim[a] == y->dim[a + y->rank - x->rank])
                rci_link_same(l, RC_IN(k, a), RC_OUT(0, a + y->rank - x->rank));
    }
}

const struct rci_op rci_op_where = {
    .name = "Where",
    RC_OP_ARITY(3, 3, 1, 1),
    .since = 9,
    .flags = RC_OP_SEPARATE | RC_OP_POINTWISE,
    .sign = RC_SIGN_KEEPS,
    .infer = where_infer,
    .forward = where_forward,
    .backward = where_backward,
    .couple = where_couple,
    .cost = rci_op_cost_elementwise,
};
