/* What MaxPool and AveragePool share: attributes, shapes and the window of one output. */
#include "op/pool/pool.h"
#include "op/common.h"

#include <string.h>

rc_status rci_pool_infer(const struct rci_infer *i)
{
    const struct rci_pool_attrs *a = i->node->attrs;
    const int64_t none[2] = {0, 0};
    struct rci_window w;
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT_F32));
    RC_TRY(rci_check_image(i, "pooling"));
    RC_TRY(rci_window_resolve(&w, i->node, &a->window, &i->in[0].shape, none, a->ceil_mode != 0));
    /* A pad as wide as the window would give outputs that see padding alone: the mean of nothing.
     * ONNX Runtime refuses it too. */
    for (int k = 0; k < 4; k++) {
        const int64_t extent = (w.kernel[k % 2] - 1) * w.dilation[k % 2] + 1;
        if (a->window.pads[k] >= extent)
            return rci_fail(RC_ERR_MODEL,
                            "node \"%s\": pads[%d] is %lld, must be below the window "
                            "of %lld",
                            i->node->name, k, (long long) a->window.pads[k], (long long) extent);
    }
    i->out[0].dtype = RC_F32;
    i->out[0].shape = RC_SHAPE(i->in[0].shape.dim[0], i->in[0].shape.dim[1], w.out[0], w.out[1]);
    return RC_OK;
}

rc_status rci_pool_global_infer(const struct rci_infer *i)
{
    const struct rci_shape *x = &i->in[0].shape;
    char text[RC_SHAPE_TEXT];
    RC_TRY(rci_op_check_type(i, 0, "input", RC_DT_F32));
    if (x->rank < 3)
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": input has shape %s, must be [N, C, ...]",
                        i->node->name, rci_shape_text(x, text));
    if (rci_shape_count(x) == 0) /* a plane of no pixels has neither a mean nor a maximum */
        return rci_fail(RC_ERR_SHAPE, "node \"%s\": input of shape %s has no elements",
                        i->node->name, rci_shape_text(x, text));
    i->out[0].dtype = RC_F32;
    i->out[0].shape = *x;
    for (uint32_t k = 2; k < x->rank; k++)
        i->out[0].shape.dim[k] = 1;
    return RC_OK;
}

void rci_pool_window(struct rci_window *w, const struct rci_node *n, const struct rci_tensor *x)
{
    const struct rci_pool_attrs *a = n->attrs;
    const int64_t none[2] = {0, 0};
    *w = (struct rci_window){0};
    /* infer has accepted it */
    (void) rci_window_resolve(w, n, &a->window, &x->shape, none, a->ceil_mode != 0);
}

/* storage_order 1 (column-major) concerns the indices alone, which are not given; it is refused all
 * the same, for whoever sets it reads them. */
rc_status rci_pool_read(struct rci_node *n, const struct rci_attrs *a)
{
    struct rci_pool_attrs *t = n->attrs;
    int64_t ceil_mode, include, order;
    RC_TRY(rci_window_read(&t->window, a));
    RC_TRY(rci_attr_int(a, "ceil_mode", 0, &ceil_mode));
    RC_TRY(rci_attr_int(a, "count_include_pad", 0, &include));
    RC_TRY(rci_attr_int(a, "storage_order", 0, &order));
    if (!t->window.kernel[0])
        return rci_fail(RC_ERR_MODEL, "node \"%s\": kernel_shape is missing", n->name);
    if (order)
        return rci_fail(RC_ERR_UNSUPPORTED,
                        "node \"%s\": storage_order is %lld, only 0 is supported", n->name,
                        (long long) order);
    t->ceil_mode = ceil_mode != 0;
    t->count_include_pad = include != 0;
    return RC_OK;
}

