/* EyeLike: ones on a diagonal of a matrix of zeros that has the shape of the operand. */
#include "op/attrs.h"
#include "op/common.h"
#include "wire/onnx.h"

#include <string.h>

static rc_status eye_infer(const struct rci_infer *i)
{
    const struct rci_eye_attrs *t = i->node->attrs;
    char text[RC_SHAPE_TEXT];
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT_ANY));
    if (i->in[0].shape.rank != 2)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": input of shape %s, must be a matrix",
                        i->node->name, rci_shape_text(&i->in[0].shape, text));
    i->out[0].shape = i->in[0].shape;
    i->out[0].dtype = t->type ? t->type : i->in[0].dtype;
    return RC_OK;
}

static rc_status eye_forward(const struct rci_call *c)
{
    const int64_t rows = c->out[0].shape.dim[0], columns = c->out[0].shape.dim[1];
    const int64_t k = ((const struct rci_eye_attrs *) c->node->attrs)->k;
    memset(c->out[0].data, 0, rci_tensor_bytes(&c->out[0]));
    /* the diagonal lies outside; also keeps r + k from overflowing */
    if (k <= -rows || k >= columns)
        return RC_OK;
    for (int64_t r = k < 0 ? -k : 0; r < rows && r + k < columns; r++)
        rci_op_store(&c->out[0], r * columns + r + k, 1);
    return RC_OK;
}

static rc_status eye_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_eye_attrs *t = n->attrs;
    int64_t type;
    RC_TRY(rci_attr_int(a, "k", 0, &t->k));
    RC_TRY(rci_attr_int(a, "dtype", 0, &type));
    t->type = rci_onnx_dtype((int32_t) type);
    if (type && !t->type)
        return rci_fail(RC_ERR_UNSUPPORTED, "node \"%s\": dtype is %lld, which no value here has",
                        n->name, (long long) type);
    return RC_OK;
}

static rc_status eye_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_eye_attrs *t = n->attrs;
    if (t->type)
        RC_TRY(rci_put_int(w, "dtype", rci_onnx_dtype_number(t->type)));
    return rci_put_int(w, "k", t->k);
}

const struct rci_op rci_op_eyelike = {
    .name = "EyeLike",
    RC_OP_ARITY(1, 1, 1, 1),
    .since = 9,
    .attr_size = sizeof(struct rci_eye_attrs),
    .flags = RC_OP_SHAPE_ONLY,
    .infer = eye_infer,
    .forward = eye_forward,
    .read_attrs = eye_read,
    .write_attrs = eye_write,
};
