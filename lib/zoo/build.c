/* Weights: convolutions N(0, 2 / (out k k)) (Kaiming, fan out), linear layers uniform within
 * +-1/sqrt(in), BatchNormalization the identity. */
#include "zoo/build.h"

#include "base/rng.h"
#include "op/attrs.h"
#include "op/layers.h"

#include <math.h>

/* The first failure stays. */
static void note(struct rci_build *b, rc_status st)
{
    if (b->st == RC_OK)
        b->st = st;
}

typedef void fill_fn(float *w, int64_t n, double scale, struct rci_rng *rng);

static void fill_normal(float *w, int64_t n, double scale, struct rci_rng *rng)
{
    for (int64_t i = 0; i < n; i++)
        w[i] = (float) (scale * rci_rng_normal(rng));
}

static void fill_uniform(float *w, int64_t n, double scale, struct rci_rng *rng)
{
    for (int64_t i = 0; i < n; i++)
        w[i] = (float) (scale * (2 * rci_rng_uniform(rng) - 1));
}

static void fill_value(float *w, int64_t n, double scale, struct rci_rng *rng)
{
    (void) rng;
    for (int64_t i = 0; i < n; i++)
        w[i] = (float) scale;
}

/* A constant "name.what". Each has a random stream of its own, by its number: a layer that is added
 * at the end changes none before it. */
static rci_id weights(struct rci_build *b, const char *name, const char *what,
                      const struct rci_shape *shape, fill_fn *fill, double scale)
{
    struct rci_tensor t;
    rci_id id = RC_NONE;
    if (b->st != RC_OK)
        return RC_NONE;
    note(b, rci_tensor_new(&t, b->g->ctx, RC_F32, shape));
    if (b->st != RC_OK)
        return RC_NONE;
    struct rci_rng rng = rci_rng_make(b->seed, b->layer++, 0);
    fill(t.data, rci_shape_count(shape), scale, &rng);
    char *full = rci_format(b->g->ctx, "%s.%s", name, what);
    note(b, full ? rci_graph_add_const(b->g, &id, full, &t) : RC_ERR_MEMORY);
    rci_release(full);
    rci_tensor_free(&t);
    return id;
}

rci_id rci_build_node(struct rci_build *b, const char *op, const char *name, const void *attrs,
                      const rci_id *in, uint32_t n_in)
{
    rci_id node;
    if (b->st != RC_OK)
        return RC_NONE;
    const struct rci_op *o = rci_op_find(NULL, op);
    if (!o) {
        b->st = rci_fail(RC_ERR_UNSUPPORTED, "this build has no operator %s", op);
        return RC_NONE;
    }
    b->st = rci_graph_add_node(b->g, &node, o, name, attrs, in, n_in, NULL, 1);
    return b->st == RC_OK ? b->g->nodes[node].out[0] : RC_NONE;
}

rci_id rci_build_conv(struct rci_build *b, rci_id x, const char *name,
                      const struct rci_build_conv *c)
{
    const struct rci_conv_attrs attrs = {.window = {.kernel = {c->kernel, c->kernel},
                                                    .stride = {c->stride, c->stride},
                                                    .dilation = {1, 1},
                                                    .pads = {c->pad, c->pad, c->pad, c->pad}},
                                         .group = 1};
    const struct rci_shape shape = RC_SHAPE(c->out, c->in, c->kernel, c->kernel);
    const double deviation = sqrt(2.0 / ((double) c->out * (double) (c->kernel * c->kernel)));
    const rci_id in[2] = {x, weights(b, name, "weight", &shape, fill_normal, deviation)};
    return rci_build_node(b, "Conv", name, &attrs, in, 2);
}

rci_id rci_build_norm(struct rci_build *b, rci_id x, const char *name, int64_t channels)
{
    const struct rci_norm_attrs attrs = RC_NORM_ATTRS_INIT;
    const struct rci_shape shape = RC_SHAPE(channels);
    /* scale 1, shift 0, mean 0, variance 1 */
    const rci_id in[5] = {x, weights(b, name, "weight", &shape, fill_value, 1),
                          weights(b, name, "bias", &shape, fill_value, 0),
                          weights(b, name, "running_mean", &shape, fill_value, 0),
                          weights(b, name, "running_var", &shape, fill_value, 1)};
    return rci_build_node(b, "BatchNormalization", name, &attrs, in, 5);
}

rci_id rci_build_linear(struct rci_build *b, rci_id x, const char *name, int64_t in, int64_t out)
{
    const struct rci_gemm_attrs attrs = RC_GEMM_ATTRS_INIT;
    const struct rci_shape w = RC_SHAPE(out, in), bias = RC_SHAPE(out);
    const double bound = 1 / sqrt((double) in);
    const rci_id operands[3] = {x, weights(b, name, "weight", &w, fill_uniform, bound),
                                weights(b, name, "bias", &bias, fill_uniform, bound)};
    return rci_build_node(b, "Gemm", name, &attrs, operands, 3);
}

rci_id rci_build_option_a(struct rci_build *b, rci_id x, const char *name,
                          const struct rci_build_conv *c)
{
    if (c->stride > 1) {
        const struct rci_slice_attrs slice = {.starts = {0, 0},
                                              .ends = {INT64_MAX, INT64_MAX},
                                              .axes = {2, 3},
                                              .steps = {c->stride, c->stride},
                                              .n = 2,
                                              .bound = 1};
        x = rci_build_node(b, "Slice", NULL, &slice, &x, 1);
    }
    /* new channels are zeros (option A of He et al.), as many before as behind */
    const int64_t before = (c->out - c->in) / 2, after = c->out - c->in - before;
    const struct rci_pad_attrs pad = {
        .begin = {0, before, 0, 0}, .end = {0, after, 0, 0}, .n = 4, .bound = 1};
    return c->out > c->in ? rci_build_node(b, "Pad", name, &pad, &x, 1) : x;
}
