/* ArgMax, ArgMin: the place of the largest or smallest element along an axis, i64. */
#include "op/attrs.h"
#include "op/common.h"

enum { ARG_MAX, ARG_MIN }; /* op->variant */

static rc_status arg_infer(const struct rci_infer *i)
{
    const struct rci_arg_attrs *t = i->node->attrs;
    const struct rci_shape *s = &i->in[0].shape;
    uint32_t axis;
    RC_TRY(rci_op_check_type(i, 0, "data", RC_DT_NUMBER));
    RC_TRY(rci_op_axis(i->node, t->axis, s->rank, &axis));
    /* no element, so no place */
    if (s->dim[axis] == 0)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": axis %u has length 0", i->node->name, axis);
    struct rci_shape y = {0, {0}};
    for (uint32_t a = 0; a < s->rank; a++)
        if (a != axis)
            y.dim[y.rank++] = s->dim[a];
        else if (t->keepdims)
            y.dim[y.rank++] = 1;
    i->out[0].dtype = RC_I64;
    i->out[0].shape = y;
    return RC_OK;
}

/* Element i comes before element k when it is larger; `last` decides between equals. */
#define ARG_LOOP(type)                                          \
    do {                                                        \
        const type *x = (const type *) c->in[0].data + first;   \
        for (int64_t k = 1; k < n; k++) {                       \
            const type v = x[k * inner], b = x[best * inner];   \
            if ((smallest ? v < b : v > b) || (last && v == b)) \
                best = k;                                       \
        }                                                       \
    } while (0)

/* Place in a row of n elements, `inner` apart, that begins at element `first`. Comparisons with NaN
 * are false: it is found only where it comes first. */
static int64_t arg_one(const struct rci_call *c, int64_t first, int64_t n, int64_t inner)
{
    const bool last = ((const struct rci_arg_attrs *) c->node->attrs)->last != 0;
    const bool smallest = c->node->op->variant == ARG_MIN;
    int64_t best = 0;
    switch (c->in[0].dtype) {
    case RC_F64:
        ARG_LOOP(double);
        break;
    case RC_I64:
        ARG_LOOP(int64_t);
        break;
    case RC_I32:
        ARG_LOOP(int32_t);
        break;
    case RC_S8:
        ARG_LOOP(int8_t);
        break;
    case RC_U8:
        ARG_LOOP(uint8_t);
        break;
    default:
        ARG_LOOP(float);
        break;
    }
    return best;
}

static rc_status arg_forward(const struct rci_call *c)
{
    const struct rci_shape *s = &c->in[0].shape;
    uint32_t axis;
    int64_t inner = 1, *y = c->out[0].data;
    RC_TRY(rci_op_axis(c->node, ((const struct rci_arg_attrs *) c->node->attrs)->axis, s->rank,
                       &axis));
    for (uint32_t a = axis + 1; a < s->rank; a++)
        inner *= s->dim[a];
    const int64_t n = s->dim[axis], rows = rci_shape_count(s) / n;
#pragma omp parallel for schedule(static) if (rows * n >= RC_PARALLEL_MIN)
    for (int64_t r = 0; r < rows; r++)
        y[r] = arg_one(c, r / inner * n * inner + r % inner, n, inner);
    return RC_OK;
}

/* The result names places along the axis, so the axis keeps its length. */
static void arg_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_arg_attrs *t = n->attrs;
    const struct rci_shape *s = rci_links_shape(l, RC_IN(0, 0).operand);
    uint32_t axis, at = 0;
    if (!s || rci_op_axis(n, t->axis, s->rank, &axis) != RC_OK)
        return;
    for (uint32_t a = 0; a < s->rank; a++) {
        if (a != axis)
            rci_link_same(l, RC_IN(0, a), RC_OUT(0, at++));
        else
            at += t->keepdims != 0;
    }
}

static rc_status arg_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_arg_attrs *t = n->attrs;
    int64_t keepdims, last = 0;
    RC_TRY(rci_attr_int(a, "axis", 0, &t->axis));
    RC_TRY(rci_attr_int(a, "keepdims", 1, &keepdims));
    if (rci_attrs_opset(a) >= 12)
        RC_TRY(rci_attr_int(a, "select_last_index", 0, &last));
    t->keepdims = keepdims != 0;
    t->last = last != 0;
    return RC_OK;
}

static rc_status arg_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_arg_attrs *t = n->attrs;
    RC_TRY(rci_put_int(w, "axis", t->axis));
    RC_TRY(rci_put_int(w, "keepdims", t->keepdims));
    if (t->last && rci_attr_write_opset(w) < 12)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": select_last_index cannot be written in opset %lld", n->name,
                        (long long) rci_attr_write_opset(w));
    return t->last ? rci_put_int(w, "select_last_index", 1) : RC_OK;
}

/* Along the batch it would compare images with each other. */
static bool arg_separate(const struct rc_graph *g, const struct rci_node *n, uint32_t rank)
{
    const int64_t axis = ((const struct rci_arg_attrs *) n->attrs)->axis;
    (void) rank;
    return axis != 0 && axis != -(int64_t) g->values[n->in[0]].tensor.shape.rank;
}

static struct rci_cost arg_cost(const struct rci_node *n, const struct rci_tensor *in,
                                const struct rci_tensor *out)
{
    (void) n;
    (void) out;
    return (struct rci_cost){0, (uint64_t) rci_shape_count(&in[0].shape)};
}

#define ARG(kind)                                                                          \
    RC_OP_ARITY(1, 1, 1, 1), .variant = (kind), .attr_size = sizeof(struct rci_arg_attrs), \
                             .sign = RC_SIGN_NON_NEGATIVE, .infer = arg_infer,             \
                             .forward = arg_forward, .couple = arg_couple,                 \
                             .separate = arg_separate, .read_attrs = arg_read,             \
                             .write_attrs = arg_write, .cost = arg_cost

const struct rci_op rci_op_argmax = {
    .name = "ArgMax",
    ARG(ARG_MAX),
};
const struct rci_op rci_op_argmin = {
    .name = "ArgMin",
    ARG(ARG_MIN),
};
