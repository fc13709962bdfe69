/* ConvTranspose: the gradient of a convolution by its input, as a layer: every pixel of x
 * [N, I, H, W] adds its weights w [I, O/group, kh, kw] to a window of y,
 *   y[n, o, v*stride + p*dilation - pad, ...] += x[n, i, v, ...] * w[i, o, p, ...]. */
#include "op/common.h"
#include "op/layers.h"

#include <string.h>

struct deconv {
    int64_t batch, in, out, groups;
    int64_t high[2], wide[2]; /* of x and y */
    int64_t kernel[2], stride[2], dilation[2], begin[2];
};

static int64_t group_of(const struct rci_node *n)
{
    const struct rci_deconv_attrs *a = n->attrs;
    return a->group ? a->group : 1;
}

static int64_t or_one(int64_t v)
{
    return v ? v : 1;
}

/* Size of the result and padding before it, along axis a. */
static int64_t resolve(const struct rci_deconv_attrs *t, int a, int64_t in, int64_t kernel,
                       int64_t *begin)
{
    const int64_t stride = or_one(t->window.stride[a]);
    const int64_t extent = (kernel - 1) * or_one(t->window.dilation[a]) + 1;
    const int64_t full = stride * (in - 1) + t->output_padding[a] + extent;
    const int mode = t->window.auto_pad;
    int64_t out = t->output[a];
    if (!out && (mode == RC_AUTO_PAD_SAME_UPPER || mode == RC_AUTO_PAD_SAME_LOWER))
        out = in * stride;
    if (out) { /* what is too much is padding on both sides, its odd element where auto_pad says */
        const int64_t total = full > out ? full - out : 0;
        *begin = mode == RC_AUTO_PAD_SAME_UPPER ? total / 2 : total - total / 2;
        return out;
    }
    *begin = mode ? 0 : t->window.pads[a];
    return full - (mode ? 0 : t->window.pads[a] + t->window.pads[2 + a]);
}

/* From shapes that infer has accepted. */
static struct deconv deconv_of(const struct rci_node *n, const struct rci_shape *x,
                               const struct rci_shape *w)
{
    const struct rci_deconv_attrs *t = n->attrs;
    struct deconv d = {.batch = x->dim[0], .in = x->dim[1], .groups = group_of(n)};
    d.out = w->dim[1] * d.groups;
    int64_t out[2];
    for (int a = 0; a < 2; a++) {
        d.kernel[a] = w->dim[2 + a];
        d.stride[a] = or_one(t->window.stride[a]);
        d.dilation[a] = or_one(t->window.dilation[a]);
        out[a] = resolve(t, a, x->dim[2 + a], d.kernel[a], &d.begin[a]);
    }
    d.high[0] = x->dim[2];
    d.wide[0] = x->dim[3];
    d.high[1] = out[0];
    d.wide[1] = out[1];
    return d;
}

static rc_status check_shapes(const struct rci_infer *i)
{
    const struct rci_node *n = i->node;
    const struct rci_deconv_attrs *t = n->attrs;
    const struct rci_shape *x = &i->in[0].shape, *w = &i->in[1].shape;
    char text[RC_SHAPE_TEXT];
    RC_TRY(rci_check_image(i, "transposed convolution"));
    if (w->rank != 4 || w->dim[0] != x->dim[1] || x->dim[1] % group_of(n))
        return rci_fail(RC_ERR_SHAPE,
                        "node \"%s\": weights have shape %s, must be [%lld, O/group, kh, kw] with "
                        "group %lld",
                        n->name, rci_shape_text(w, text), (long long) x->dim[1],
                        (long long) group_of(n));
    for (int a = 0; a < 2; a++)
        if (t->window.kernel[a] && t->window.kernel[a] != w->dim[2 + a])
            return rci_fail(RC_ERR_MODEL,
                            "node \"%s\": kernel_shape[%d] is %lld, weights have %lld", n->name, a,
                            (long long) t->window.kernel[a], (long long) w->dim[2 + a]);
    if (!rci_op_has(n, 2))
        return RC_OK;
    RC_TRY(rci_op_check_type(i, 2, "bias", RC_DT_F32));
    if (i->in[2].shape.rank != 1 || i->in[2].shape.dim[0] != w->dim[1] * group_of(n))
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": bias has shape %s, must be [%lld]", n->name,
                        rci_shape_text(&i->in[2].shape, text),
                        (long long) (w->dim[1] * group_of(n)));
    return RC_OK;
}

