/* InstanceNormalization: y = (x - mean) / sqrt(variance + epsilon) * scale + shift, the statistics
 * of each channel of each image alone. */
#include "op/layers.h"
#include "op/norm/rows.h"

static rc_status instance_infer(const struct rci_infer *i)
{
    static const char *const names[] = {"input", "scale", "shift"};
    const struct rci_shape *x = &i->in[0].shape;
    char text[RC_SHAPE_TEXT];
    for (uint32_t k = 0; k < 3; k++)
        RC_TRY(rci_op_check_type(i, k, names[k], RC_DT_F32));
    /* without spatial axes each value would be its own mean */
    if (x->rank < 3 || rci_shape_count(x) == 0)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": input has shape %s, must be [N, C, ...]",
                        i->node->name, rci_shape_text(x, text));
    for (uint32_t k = 1; k < 3; k++)
        if (i->in[k].shape.rank != 1 || i->in[k].shape.dim[0] != x->dim[1])
            return rci_fail(RC_ERR_SHAPE, "node \"%s\": %s has shape %s, must be [%lld]",
                            i->node->name, names[k], rci_shape_text(&i->in[k].shape, text),
                            (long long) x->dim[1]);
    i->out[0].dtype = RC_F32;
    i->out[0].shape = *x;
    return RC_OK;
}

static struct rci_rows instance_rows(const struct rci_node *n, const struct rci_tensor *in)
{
    const struct rci_shape *x = &in[0].shape;
    struct rci_rows r = {.rows = x->dim[0] * x->dim[1], .params = x->dim[1]};
    r.length = r.span = rci_shape_count(x) / r.rows;
    r.epsilon = (double) ((const struct rci_rownorm_attrs *) n->attrs)->epsilon;
    return r;
}

static size_t instance_saved(const struct rci_node *n, const struct rci_tensor *in)
{
    const struct rci_rows r = instance_rows(n, in);
    return rci_rows_saved(&r);
}

static rc_status instance_forward(const struct rci_call *c)
{
    const struct rci_rows r = instance_rows(c->node, c->in);
    rci_rows_forward(&r, c->in[0].data, c->in[1].data, c->in[2].data, c->out[0].data, c->saved,
                     NULL, NULL);
    return RC_OK;
}

static rc_status instance_backward(const struct rci_call *c)
{
    const struct rci_rows r = instance_rows(c->node, c->in);
    rci_rows_backward(&r, c->in[0].data, c->in[1].data, c->saved, c->d_out[0].data, c->d_in[0].data,
                      c->d_in[1].data, c->d_in[2].data);
    return RC_OK;
}

/* Each channel has statistics of its own, so any may go. */
static void instance_couple(const struct rci_node *n, struct rci_links *l)
{
    (void) n;
    for (uint32_t a = 0; a < 2; a++)
        rci_link_same(l, RC_IN(0, a), RC_OUT(0, a));
    rci_link_same(l, RC_IN(0, 1), RC_IN(1, 0));
    rci_link_same(l, RC_IN(0, 1), RC_IN(2, 0));
}

static rc_status instance_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_rownorm_attrs *t = n->attrs;
    RC_TRY(rci_attr_float(a, "epsilon", 1e-5f, &t->epsilon));
    if (!(t->epsilon >= 0))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": epsilon is %g, must be 0 or more", n->name,
                        (double) t->epsilon);
    return RC_OK;
}

static rc_status instance_write(const struct rci_node *n, struct rci_attr_write *w)
{
    return rci_put_float(w, "epsilon", ((const struct rci_rownorm_attrs *) n->attrs)->epsilon);
}

const struct rci_op rci_op_instancenormalization = {
    .name = "InstanceNormalization",
    RC_OP_ARITY(3, 3, 1, 1),
    .attr_size = sizeof(struct rci_rownorm_attrs),
    .flags = RC_OP_SEPARATE,
    .trainable = 1 << 1 | 1 << 2,
    .infer = instance_infer,
    .forward = instance_forward,
    .backward = instance_backward,
    .saved_bytes = instance_saved,
    .couple = instance_couple,
    .read_attrs = instance_read,
    .write_attrs = instance_write,
    .cost = rci_op_cost_elementwise,
};
