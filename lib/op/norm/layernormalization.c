/* LayerNormalization: y = (x - mean) / sqrt(variance + epsilon) * scale + shift, the statistics
 * over all axes from `axis` on, scale and shift one number for each of those elements. Mean and 1 /
 * sqrt(variance + epsilon) are further results where asked for. */
#include "op/layers.h"
#include "op/norm/rows.h"

/* All elements from `axis` on. */
static int64_t layer_length(const struct rci_shape *x, uint32_t axis)
{
    int64_t n = 1;
    for (uint32_t a = axis; a < x->rank; a++)
        n *= x->dim[a];
    return n;
}

static rc_status layer_infer(const struct rci_infer *i)
{
    static const char *const names[] = {"input", "scale", "shift"};
    const struct rci_rownorm_attrs *t = i->node->attrs;
    const struct rci_shape *x = &i->in[0].shape;
    char text[RC_SHAPE_TEXT];
    uint32_t axis;
    for (uint32_t k = 0; k < 2; k++)
        RC_TRY(rci_op_check_type(i, k, names[k], RC_DT_F32));
    if (rci_op_has(i->node, 2))
        RC_TRY(rci_op_check_type(i, 2, names[2], RC_DT_F32));
    RC_TRY(rci_op_axis(i->node, t->axis, x->rank, &axis));
    const int64_t length = layer_length(x, axis);
    if (length == 0)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": nothing to normalise in %s", i->node->name,
                        rci_shape_text(x, text));
    for (uint32_t k = 1; k < 3; k++)
        if (rci_op_has(i->node, k) && rci_shape_count(&i->in[k].shape) != length)
            return rci_fail(
                RC_ERR_SHAPE,
                "node \"%s\": %s has shape %s, must have %lld elements as the input from "
                "axis %u on",
                i->node->name, names[k], rci_shape_text(&i->in[k].shape, text), (long long) length,
                axis);
    /* results 1 and 2: mean and 1 / s, with ones for the axes they are taken over */
    for (uint32_t k = 0; k < i->node->n_out; k++) {
        i->out[k].dtype = RC_F32;
        i->out[k].shape = *x;
        for (uint32_t a = axis; k && a < x->rank; a++)
            i->out[k].shape.dim[a] = 1;
    }
    return RC_OK;
}

/* Rows: all from `axis` on; scale and shift have an entry for each place in a row (span 1). */
static struct rci_rows layer_rows(const struct rci_node *n, const struct rci_tensor *in)
{
    const struct rci_rownorm_attrs *t = n->attrs;
    const struct rci_shape *x = &in[0].shape;
    const uint32_t axis = (uint32_t) (t->axis < 0 ? t->axis + x->rank : t->axis);
    struct rci_rows r = {.span = 1, .epsilon = (double) t->epsilon};
    r.length = r.params = layer_length(x, axis);
    r.rows = rci_shape_count(x) / r.length;
    return r;
}

static size_t layer_saved(const struct rci_node *n, const struct rci_tensor *in)
{
    const struct rci_rows r = layer_rows(n, in);
    return rci_rows_saved(&r);
}

static void *data_of(const struct rci_tensor *t, uint32_t n, uint32_t k)
{
    return k < n ? t[k].data : NULL;
}

static rc_status layer_forward(const struct rci_call *c)
{
    const struct rci_rows r = layer_rows(c->node, c->in);
    const uint32_t n_in = c->node->n_in, n_out = c->node->n_out;
    rci_rows_forward(&r, c->in[0].data, c->in[1].data, data_of(c->in, n_in, 2), c->out[0].data,
                     c->saved, data_of(c->out, n_out, 1), data_of(c->out, n_out, 2));
    return RC_OK;
}

/* Through the result alone: nobody trains through the statistics. */
static rc_status layer_backward(const struct rci_call *c)
{
    const struct rci_rows r = layer_rows(c->node, c->in);
    rci_rows_backward(&r, c->in[0].data, c->in[1].data, c->saved, c->d_out[0].data, c->d_in[0].data,
                      c->d_in[1].data, data_of(c->d_in, c->node->n_in, 2));
    return RC_OK;
}

/* What the statistics are taken over stays. */
static void layer_couple(const struct rci_node *n, struct rci_links *l)
{
    const struct rci_rownorm_attrs *t = n->attrs;
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    uint32_t axis;
    if (!x || rci_op_axis(n, t->axis, x->rank, &axis) != RC_OK)
        return;
    for (uint32_t k = 0; k < n->n_out; k++)
        for (uint32_t a = 0; a < axis; a++)
            rci_link_same(l, RC_IN(0, a), RC_OUT(k, a));
}

static rc_status layer_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_rownorm_attrs *t = n->attrs;
    int64_t type;
    RC_TRY(rci_attr_float(a, "epsilon", 1e-5f, &t->epsilon));
    RC_TRY(rci_attr_int(a, "axis", -1, &t->axis));
    RC_TRY(rci_attr_int(a, "stash_type", 1, &type)); /* statistics are in f64 */
    if (!(t->epsilon >= 0))
        return rci_fail(RC_ERR_MODEL, "node \"%s\": epsilon is %g, must be 0 or more", n->name,
                        (double) t->epsilon);
    return RC_OK;
}

static rc_status layer_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_rownorm_attrs *t = n->attrs;
    RC_TRY(rci_put_int(w, "axis", t->axis));
    return rci_put_float(w, "epsilon", t->epsilon);
}

static bool layer_separate(const struct rc_graph *g, const struct rci_node *n, uint32_t rank)
{
    const int64_t axis = ((const struct rci_rownorm_attrs *) n->attrs)->axis;
    (void) g;
    return axis != 0 && axis != -(int64_t) rank;
}

const struct rci_op rci_op_layernormalization = {
    .name = "LayerNormalization",
    RC_OP_ARITY(2, 3, 1, 3),
    .since = 17,
    .attr_size = sizeof(struct rci_rownorm_attrs),
    .trainable = 1 << 1 | 1 << 2,
    .infer = layer_infer,
    .forward = layer_forward,
    .backward = layer_backward,
    .saved_bytes = layer_saved,
    .separate = layer_separate,
    .couple = layer_couple,
    .read_attrs = layer_read,
    .write_attrs = layer_write,
    .cost = rci_op_cost_elementwise,
};