static rc_status deconv_infer(const struct rci_infer *i)
{
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT_F32));
    RC_TRY(rci_op_check_type(i, 1, "weights", RC_DT_F32));
    RC_TRY(check_shapes(i));
    const struct deconv d = deconv_of(i->node, &i->in[0].shape, &i->in[1].shape);
    if (d.high[1] < 1 || d.wide[1] < 1)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": a result of %lld x %lld pixels", i->node->name,
                        (long long) d.high[1], (long long) d.wide[1]);
    i->out[0].dtype = RC_F32;
    i->out[0].shape = RC_SHAPE(d.batch, d.out, d.high[1], d.wide[1]);
    return rci_op_check_count(i->node, &i->out[0].shape);
}

/* The row or column of y that tap k of pixel v falls on; -1: outside. */
static int64_t target(const struct deconv *d, int a, int64_t v, int64_t k)
{
    const int64_t at = v * d->stride[a] + k * d->dilation[a] - d->begin[a];
    return at >= 0 && at < (a ? d->wide[1] : d->high[1]) ? at : -1;
}

/* For one tap (p, q): pairs of rows of x and y. what: 0 y += w x, 1 dx += w dy; the sum of x dy is
 * given back for the weights' gradient. */
static double tap(const struct deconv *d, int64_t p, int64_t q, float w, const float *x,
                  const float *dy, float *to, int what)
{
    double sum = 0;
    for (int64_t v = 0; v < d->high[0]; v++) {
        const int64_t r = target(d, 0, v, p);
        for (int64_t u = 0; r >= 0 && u < d->wide[0]; u++) {
            const int64_t s = target(d, 1, u, q);
            if (s < 0)
                continue;
            const int64_t at = r * d->wide[1] + s, from = v * d->wide[0] + u;
            if (what == 0)
                to[at] += w * x[from];
            else if (what == 1)
                to[from] += w * dy[at];
            else
                sum += (double) x[from] * (double) dy[at];
        }
    }
    return sum;
}

/* Element (0, 0) of the weights of input channel i and output channel o, which is numbered over all
 * groups while w has those of one. */
static int64_t weight_at(const struct deconv *d, int64_t i, int64_t o)
{
    return (i * (d->out / d->groups) + o % (d->out / d->groups)) * d->kernel[0] * d->kernel[1];
}

static rc_status deconv_forward(const struct rci_call *c)
{
    const struct deconv d = deconv_of(c->node, &c->in[0].shape, &c->in[1].shape);
    const float *w = c->in[1].data, *b = rci_op_has(c->node, 2) ? c->in[2].data : NULL;
    const int64_t area = d.high[1] * d.wide[1], in_area = d.high[0] * d.wide[0];
    const int64_t per = d.in / d.groups, taps = d.kernel[0] * d.kernel[1];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < d.batch * d.out; k++) {
        const int64_t o = k % d.out, first = o / (d.out / d.groups) * per;
        const float *x = (const float *) c->in[0].data + k / d.out * d.in * in_area;
        float *y = (float *) c->out[0].data + k * area;
        for (int64_t i = 0; i < area; i++)
            y[i] = b ? b[o] : 0;
        for (int64_t i = first; i < first + per; i++)
            for (int64_t t = 0; t < taps; t++)
                (void) tap(&d, t / d.kernel[1], t % d.kernel[1], w[weight_at(&d, i, o) + t],
                           x + i * in_area, NULL, y, 0);
    }
    return RC_OK;
}

static void backward_input(const struct rci_call *c, const struct deconv *d)
{
    const float *w = c->in[1].data;
    const int64_t area = d->high[1] * d->wide[1], in_area = d->high[0] * d->wide[0];
    const int64_t per = d->out / d->groups, taps = d->kernel[0] * d->kernel[1];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < d->batch * d->in; k++) {
        const int64_t i = k % d->in, first = i / (d->in / d->groups) * per;
        const float *dy = (const float *) c->d_out[0].data + k / d->in * d->out * area;
        float *dx = (float *) c->d_in[0].data + k * in_area;
        memset(dx, 0, (size_t) in_area * sizeof(float));
        for (int64_t o = first; o < first + per; o++)
            for (int64_t t = 0; t < taps; t++)
                (void) tap(d, t / d->kernel[1], t % d->kernel[1], w[weight_at(d, i, o) + t], NULL,
                           dy + o * area, dx, 1);
    }
}

/* dw[i, o, p, q] = sum over images and pixels of x dy, one thread for each weight. */
static void backward_weights(const struct rci_call *c, const struct deconv *d)
{
    const int64_t area = d->high[1] * d->wide[1], in_area = d->high[0] * d->wide[0];
    const int64_t per = d->out / d->groups, taps = d->kernel[0] * d->kernel[1];
    float *dw = c->d_in[1].data;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < d->in * per * taps; k++) {
        const int64_t i = k / taps / per, t = k % taps;
        const int64_t o = i / (d->in / d->groups) * per + k / taps % per;
        double sum = 0;
        for (int64_t n = 0; n < d->batch; n++)
            sum += tap(d, t / d->kernel[1], t % d->kernel[1], 0,
                       (const float *) c->in[0].data + (n * d->in + i) * in_area,
                       (const float *) c->d_out[0].data + (n * d->out + o) * area, NULL, 2);
        dw[k] = (float) sum;
    }
}

