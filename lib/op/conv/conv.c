/* Conv: y = x * w + b over [N, C, H, W], with groups, dilation and any padding. */
#include "kernel/onednn/conv.h"
#include "op/bias.h"
#include "op/common.h"
#include "op/conv/fast.h"
#include "op/conv/plain.h"
#include "op/layers.h"

static int64_t group_of(const struct rci_node *n)
{
    const struct rci_conv_attrs *a = n->attrs;
    return a->group ? a->group : 1;
}

/* kernel_shape may be absent; where it is given it repeats the weights' own. */
static rc_status check_kernel(const struct rci_node *n, const struct rci_shape *w)
{
    const struct rci_conv_attrs *a = n->attrs;
    for (int i = 0; i < 2; i++)
        if (a->window.kernel[i] && a->window.kernel[i] != w->dim[2 + i])
            return rci_fail(RC_ERR_MODEL,
                            "node \"%s\": kernel_shape[%d] is %lld, weights have %lld", n->name, i,
                            (long long) a->window.kernel[i], (long long) w->dim[2 + i]);
    return RC_OK;
}

static rc_status check_operands(const struct rci_infer *i)
{
    const struct rci_node *n = i->node;
    const struct rci_shape *x = &i->in[0].shape, *w = &i->in[1].shape;
    const int64_t group = group_of(n);
    char text[RC_SHAPE_TEXT];
    RC_TRY(rci_check_image(i, "convolution"));
    if (w->rank != 4)
        return rci_fail(RC_ERR_MODEL,
                        "node \"%s\": weights have shape %s, must be [O, I/group, kh, "
                        "kw]",
                        n->name, rci_shape_text(w, text));
    if (group < 1 || x->dim[1] % group || w->dim[0] % group)
        return rci_fail(
            RC_ERR_MODEL,
            "node \"%s\": group is %lld, must divide %lld input and %lld output channels", n->name,
            (long long) group, (long long) x->dim[1], (long long) w->dim[0]);
    if (w->dim[1] * group != x->dim[1])
        return rci_fail(
            RC_ERR_SHAPE,
            "node \"%s\": %lld input channels, weights of shape %s with group %lld take "
            "%lld",
            n->name, (long long) x->dim[1], rci_shape_text(w, text), (long long) group,
            (long long) (w->dim[1] * group));
    const struct rci_tensor *b = n->n_in > 2 ? &i->in[2] : NULL;
    if (b && b->dtype && (b->shape.rank != 1 || b->shape.dim[0] != w->dim[0]))
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": bias has shape %s, must be [%lld]", n->name,
                        rci_shape_text(&b->shape, text), (long long) w->dim[0]);
    return check_kernel(n, w);
}

/* Types are checked by the operator: QConv comes here with integers. */
rc_status rci_conv_infer(const struct rci_infer *i)
{
    const struct rci_conv_attrs *a = i->node->attrs;
    RC_TRY(check_operands(i));
    struct rci_window w;
    RC_TRY(rci_window_resolve(&w, i->node, &a->window, &i->in[0].shape, &i->in[1].shape.dim[2],
                              false));
    i->out[0].dtype = i->in[0].dtype;
    i->out[0].shape = RC_SHAPE(i->in[0].shape.dim[0], i->in[1].shape.dim[0], w.out[0], w.out[1]);
    return RC_OK;
}

static rc_status conv_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT_F32));
    RC_TRY(rci_op_check_type(i, 1, "weights", RC_DT_F32));
    if (rci_op_has(i->node, 2))
        RC_TRY(rci_op_check_type(i, 2, "bias", RC_DT_F32));
    return rci_conv_infer(i);
}

void rci_conv_geometry_of(struct rci_conv_geometry *g, const struct rci_node *n,
                          const struct rci_shape *x, const struct rci_shape *w)
{
    const struct rci_conv_attrs *a = n->attrs;
    struct rci_window win = {0};
    (void) rci_window_resolve(&win, n, &a->window, x, &w->dim[2], false); /* infer accepted it */
    *g = (struct rci_conv_geometry){.batch = x->dim[0],
                                    .in_channels = x->dim[1],
                                    .out_channels = w->dim[0],
                                    .groups = group_of(n)};
    for (int i = 0; i < 2; i++) {
        g->in[i] = win.in[i];
        g->out[i] = win.out[i];
        g->kernel[i] = win.kernel[i];
        g->stride[i] = win.stride[i];
        g->dilation[i] = win.dilation[i];
        g->pad_begin[i] = win.begin[i];
        g->pad_end[i] = win.end[i];
    }
}

rc_status rci_conv_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_conv_attrs *t = n->attrs;
    RC_TRY(rci_attr_int(a, "group", 1, &t->group));
    if (t->group < 1)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": group is %lld, must be 1 or more", n->name,
                        (long long) t->group);
    return rci_window_read(&t->window, a);
}