rc_status rci_pool_write(const struct rci_node *n, struct rci_attr_write *w)
{
    const struct rci_pool_attrs *t = n->attrs;
    /* Each pool got dilations in another opset: MaxPool 10, LpPool 18, AveragePool 19. ceil_mode
     * came to Max and Average in 10, to Lp in 18. */
    const bool dilated = t->window.dilation[0] > 1 || t->window.dilation[1] > 1;
    const bool powers = !n->op->as_pooling; /* LpPool */
    struct rci_pooling p = {0};
    if (!powers)
        n->op->as_pooling(n, &p);
    RC_TRY(rci_window_write(&t->window, w));
    if (dilated)
        RC_TRY(rci_attr_write_since(w, powers ? 18 : p.max ? 10 : 19, "dilations"));
    if (t->count_include_pad)
        RC_TRY(rci_put_int(w, "count_include_pad", 1));
    if (t->ceil_mode)
        RC_TRY(rci_attr_write_since(w, powers ? 18 : 10, "ceil_mode"));
    return t->ceil_mode ? rci_put_int(w, "ceil_mode", 1) : RC_OK;
}

void rci_pool_taps(struct rci_taps *t, const struct rci_window *w, int64_t v, int64_t u)
{
    const int64_t at[2] = {v, u};
    for (int i = 0; i < 2; i++) {
        const int64_t start = at[i] * w->stride[i] - w->begin[i], d = w->dilation[i];
        const int64_t end = start + (w->kernel[i] - 1) * d + 1;
        /* the first tap not before the image, still on the dilation's grid */
        t->from[i] = start >= 0 ? start : start + (-start + d - 1) / d * d;
        t->to[i] = end < w->in[i] ? end : w->in[i];
        t->step[i] = d;
    }
}

rc_status rci_pool_forward(const struct rci_call *c, rci_pool_value *value)
{
    struct rci_window w;
    rci_pool_window(&w, c->node, c->in);
    const int64_t planes = c->in[0].shape.dim[0] * c->in[0].shape.dim[1];
    const int64_t area = w.out[0] * w.out[1];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < planes; k++) {
        const float *x = (const float *) c->in[0].data + k * w.in[0] * w.in[1];
        float *y = (float *) c->out[0].data + k * area;
        for (int64_t i = 0; i < area; i++)
            y[i] = value(c->node, &w, x, i / w.out[1], i % w.out[1]);
    }
    return RC_OK;
}

/* Windows overlap, so one thread has a whole plane and its sums run in the order of the outputs. */
rc_status rci_pool_backward(const struct rci_call *c, rci_pool_spread *spread)
{
    if (!c->d_in[0].data)
        return RC_OK;
    struct rci_window w;
    rci_pool_window(&w, c->node, c->in);
    const int64_t planes = c->in[0].shape.dim[0] * c->in[0].shape.dim[1];
    const int64_t area = w.out[0] * w.out[1], in_area = w.in[0] * w.in[1];
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < planes; k++) {
        const float *x = (const float *) c->in[0].data + k * in_area;
        const float *dy = (const float *) c->d_out[0].data + k * area;
        float *dx = (float *) c->d_in[0].data + k * in_area;
        memset(dx, 0, (size_t) in_area * sizeof(float));
        for (int64_t i = 0; i < area; i++)
            spread(c->node, &w, x, dx, (const int64_t[2]){i / w.out[1], i % w.out[1]}, dy[i]);
    }
    return RC_OK;
}

void rci_pool_couple(const struct rci_node *n, struct rci_links *l)
{
    (void) n;
    rci_link_same(l, RC_IN(0, 0), RC_OUT(0, 0));
    rci_link_same(l, RC_IN(0, 1), RC_OUT(0, 1));
}

struct rci_cost rci_pool_cost(const struct rci_node *n, const struct rci_tensor *in,
                              const struct rci_tensor *out)
{
    struct rci_window w;
    rci_pool_window(&w, n, in);
    const int64_t work = rci_shape_count(&out[0].shape) * w.kernel[0] * w.kernel[1];
    return (struct rci_cost){0, (uint64_t) work};
}