static rc_status deconv_backward(const struct rci_call *c)
{
    const struct deconv d = deconv_of(c->node, &c->in[0].shape, &c->in[1].shape);
    const int64_t area = d.high[1] * d.wide[1];
    const float *dy = c->d_out[0].data;
    if (c->d_in[0].data)
        backward_input(c, &d);
    if (c->d_in[1].data)
        backward_weights(c, &d);
    float *db = rci_op_has(c->node, 2) ? c->d_in[2].data : NULL;
    for (int64_t o = 0; o < (db ? d.out : 0); o++) {
        double sum = 0;
        for (int64_t n = 0; n < d.batch; n++)
            for (int64_t i = 0; i < area; i++)
                sum += (double) dy[(n * d.out + o) * area + i];
        db[o] = (float) sum;
    }
    return RC_OK;
}

/* Grouped: blocks, whose first stands for all in the weights' outputs. */
static void deconv_couple(const struct rci_node *n, struct rci_links *l)
{
    const int64_t group = group_of(n);
    rci_link_same(l, RC_IN(0, 0), RC_OUT(0, 0));
    rci_link_same(l, RC_IN(0, 1), RC_IN(1, 0));
    rci_link_same(l, RC_IN(2, 0), RC_OUT(0, 1));
    if (group == 1) {
        rci_link_same(l, RC_IN(1, 1), RC_OUT(0, 1));
    } else {
        rci_link_offset(l, RC_IN(1, 1), RC_OUT(0, 1), 0, 1);
        rci_link_blocks(l, RC_IN(0, 1), group);
        rci_link_blocks(l, RC_OUT(0, 1), group);
    }
}

/* Height and width, or nothing. */
static rc_status pair_read(const struct rci_attrs *a, const char *name, int64_t *out, int64_t most)
{
    int64_t v[2];
    int32_t n;
    RC_TRY(rci_attr_ints(a, name, v, 2, &n));
    for (int32_t k = 0; k < n; k++) {
        if (n != 2 || v[k] < 0 || v[k] > most)
            return rci_fail(RC_ERR_MODEL, "node \"%s\": %s[%d] of %d is %lld, allowed 0 to %lld",
                            rci_attrs_node(a), name, k, n, (long long) v[k], (long long) most);
        out[k] = v[k];
    }
    return RC_OK;
}

static rc_status deconv_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_deconv_attrs *t = n->attrs;
    RC_TRY(rci_attr_int(a, "group", 1, &t->group));
    if (t->group < 1)
        return rci_fail(RC_ERR_MODEL, "node \"%s\": group is %lld, must be 1 or more", n->name,
                        (long long) t->group);
    RC_TRY(pair_read(a, "output_padding", t->output_padding, 1 << 16));
    RC_TRY(pair_read(a, "output_shape", t->output, 1 << 16));
    return rci_window_read(&t->window, a);
}

static rc_status deconv_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_deconv_attrs *t = n->attrs;
    RC_TRY(rci_put_int(w, "group", group_of(n)));
    if (t->output_padding[0] || t->output_padding[1])
        RC_TRY(rci_put_ints(w, "output_padding", t->output_padding, 2));
    if (t->output[0])
        RC_TRY(rci_put_ints(w, "output_shape", t->output, 2));
    return rci_window_write(&t->window, w);
}

/* Each pixel of x meets every weight of its channel. */
static struct rci_cost deconv_cost(const struct rci_node *n, const struct rci_tensor *in,
                                   const struct rci_tensor *out)
{
    const struct rci_shape *w = &in[1].shape;
    (void) n;
    (void) out;
    return (struct rci_cost){
        (uint64_t) (rci_shape_count(&in[0].shape) * w->dim[1] * w->dim[2] * w->dim[3]), 0};
}

const struct rci_op rci_op_convtranspose = {
    .name = "ConvTranspose",
    RC_OP_ARITY(2, 3, 1, 1),
    .attr_size = sizeof(struct rci_deconv_attrs),
    .flags = RC_OP_SEPARATE,
    .trainable = 1 << 1 | 1 << 2,
    .infer = deconv_infer,
    .forward = deconv_forward,
    .backward = deconv_backward,
    .couple = deconv_couple,
    .read_attrs = deconv_read,
    .write_attrs = deconv_write,
    .cost = deconv_cost,
};
