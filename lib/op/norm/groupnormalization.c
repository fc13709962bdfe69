/* GroupNormalization: y = (x - mean) / sqrt(variance + epsilon) * scale + shift, the statistics of
 * each group of neighbouring channels of each image. Scale and shift belong to channels from opset
 * 21 on, to groups before. */
#include "op/layers.h"
#include "op/norm/rows.h"

static const struct rci_rownorm_attrs *attrs_of(const struct rci_node *n)
{
    return n->attrs;
}

static rc_status group_infer(const struct rci_infer *i)
{
    static const char *const names[] = {"input", "scale", "shift"};
    const struct rci_rownorm_attrs *t = attrs_of(i->node);
    const struct rci_shape *x = &i->in[0].shape;
    char text[RC_SHAPE_TEXT];
    for (uint32_t k = 0; k < 3; k++)
        RC_TRY(rci_op_check_type(i, k, names[k], RC_DT_F32));
    if (x->rank < 2 || rci_shape_count(x) == 0)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": input has shape %s, must be [N, C, ...]",
                        i->node->name, rci_shape_text(x, text));
    if (t->groups < 1 || x->dim[1] % t->groups)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": num_groups is %lld, must divide %lld channels",
                        i->node->name, (long long) t->groups, (long long) x->dim[1]);
    /* what opset 21 changed */
    const int64_t params = t->per_group ? t->groups : x->dim[1];
    for (uint32_t k = 1; k < 3; k++)
        if (i->in[k].shape.rank != 1 || i->in[k].shape.dim[0] != params)
            return rci_fail(RC_ERR_SHAPE, "node \"%s\": %s has shape %s, must be [%lld]",
                            i->node->name, names[k], rci_shape_text(&i->in[k].shape, text),
                            (long long) params);
    i->out[0].dtype = RC_F32;
    i->out[0].shape = *x;
    return RC_OK;
}

/* Rows: the channels of one group of one image, neighbours in memory. span: how many elements share
 * a scale. */
static struct rci_rows group_rows(const struct rci_node *n, const struct rci_tensor *in)
{
    const struct rci_rownorm_attrs *t = attrs_of(n);
    const struct rci_shape *x = &in[0].shape;
    struct rci_rows r = {.rows = x->dim[0] * t->groups, .epsilon = (double) t->epsilon};
    r.length = rci_shape_count(x) / r.rows;
    r.params = t->per_group ? t->groups : x->dim[1];
    r.span = rci_shape_count(x) / x->dim[0] / r.params;
    return r;
}

static size_t group_saved(const struct rci_node *n, const struct rci_tensor *in)
{
    const struct rci_rows r = group_rows(n, in);
    return rci_rows_saved(&r);
}

static rc_status group_forward(const struct rci_call *c)
{
    const struct rci_rows r = group_rows(c->node, c->in);
    rci_rows_forward(&r, c->in[0].data, c->in[1].data, c->in[2].data, c->out[0].data, c->saved,
                     NULL, NULL);
    return RC_OK;
}

static rc_status group_backward(const struct rci_call *c)
{
    const struct rci_rows r = group_rows(c->node, c->in);
    rci_rows_backward(&r, c->in[0].data, c->in[1].data, c->saved, c->d_out[0].data, c->d_in[0].data,
                      c->d_in[1].data, c->d_in[2].data);
    return RC_OK;
}

/* Without one of its channels a group has other statistics, so only whole groups go. */
static void group_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_rownorm_attrs *t = attrs_of(n);
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    if (!x)
        return;
    rci_link_same(l, RC_IN(0, 0), RC_OUT(0, 0));
    rci_link_same(l, RC_IN(0, 1), RC_OUT(0, 1));
    rci_link_runs(l, RC_IN(0, 1), x->dim[1] / t->groups);
    for (uint32_t k = 1; k < 3; k++) {
        if (t->per_group)
            rci_link_repeat(l, RC_IN(k, 0), RC_IN(0, 1), x->dim[1] / t->groups);
        else
            rci_link_same(l, RC_IN(k, 0), RC_IN(0, 1));
    }
}

static rc_status group_resized(struct rc_graph *g, struct rci_node *n, const struct rci_links *l)
{
    struct rci_rownorm_attrs *t = n->attrs;
    uint32_t kept;
    (void) g;
    if (rci_links_kept(l, RC_IN(0, 1), &kept))
        /* groups keep their size; fewer of them are left */
        t->groups = kept / (rci_links_old_length(l, RC_IN(0, 1)) / t->groups);
    return RC_OK;
}

static rc_status group_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_rownorm_attrs *t = n->attrs;
    int64_t type;
    RC_TRY(rci_attr_float(a, "epsilon", 1e-5f, &t->epsilon));
    RC_TRY(rci_attr_int(a, "num_groups", 0, &t->groups));
    t->per_group = rci_attrs_opset(a) < 21;
    if (!t->per_group)
        RC_TRY(rci_attr_int(a, "stash_type", 1, &type)); /* statistics are in f64 */
    if (!(t->epsilon >= 0))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": epsilon is %g, must be 0 or more", n->name,
                        (double) t->epsilon);
    return RC_OK;
}

static rc_status group_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_rownorm_attrs *t = attrs_of(n);
    if ((t->per_group != 0) != (rci_attr_write_opset(w) < 21))
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": scale and shift of each %s cannot be written in opset %lld",
                        n->name, t->per_group ? "group" : "channel",
                        (long long) rci_attr_write_opset(w));
    RC_TRY(rci_put_int(w, "num_groups", t->groups));
    return rci_put_float(w, "epsilon", t->epsilon);
}

const struct rci_op rci_op_groupnormalization = {
    .name = "GroupNormalization",
    RC_OP_ARITY(3, 3, 1, 1),
    .since = 18,
    .attr_size = sizeof(struct rci_rownorm_attrs),
    .flags = RC_OP_SEPARATE,
    .trainable = 1 << 1 | 1 << 2,
    .infer = group_infer,
    .forward = group_forward,
    .backward = group_backward,
    .saved_bytes = group_saved,
    .couple = group_couple,
    .resized = group_resized,
    .read_attrs = group_read,
    .write_attrs = group_write,
    .cost = rci_op_cost_elementwise,
};
