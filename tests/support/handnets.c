#include "handnets.h"
#include "base/rng.h"
#include "op/attrs.h"
#include "op/layers.h"

#include <math.h>

static const struct rci_op *op_of(const char *name)
{
    const struct rci_op *op = rci_op_find(NULL, name);
    if (!op)
        fail_msg("there is no operator %s", name);
    return op;
}

static int64_t dim_of(const struct net *n, rci_id x, uint32_t axis)
{
    OK(rci_graph_infer(n->g));
    return n->g->values[x].tensor.shape.dim[axis];
}

struct net net_new(struct rc_context *c)
{
    struct net n = {0};
    OK(rci_graph_new(&n.g, c));
    n.g->dynamic_batch = true;
    n.g->batch = 1;
    n.g->opset = 17;
    return n;
}

void net_done(struct net *n, rci_id output)
{
    OK(rci_graph_set_outputs(n->g, &output, 1));
    OK(rci_graph_infer(n->g));
    OK(rci_graph_verify(n->g));
}

rci_id net_input(struct net *n, int64_t c, int64_t h, int64_t w)
{
    rci_id id;
    const struct rci_shape s = RC_SHAPE(1, c, h, w);
    OK(rci_graph_add_input(n->g, &id, "input", RC_F32, &s));
    return id;
}

/* base + spread * normal, never nearer to 0 than base/4 when base is set */
static rci_id weights(struct net *n, const char *layer, const char *what, struct rci_shape s,
                      double base, double spread)
{
    struct rci_tensor t;
    rci_id id;
    char name[96];
    struct rci_rng r = rci_rng_make(7, n->draws++, 0);
    OK(rci_tensor_new(&t, n->g->ctx, RC_F32, &s));
    for (int64_t i = 0; i < rci_shape_count(&s); i++)
        ((float *) t.data)[i] = (float) (base ? fmax(base / 4, base + spread * rci_rng_normal(&r))
                                              : spread * rci_rng_normal(&r));
    snprintf(name, sizeof(name), "%s.%s", layer, what);
    OK(rci_graph_add_const(n->g, &id, name, &t));
    rci_tensor_free(&t);
    return id;
}

static rci_id add(struct net *n, const char *op, const char *name, const void *attrs,
                  const rci_id *in, uint32_t n_in)
{
    rci_id node;
    OK(rci_graph_add_node(n->g, &node, op_of(op), name, attrs, in, n_in, NULL, 1));
    return n->g->nodes[node].out[0];
}

rci_id net_conv(struct net *n, const char *name, rci_id x, struct net_conv o)
{
    const int64_t group = o.group ? o.group : 1, in = dim_of(n, x, 1) / group;
    struct rci_conv_attrs a = {.group = group};
    for (int i = 0; i < 2; i++) {
        a.window.stride[i] = o.stride ? o.stride : 1;
        a.window.pads[i] = a.window.pads[2 + i] = o.k / 2;
    }
    rci_id operand[3] = {x};
    operand[1] = weights(n, name, "weight", RC_SHAPE(o.out, in, o.k, o.k), 0,
                         sqrt(2.0 / (double) (in * o.k * o.k)));
    if (o.bias)
        operand[2] = weights(n, name, "bias", RC_SHAPE(o.out), 0, 0.3);
    return add(n, "Conv", name, &a, operand, o.bias ? 3 : 2);
}

rci_id net_bn(struct net *n, const char *name, rci_id x)
{
    const struct rci_norm_attrs a = RC_NORM_ATTRS_INIT;
    const int64_t c = dim_of(n, x, 1);
    const rci_id operand[5] = {x, weights(n, name, "weight", RC_SHAPE(c), 1, 0.3),
                               weights(n, name, "bias", RC_SHAPE(c), 0, 0.3),
                               weights(n, name, "running_mean", RC_SHAPE(c), 0, 0.3),
                               weights(n, name, "running_var", RC_SHAPE(c), 1, 0.3)};
    return add(n, "BatchNormalization", name, &a, operand, 5);
}

rci_id net_unary(struct net *n, const char *op, rci_id x)
{
    return add(n, op, NULL, NULL, &x, 1);
}

rci_id net_binary(struct net *n, const char *op, rci_id a, rci_id b)
{
    const rci_id in[2] = {a, b};
    return add(n, op, NULL, NULL, in, 2);
}

rci_id net_concat(struct net *n, const rci_id *x, uint32_t count)
{
    const struct rci_concat_attrs a = {.axis = 1};
    return add(n, "Concat", NULL, &a, x, count);
}

rci_id net_flatten(struct net *n, rci_id x)
{
    const struct rci_axis_attrs a = {.axis = 1};
    return add(n, "Flatten", NULL, &a, &x, 1);
}

rci_id net_softmax(struct net *n, rci_id x)
{
    const struct rci_softmax_attrs a = {.axis = 1};
    return add(n, "Softmax", NULL, &a, &x, 1);
}

rci_id net_gemm(struct net *n, const char *name, rci_id x, int64_t out)
{
    const struct rci_gemm_attrs a = RC_GEMM_ATTRS_INIT;
    const int64_t in = dim_of(n, x, 1);
    const rci_id operand[3] = {
        x, weights(n, name, "weight", RC_SHAPE(out, in), 0, sqrt(1.0 / (double) in)),
        weights(n, name, "bias", RC_SHAPE(out), 0, 0.3)};
    return add(n, "Gemm", name, &a, operand, 3);
}