rc_status rci_conv_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_conv_attrs *t = n->attrs;
    RC_TRY(rci_put_int(w, "group", group_of(n)));
    return rci_window_write(&t->window, w);
}

void rci_conv_couple(const struct rci_node *n, struct rci_links *l)
{
    const int64_t group = group_of(n);
    const struct rci_shape *x = rci_links_shape(l, RC_IN(0, 0).operand);
    const struct rci_shape *w = rci_links_shape(l, RC_IN(1, 0).operand);
    if (!x || !w)
        return;
    rci_link_same(l, RC_IN(1, 0), RC_OUT(0, 1));
    rci_link_same(l, RC_IN(2, 0), RC_OUT(0, 1));
    if (group == 1) {
        rci_link_same(l, RC_IN(0, 1), RC_IN(1, 1));
    } else if (group == x->dim[1]) { /* depthwise: each channel with its own outputs */
        rci_link_repeat(l, RC_IN(0, 1), RC_OUT(0, 1), w->dim[0] / group);
    } else {
        rci_link_offset(l, RC_IN(1, 1), RC_IN(0, 1), 0, 1); /* the first block stands for all */
        rci_link_blocks(l, RC_IN(0, 1), group);
        rci_link_blocks(l, RC_OUT(0, 1), group);
    }
}

/* Depthwise: as many groups as channels. Other groups lose channels alike and stay as many. */
rc_status rci_conv_resized(struct rc_graph *g, struct rci_node *n, const struct rci_links *l)
{
    (void) g;
    struct rci_conv_attrs *a = n->attrs;
    uint32_t kept;
    const bool depthwise = group_of(n) > 1 && group_of(n) == rci_links_old_length(l, RC_IN(0, 1));
    if (depthwise && rci_links_kept(l, RC_IN(0, 1), &kept))
        a->group = kept;
    return RC_OK;
}

/* Not behind an activation that has been fused: s * relu(x) is another function. */
static bool conv_absorbs(const struct rc_graph *g, const struct rci_node *n)
{
    const struct rci_tensor *bias = rci_const_in(g, n, 2);
    return n->n_post == 0 && rci_const_in(g, n, 1) && (bias || !rci_op_has(n, 2));
}

/* s*(w*x + b) + t = (s*w)*x + (s*b + t) */
static rc_status conv_absorb(struct rc_graph *g, struct rci_node *n, const struct rci_affine *a)
{
    RC_TRY(rci_op_need_bias(g, n, a->channels));
    const struct rci_tensor *w = rci_const_in(g, n, 1);
    float *weights = w->data, *bias = rci_const_in(g, n, 2)->data;
    const int64_t per = rci_shape_count(&w->shape) / a->channels;
    for (uint32_t o = 0; o < a->channels; o++) {
        for (int64_t k = 0; k < per; k++)
            weights[o * per + k] *= a->scale[o];
        bias[o] = bias[o] * a->scale[o] + a->shift[o];
    }
    return RC_OK;
}

static bool conv_absorb_padding(const struct rc_graph *g, struct rci_node *n,
                                const struct rci_padding *p, bool positive)
{
    struct rci_conv_attrs *a = n->attrs;
    (void) positive;
    return rci_window_absorb(&a->window, p, g->values[n->in[1]].tensor.shape.dim + 2);
}

/* Multiply-adds; the bias is not counted. */
static struct rci_cost conv_cost(const struct rci_node *n, const struct rci_tensor *in,
                                 const struct rci_tensor *out)
{
    (void) n;
    const struct rci_shape *w = &in[1].shape;
    const int64_t outputs = rci_shape_count(&out[0].shape);
    return (struct rci_cost){(uint64_t) (outputs * w->dim[1] * w->dim[2] * w->dim[3]), 0};
}

static void conv_as_weighted(const struct rc_graph *g, const struct rci_node *n,
                             struct rci_weighted *out)
{
    (void) g;
    *out = (struct rci_weighted){.window = n->attrs, .plain = true, .bias_factor = 1};
}

const struct rci_op rci_op_conv = {
    .name = "Conv",
    RC_OP_ARITY(2, 3, 1, 1),
    .attr_size = sizeof(struct rci_conv_attrs),
    .flags = RC_OP_POSTS | RC_OP_BF16 | RC_OP_SEPARATE,
    .trainable = 1 << 1 | 1 << 2,
    .quant = RC_QUANT_WEIGHTED,
    .infer = conv_infer,
    .forward = rci_conv_forward_plain,
    .backward = rci_conv_backward_plain,
    .prepare = rci_conv_prepare,
    .as_weighted = conv_as_weighted,
    .couple = rci_conv_couple,
    .resized = rci_conv_resized,
    .absorbs_affine = conv_absorbs,
    .absorb_affine = conv_absorb,
    .absorb_padding = conv_absorb_padding,
    .read_attrs = rci_conv_read,
    .write_attrs = rci_conv_write,
    .cost = conv_cost,
};
