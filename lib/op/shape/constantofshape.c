/* ConstantOfShape: a tensor of the given shape filled with one value (f32 zero by default). Its
 * shape must be known when the model is loaded; constant folding then turns it into a constant. */
#include "op/attrs.h"
#include "op/common.h"

static rc_status fill_infer(const struct rci_infer *i)
{
    const struct rci_fill_attrs *t = i->node->attrs;
    int64_t dims[RC_MAX_DIMS];
    int32_t rank;
    RC_TRY(rci_op_check_type(i, 0, "shape", RC_DT_INDEX));
    RC_TRY(rci_op_ints(i->node, "shape", &i->in[0], dims, RC_MAX_DIMS, &rank));
    struct rci_shape y = {(uint32_t) rank, {0}};
    for (int32_t k = 0; k < rank; k++) {
        y.dim[k] = dims[k];
        if (dims[k] < 0)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": shape entry %d is %lld, allowed from 0",
                            i->node->name, k, (long long) dims[k]);
    }
    i->out[0].dtype = t->type ? t->type : RC_F32;
    i->out[0].shape = y;
    return rci_op_check_count(i->node, &y);
}

static rc_status fill_forward(const struct rci_call *c)
{
    const struct rci_fill_attrs *t = c->node->attrs;
    const struct rci_tensor *y = &c->out[0];
    for (int64_t i = 0, n = rci_shape_count(&y->shape); i < n; i++) {
        /* a double holds 53 bits */
        if (y->dtype == RC_I64)
            ((int64_t *) y->data)[i] = t->ivalue;
        else
            rci_op_store(y, i, t->value);
    }
    return RC_OK;
}

/* `value` is a tensor of one element, whose type becomes that of the result. */
static rc_status fill_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_fill_attrs *t = n->attrs;
    struct rci_tensor v;
    RC_TRY(rci_attr_tensor(a, "value", rci_attrs_context(a), &v));
    if (!v.data)
        return RC_OK;
    rc_status st = RC_OK;
    if (rci_shape_count(&v.shape) != 1)
        st = rci_fail(RC_ERR_MODEL, "node \"%s\": value has %lld elements, must be 1", n->name,
                      (long long) rci_shape_count(&v.shape));
    else {
        t->type = v.dtype;
        t->value = rci_op_scalar(&v);
        t->ivalue = v.dtype == RC_I64 ? *(const int64_t *) v.data : 0;
    }
    rci_tensor_free(&v);
    return st;
}

static rc_status fill_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_fill_attrs *t = n->attrs;
    int64_t space = t->ivalue;
    const struct rci_tensor v = {t->type ? t->type : RC_F32, {1, {1}}, &space};
    if (v.dtype != RC_I64)
        rci_op_store(&v, 0, t->value);
    return rci_put_tensor(w, "value", &v);
}

const struct rci_op rci_op_constantofshape = {
    .name = "ConstantOfShape",
    RC_OP_ARITY(1, 1, 1, 1),
    .since = 9,
    .attr_size = sizeof(struct rci_fill_attrs),
    .infer = fill_infer,
    .forward = fill_forward,
    .read_attrs = fill_read,
    .write_attrs = fill_write,
};
