/* Split: the input cut into consecutive parts along one axis. Sizes are an attribute up to opset 12
 * and operand 1 from 13 on; without them the parts are equal (from opset 18 the last may be
 * smaller). */
#include "op/attrs.h"
#include "op/common.h"
#include "op/shape/strided.h"

#include <string.h>

/* Axis and concrete part sizes. */
static rc_status split_sizes(const struct rci_node *n, const struct rci_tensor *in,
                             const struct rci_shape *s, uint32_t *axis, int64_t *size)
{
    struct rci_split_attrs t = *(const struct rci_split_attrs *) n->attrs;
    RC_TRY(rci_op_axis(n, t.axis, s->rank, axis));
    const int64_t d = s->dim[*axis], parts = n->n_out;
    if (in && rci_op_has(n, 1))
        RC_TRY(rci_op_ints(n, "split", &in[1], t.sizes, RC_SPLIT_MAX, &t.n));
    if (parts > RC_SPLIT_MAX || (t.n && t.n != parts))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": %lld outputs for %d sizes, at most %d", n->name,
                        (long long) parts, t.n, RC_SPLIT_MAX);
    if (t.n == 0 && d % parts && !t.uneven)
        return rci_fail(RC_ERR_SHAPE,
                        "node \"%s\": %lld outputs do not divide axis %u of length "
                        "%lld",
                        n->name, (long long) parts, *axis, (long long) d);
    /* ONNX 18: parts of ceil(length / parts), the last one what is left */
    const int64_t equal = (d + parts - 1) / parts;
    int64_t left = d;
    for (int64_t k = 0; k < parts; k++) {
        size[k] = t.n ? t.sizes[k] : k + 1 < parts ? equal : left;
        if (size[k] < 0 || size[k] > left)
            return rci_fail(RC_ERR_SHAPE, "node \"%s\": size %lld of part %lld, allowed 0 to %lld",
                            n->name, (long long) size[k], (long long) k, (long long) left);
        left -= size[k];
    }
    if (left)
        return rci_fail(RC_ERR_SHAPE,
                        "node \"%s\": sizes leave %lld of the %lld indices of axis %u", n->name,
                        (long long) left, (long long) d, *axis);
    return RC_OK;
}

static rc_status split_infer(const struct rci_infer *i)
{
    int64_t size[RC_SPLIT_MAX];
    uint32_t axis;
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT_ANY));
    RC_TRY(split_sizes(i->node, i->in, &i->in[0].shape, &axis, size));
    for (uint32_t k = 0; k < i->node->n_out; k++) {
        i->out[k].dtype = i->in[0].dtype;
        i->out[k].shape = i->in[0].shape;
        i->out[k].shape.dim[axis] = size[k];
    }
    return RC_OK;
}

/* Part `y` as a strided view of the whole; both sides share the dims. */
static struct rci_strided split_view(const struct rci_shape *x, const struct rci_shape *y)
{
    struct rci_strided s = {.rank = x->rank};
    rci_row_major(x, s.from);
    rci_row_major(y, s.to);
    for (uint32_t a = 0; a < x->rank; a++)
        s.dim[a] = y->dim[a];
    return s;
}

static rc_status split_forward(const struct rci_call *c)
{
    const struct rci_tensor *x = &c->in[0];
    const size_t element = rci_dtype_size(x->dtype);
    int64_t size[RC_SPLIT_MAX], at = 0;
    uint32_t axis;
    RC_TRY(split_sizes(c->node, c->in, &x->shape, &axis, size));
    for (uint32_t k = 0; k < c->node->n_out; k++) {
        const struct rci_strided s = split_view(&x->shape, &c->out[k].shape);
        if (c->out[k].data)
            rci_strided_copy(&s, element, (const char *) x->data + (size_t) at * element,
                             c->out[k].data);
        at += size[k] * s.from[axis];
    }
    return RC_OK;
}

static rc_status split_backward(const struct rci_call *c)
{
    const struct rci_shape *x = &c->in[0].shape;
    int64_t size[RC_SPLIT_MAX], at = 0;
    uint32_t axis;
    if (!c->d_in[0].data)
        return RC_OK;
    RC_TRY(split_sizes(c->node, c->in, x, &axis, size));
    for (uint32_t k = 0; k < c->node->n_out; k++) {
        const struct rci_strided v = split_view(x, &c->out[k].shape);
        struct rci_strided s = {.rank = v.rank};
        static const float zero;
        float *d = (float *) c->d_in[0].data + at;
        /* forward's copy with its sides exchanged; zeros from a stride of 0 for parts nobody
         * read */
        for (uint32_t a = 0; a < v.rank; a++) {
            s.dim[a] = v.dim[a];
            s.to[a] = v.from[a];
            s.from[a] = c->d_out[k].data ? v.to[a] : 0; /* nobody read that part */
        }
        rci_strided_copy(&s, sizeof(float), c->d_out[k].data ? c->d_out[k].data : &zero, d);
        at += size[k] * v.from[axis];
    }
    return RC_OK;
}