rci_id net_matmul(struct net *n, const char *name, rci_id x, int64_t out)
{
    const int64_t in = dim_of(n, x, 1);
    const rci_id operand[2] = {
        x, weights(n, name, "weight", RC_SHAPE(in, out), 0, sqrt(1.0 / (double) in))};
    return add(n, "MatMul", name, NULL, operand, 2);
}

rci_id net_average(struct net *n, rci_id x, int64_t kernel, int64_t stride)
{
    const struct rci_pool_attrs a = {
        .window = {.kernel = {kernel, kernel}, .stride = {stride, stride}}};
    return add(n, "AveragePool", NULL, &a, &x, 1);
}

rci_id net_slice(struct net *n, rci_id x, int64_t from, int64_t to)
{
    const struct rci_slice_attrs a = {
        .starts = {from}, .ends = {to}, .axes = {1}, .steps = {1}, .n = 1, .bound = 1};
    return add(n, "Slice", NULL, &a, &x, 1);
}

rci_id net_option_a(struct net *n, rci_id x, int64_t pad)
{
    const struct rci_slice_attrs s = {.starts = {0, 0},
                                      .ends = {INT64_MAX, INT64_MAX},
                                      .axes = {2, 3},
                                      .steps = {2, 2},
                                      .n = 2,
                                      .bound = 1};
    const struct rci_pad_attrs p = {
        .begin = {0, pad, 0, 0}, .end = {0, pad, 0, 0}, .n = 4, .bound = 1};
    x = add(n, "Slice", NULL, &s, &x, 1);
    return add(n, "Pad", NULL, &p, &x, 1);
}

void net_split(struct net *n, rci_id x, const int64_t *sizes, uint32_t count, rci_id *out)
{
    struct rci_split_attrs a = {.axis = 1, .n = (int32_t) count};
    rci_id node;
    for (uint32_t i = 0; i < count; i++)
        a.sizes[i] = sizes[i];
    OK(rci_graph_add_node(n->g, &node, op_of("Split"), NULL, &a, &x, 1, NULL, count));
    memcpy(out, n->g->nodes[node].out, count * sizeof(*out));
}

rci_id net_cbr(struct net *n, const char *name, rci_id x, struct net_conv o)
{
    char bn[64];
    snprintf(bn, sizeof(bn), "%s.bn", name);
    return net_unary(n, "Relu", net_bn(n, bn, net_conv(n, name, x, o)));
}

/* --- evaluation --- */

static void run_node(const struct rc_graph *g, const struct rci_node *n, struct rci_tensor *all)
{
    struct rci_tensor in[64] = {{0}}, out[64] = {{0}};
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i] != RC_NONE)
            in[i] = all[n->in[i]];
    for (uint32_t i = 0; i < n->n_out; i++) {
        struct rci_tensor *t = &all[n->out[i]];
        const struct rci_shape shape = t->shape;
        OK(rci_tensor_new(t, g->ctx, t->dtype, &shape));
        out[i] = *t;
    }
    void *saved = NULL;
    if (n->op->saved_bytes)
        saved = rci_alloc(g->ctx, n->op->saved_bytes(n, in) + 1);
    const struct rci_call call = {.node = n, .ctx = g->ctx, .in = in, .out = out, .saved = saved};
    OK(n->op->forward(&call));
    rci_release(saved);
}

void net_run(const struct rc_graph *g, int64_t batch, const float *x, struct rci_tensor *out)
{
    rci_id *order;
    uint32_t n;
    struct rci_tensor *all = rci_alloc_array(g->ctx, g->n_values, sizeof(*all));
    OK(rci_graph_infer_at(g, batch, all));
    for (uint32_t v = 0; v < g->n_values; v++)
        all[v].data = g->values[v].tensor.data;
    all[g->inputs[0]].data = (void *) x;
    OK(rci_graph_order(g, &order, &n));
    for (uint32_t i = 0; i < n; i++)
        run_node(g, &g->nodes[order[i]], all);
    OK(rci_tensor_copy(out, g->ctx, &all[g->outputs[0]]));
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < g->nodes[order[i]].n_out; k++)
            rci_tensor_free(&all[g->nodes[order[i]].out[k]]);
    rci_release(order);
    rci_release(all);
}

double net_difference(const struct rc_graph *a, const struct rc_graph *b, int64_t batch)
{
    struct rci_tensor ya, yb;
    struct rci_rng r = rci_rng_make(3, 1, 4);
    const int64_t n = rci_shape_count(&a->values[a->inputs[0]].tensor.shape) / a->batch * batch;
    float *x = rci_alloc_array(a->ctx, (size_t) n, sizeof(*x));
    for (int64_t i = 0; i < n; i++)
        x[i] = (float) rci_rng_normal(&r);
    net_run(a, batch, x, &ya);
    net_run(b, batch, x, &yb);
    assert_true(rci_shape_equal(&ya.shape, &yb.shape));
    double worst = 0, scale = 0;
    for (int64_t i = 0; i < rci_shape_count(&ya.shape); i++) {
        const double p = ((float *) ya.data)[i], q = ((float *) yb.data)[i];
        assert_false(isnan(p));
        worst = fmax(worst, fabs(p - q));
        scale = fmax(scale, fabs(q));
    }
    assert_true(scale > 0);
    rci_tensor_free(&ya);
    rci_tensor_free(&yb);
    rci_release(x);
    return worst / scale;
}
