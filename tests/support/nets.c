#include "nets.h"
#include "test.h"

#include "base/rng.h"
#include "exec/session.h"
#include "op/attrs.h"
#include "op/layers.h"
#include "zoo/build.h"

#include <math.h>

void fill_random(float *x, int64_t n, uint64_t seed)
{
    struct rci_rng r = rci_rng_make(seed, 77, 0);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float) (2 * rci_rng_uniform(&r) - 1);
}

void net_randomize(struct rc_graph *g, uint64_t seed)
{
    for (rci_id i = 0; i < g->n_nodes; i++) {
        const struct rci_node *n = &g->nodes[i];
        if (!n->op || strcmp(n->op->name, "BatchNormalization") != 0)
            continue;
        for (uint32_t k = 1; k < 5; k++) {
            struct rci_tensor *t = &g->values[n->in[k]].tensor;
            float *x = t->data;
            fill_random(x, rci_shape_count(&t->shape), seed + i * 8u + k);
            for (int64_t j = 0; j < rci_shape_count(&t->shape); j++)
                x[j] = k == 1 || k == 4 ? 1 + 0.5f * x[j] : 0.3f * x[j];
        }
    }
}

struct maker {
    struct rci_build b;
    struct rci_rng rng;
    uint32_t count; /* for names */
};

static const char *fresh(struct maker *m)
{
    static char name[32];
    snprintf(name, sizeof(name), "n%u", m->count++);
    return name;
}

static int64_t channels(const struct maker *m, rci_id x)
{
    OK(m->b.st);
    OK(rci_graph_infer(m->b.g));
    return m->b.g->values[x].tensor.shape.dim[1];
}

static rci_id node(struct maker *m, const char *op, const void *attrs, rci_id a, rci_id b)
{
    const rci_id in[2] = {a, b};
    return rci_build_node(&m->b, op, fresh(m), attrs, in, b == RC_NONE ? 1 : 2);
}

static rci_id activation(struct maker *m, rci_id x, bool any)
{
    const struct rci_leaky_attrs leaky = {0.1f};
    const struct rci_clip_attrs clip = {.lo = 0, .hi = 0.7, .n_bounds = 2};
    const struct rci_hardsigmoid_attrs hard = {0.2f, 0.5f};
    switch (any ? rci_rng_below(&m->rng, 6) : 0) {
    case 0:
        return node(m, "Relu", NULL, x, RC_NONE);
    case 1:
        return node(m, "LeakyRelu", &leaky, x, RC_NONE);
    case 2:
        return node(m, "Clip", &clip, x, RC_NONE);
    case 3:
        return node(m, "Sigmoid", NULL, x, RC_NONE);
    case 4:
        return node(m, "HardSwish", NULL, x, RC_NONE);
    default:
        return node(m, "HardSigmoid", &hard, x, RC_NONE);
    }
}

static rci_id conv_norm(struct maker *m, rci_id x, int64_t out, int64_t kernel, int64_t stride)
{
    const struct rci_build_conv c = {channels(m, x), out, kernel, stride, kernel / 2};
    x = rci_build_conv(&m->b, x, fresh(m), &c);
    return rci_build_norm(&m->b, x, fresh(m), out);
}

static rci_id residual(struct maker *m, rci_id x, bool any)
{
    const int64_t in = channels(m, x), stride = 1 + rci_rng_below(&m->rng, 2);
    const int64_t out = stride == 1 ? in : in + 3;
    rci_id y = activation(m, conv_norm(m, x, out, 3, stride), any);
    y = conv_norm(m, y, out, 3, 1);
    if (stride != 1)
        x = conv_norm(m, x, out, 1, stride);
    return activation(m, node(m, "Add", NULL, y, x), any);
}

static rci_id shortcut(struct maker *m, rci_id x)
{
    const int64_t in = channels(m, x);
    const struct rci_build_conv c = {in, in + 5, 3, 2, 1};
    const rci_id y = conv_norm(m, x, in + 5, 3, 2);
    x = rci_build_option_a(&m->b, x, fresh(m), &c);
    return activation(m, node(m, "Add", NULL, y, x), false);
}

static rci_id concat(struct maker *m, rci_id x)
{
    const struct rci_concat_attrs a = {1};
    const rci_id y = activation(m, conv_norm(m, x, 6, 1, 1), false);
    const rci_id z = conv_norm(m, x, 9, 3, 1);
    return node(m, "Concat", &a, y, z);
}