static void split_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    int64_t size[RC_SPLIT_MAX], at = 0;
    uint32_t axis;
    if (!x || rci_op_has(n, 1) || split_sizes(n, NULL, x, &axis, size) != RC_OK)
        return;
    for (uint32_t k = 0; k < n->n_out; k++) {
        for (uint32_t a = 0; a < x->rank; a++)
            rci_link_offset(l, RC_OUT(k, a), RC_IN(0, a), a == axis ? at : 0, 1);
        at += size[k];
    }
}

/* Parts may lose different numbers of channels, so the sizes are listed from now on. */
static rc_status split_resized(struct rc_graph *g, struct rci_node *n, const struct rci_links *l)
{
    (void) g;
    struct rci_split_attrs *t = n->attrs;
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    int64_t size[RC_SPLIT_MAX];
    uint32_t axis, count;
    RC_TRY(split_sizes(n, NULL, x, &axis, size));
    for (uint32_t k = 0; k < n->n_out; k++)
        t->sizes[k] = rci_links_kept(l, RC_OUT(k, axis), &count) ? count : size[k];
    t->n = (int32_t) n->n_out;
    return RC_OK;
}

static rc_status split_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_split_attrs *t = n->attrs;
    const int64_t opset = rci_attrs_opset(a);
    RC_TRY(rci_attr_int(a, "axis", 0, &t->axis));
    if (opset < 13)
        RC_TRY(rci_attr_ints(a, "split", t->sizes, RC_SPLIT_MAX, &t->n));
    if (t->n < 0)
        t->n = 0;
    if (opset >= 18 && rci_attrs_has(a, "num_outputs")) {
        int64_t parts;
        RC_TRY(rci_attr_int(a, "num_outputs", 0, &parts));
        if (parts != n->n_out)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": num_outputs is %lld, the node has %u",
                            n->name, (long long) parts, n->n_out);
        t->uneven = 1;
    }
    return RC_OK;
}

static rc_status split_bind(struct rc_graph *g, struct rci_node *n, const struct rci_tensor *known,
                            const struct rci_tensor *alt, const int64_t batch[2])
{
    struct rci_split_attrs *t = n->attrs;
    const struct rci_shape *x = &known[0].shape; /* also where no value is known */
    const int64_t axis = t->axis < 0 ? t->axis + (int64_t) x->rank : t->axis;
    (void) alt;
    (void) batch;
    /* Parts that are equal can be said in every opset. The length of axis 0 may be a free batch. */
    if (axis > 0 && axis < (int64_t) x->rank && x->dim[axis] % n->n_out == 0)
        t->uneven = 0;
    if (!rci_op_has(n, 1) || !known[1].data)
        return RC_OK;
    RC_TRY(rci_op_ints(n, "split", &known[1], t->sizes, RC_SPLIT_MAX, &t->n));
    rci_op_drop_from(g, n, 1);
    return RC_OK;
}

static rc_status split_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_split_attrs *t = n->attrs;
    const int64_t opset = rci_attr_write_opset(w);
    RC_TRY(rci_put_int(w, "axis", t->axis));
    if (t->n && opset < 13)
        return rci_put_ints(w, "split", t->sizes, (uint32_t) t->n);
    if (t->n)
        return rci_op_put_i64(w, 1, "split", t->sizes, t->n);
    if (t->uneven)
        RC_TRY(rci_attr_write_since(w, 18, "num_outputs that need not divide the axis"));
    /* from 18 on one of `split` and num_outputs must be given */
    return opset >= 18 && !rci_op_has(n, 1) ? rci_put_int(w, "num_outputs", n->n_out) : RC_OK;
}

static bool split_permute(struct rci_node *n, uint32_t *rank, const uint32_t *perm, uint32_t *out)
{
    struct rci_split_attrs *t = n->attrs;
    uint32_t axis;
    if (n->n_in != 1 || rci_op_axis(n, t->axis, *rank, &axis) != RC_OK)
        return false;
    t->axis = perm[axis];
    memcpy(out, perm, *rank * sizeof(*out));
    return true;
}

const struct rci_op rci_op_split = {
    .name = "Split",
    RC_OP_ARITY(1, 2, 1, RC_VARIADIC),
    .attr_size = sizeof(struct rci_split_attrs),
    .quant = RC_QUANT_PASS,
    .infer = split_infer,
    .forward = split_forward,
    .backward = split_backward,
    .permute = split_permute,
    .couple = split_couple,
    .resized = split_resized,
    .read_attrs = split_read,
    .bind = split_bind,
    .write_attrs = split_write,
};