static rci_id depthwise(struct maker *m, rci_id x)
{
    const int64_t c = channels(m, x);
    const struct rci_conv_attrs a = {
        .window = {.kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}, .pads = {1, 1, 1, 1}},
        .group = c};
    const struct rci_shape s = RC_SHAPE(c, 1, 3, 3);
    struct rci_tensor w;
    rci_id id;
    OK(rci_tensor_new(&w, m->b.g->ctx, RC_F32, &s));
    fill_random(w.data, c * 9, m->count);
    OK(rci_graph_add_const(m->b.g, &id, fresh(m), &w));
    rci_tensor_free(&w);
    x = node(m, "Conv", &a, x, id);
    return activation(m, rci_build_norm(&m->b, x, fresh(m), c), false);
}

static rci_id gate(struct maker *m, rci_id x)
{
    const int64_t c = channels(m, x);
    const struct rci_build_conv down = {c, 4, 1, 1, 0}, up = {4, c, 1, 1, 0};
    rci_id s = node(m, "GlobalAveragePool", NULL, x, RC_NONE);
    s = activation(m, rci_build_conv(&m->b, s, fresh(m), &down), false);
    s = rci_build_conv(&m->b, s, fresh(m), &up);
    return node(m, "Mul", NULL, x, node(m, "Sigmoid", NULL, s, RC_NONE));
}

static rci_id pool(struct maker *m, rci_id x)
{
    const struct rci_pool_attrs a = {
        .window = {.kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}, .pads = {1, 1, 1, 1}}};
    return node(m, rci_rng_below(&m->rng, 2) ? "MaxPool" : "AveragePool", &a, x, RC_NONE);
}

static rci_id random_block(struct maker *m, rci_id x, uint32_t kinds)
{
    uint32_t kind;
    do
        kind = 1u << rci_rng_below(&m->rng, 7);
    while (!(kind & kinds) || kind == NET_ACTIVATIONS);
    switch (kind) {
    case NET_RESIDUAL:
        return residual(m, x, kinds & NET_ACTIVATIONS);
    case NET_CONCAT:
        return concat(m, x);
    case NET_DEPTHWISE:
        return depthwise(m, x);
    case NET_GATE:
        return gate(m, x);
    case NET_POOL:
        return pool(m, x);
    default:
        return shortcut(m, x);
    }
}

struct rc_graph *net_random(struct rc_context *c, uint64_t seed, uint32_t kinds)
{
    struct maker m = {.b = {.seed = seed}, .rng = rci_rng_make(seed, 5, 5)};
    const struct rci_shape s = RC_SHAPE(1, 3, 13, 11);
    const struct rci_axis_attrs flat = {1};
    rci_id x;
    OK(rci_graph_new(&m.b.g, c));
    struct rc_graph *g = m.b.g;
    g->dynamic_batch = true;
    OK(rci_graph_add_input(g, &x, "input", RC_F32, &s));
    x = activation(&m, conv_norm(&m, x, 5 + rci_rng_below(&m.rng, 14), 3, 1), false);
    for (int i = 0; i < 5; i++)
        x = random_block(&m, x, kinds);
    const int64_t features = channels(&m, x);
    x = node(&m, "GlobalAveragePool", NULL, x, RC_NONE);
    x = node(&m, "Flatten", &flat, x, RC_NONE);
    x = rci_build_linear(&m.b, x, "fc", features, 5);
    OK(m.b.st);
    OK(rci_graph_rename_value(g, x, "logits"));
    OK(rci_graph_set_outputs(g, &x, 1));
    OK(rci_graph_infer(g));
    OK(rci_graph_verify(g));
    net_randomize(g, seed);
    return g;
}

struct rc_graph *net_zoo(struct rc_context *c, const char *name, double multiplier)
{
    struct rc_graph *g;
    const struct rci_zoo_options o = {.multiplier = multiplier, .seed = 3};
    OK(rci_zoo_new(&g, c, name, &o));
    net_randomize(g, 9);
    return g;
}

double relative_error(const float *a, const float *b, int64_t n)
{
    double worst = 0, largest = 1e-30;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double) a[i] - b[i]);
        worst = d > worst || isnan(d) ? d : worst;
        largest = fabs((double) b[i]) > largest ? fabs((double) b[i]) : largest;
    }
    return worst / largest;
}

void run_reference(const struct rc_graph *g, int64_t n, const float *x, float *y)
{
    struct rc_session *s;
    const struct rci_session_config o = {
        .batch = n, .part = n, .flags = RC_SESSION_NO_PASSES | RC_SESSION_REFERENCE_OPS};
    OK(rci_session_new(&s, g, &o));
    OK(rci_session_run(s, n, (const void *const[]){x}, (void *const[]){y}));
    rci_session_free(s);
}
