/* Small networks, one per way that channels travel. */
#include "opnets.h"

#include "op/attrs.h"
#include "op/layers.h"

#include "base/rng.h"

static rci_id constant(struct opnet *n, struct rci_shape s, float lo, float hi)
{
    struct rci_tensor t;
    char name[16];
    rci_id id;
    OK(rci_tensor_new(&t, n->ctx, RC_F32, &s));
    struct rci_rng r = rci_rng_make(3, 4, n->seed++);
    for (int64_t i = 0, k = rci_shape_count(&s); i < k; i++)
        ((float *) t.data)[i] = lo + (hi - lo) * (float) rci_rng_uniform(&r);
    snprintf(name, sizeof(name), "c%u", n->seed);
    OK(rci_graph_add_const(n->g, &id, name, &t));
    rci_tensor_free(&t);
    return id;
}

static rci_id node(struct opnet *n, const char *op, const void *attrs, const rci_id *in,
                   uint32_t n_in, uint32_t n_out)
{
    char name[32];
    rci_id id;
    const struct rci_op *o = rci_op_find(NULL, op);
    assert_non_null(o);
    snprintf(name, sizeof(name), "n%u", n->g->n_nodes);
    OK(rci_graph_add_node(n->g, &id, o, name, attrs, in, n_in, NULL, n_out));
    return id;
}

static rci_id first_of(const struct opnet *n, rci_id id)
{
    return n->g->nodes[id].out[0];
}

/* Put `op` behind the value reached so far. */
static rci_id then(struct opnet *n, const char *op, const void *attrs)
{
    n->at = first_of(n, node(n, op, attrs, &n->at, 1, 1));
    return n->at;
}

static rci_id binary(struct opnet *n, const char *op, rci_id a, rci_id b)
{
    return n->at = first_of(n, node(n, op, NULL, (rci_id[]){a, b}, 2, 1));
}

static rci_id conv(struct opnet *n, rci_id x, int64_t from, int64_t to)
{
    const rci_id w = constant(n, RC_SHAPE(to, from, 1, 1), -1, 1);
    const rci_id b = constant(n, RC_SHAPE(to), -1, 1);
    struct rci_conv_attrs a = {0};
    if (n->w1 == RC_NONE)
        n->w1 = w;
    return n->at = first_of(n, node(n, "Conv", &a, (rci_id[]){x, w, b}, 3, 1));
}

static void gemm(struct opnet *n, int64_t from)
{
    const struct rci_gemm_attrs a = RC_GEMM_ATTRS_INIT;
    const rci_id w = constant(n, RC_SHAPE(5, from), -1, 1);
    n->at = first_of(n, node(n, "Gemm", &a, (rci_id[]){n->at, w}, 2, 1));
}

/* --- what lies between: from [2,8,4,4], each ends in a layer of its own --- */

static void through_maps(struct opnet *n)
{
    const struct rci_clip_attrs clip = {.lo = 0.25, .hi = 6, .n_bounds = 2};
    const struct rci_leaky_attrs leaky = {0.1f};
    const struct rci_hardsigmoid_attrs hard = {0.2f, 0.5f};
    const struct rci_dropout_attrs drop = {.ratio = 0.5f};
    const struct rci_cast_attrs cast = {RC_F32};
    then(n, "LeakyRelu", &leaky);
    then(n, "Clip", &clip);
    then(n, "HardSwish", NULL);
    then(n, "Sigmoid", NULL);
    then(n, "HardSigmoid", &hard);
    then(n, "Identity", NULL);
    then(n, "Dropout", &drop);
    then(n, "Cast", &cast);
    conv(n, n->at, 8, 3);
}

static void through_a_gate(struct opnet *n)
{
    const struct rci_reduce_attrs mean = {.axes = {2, 3}, .n = 2, .keepdims = 1};
    const rci_id x = n->at;
    then(n, "ReduceMean", &mean);
    conv(n, n->at, 8, 4);
    then(n, "Sigmoid", NULL);
    conv(n, n->at, 4, 8);
    then(n, "Sigmoid", NULL);
    binary(n, "Mul", x, n->at);
    conv(n, n->at, 8, 3);
}

static void through_constants(struct opnet *n)
{
    binary(n, "Sub", n->at, constant(n, RC_SHAPE(8, 1, 1), -1, 1));
    binary(n, "Div", n->at, constant(n, RC_SHAPE(1, 8, 1, 1), 1, 2));
    binary(n, "Mul", constant(n, RC_SHAPE(1), 1, 2), n->at);
    conv(n, n->at, 8, 3);
}

static void through_flatten(struct opnet *n)
{
    const struct rci_axis_attrs one = {1};
    then(n, "Flatten", &one);
    gemm(n, 8 * 16);
}

static void through_reshape_to_rows(struct opnet *n)
{
    const struct rci_reshape_attrs a = {.dims = {2, 128}, .rank = 2, .bound = 1};
    then(n, "Reshape", &a);
    gemm(n, 8 * 16);
}

static void through_reshape_and_back(struct opnet *n)
{
    const struct rci_reshape_attrs a = {.dims = {0, 8, -1}, .rank = 3, .bound = 1};
    const struct rci_reshape_attrs b = {.dims = {0, 8, 4, 4}, .rank = 4, .bound = 1};
    then(n, "Reshape", &a);
    then(n, "Reshape", &b);
    conv(n, n->at, 8, 3);
}

static void through_reshape_that_splits(struct opnet *n)
{
    const struct rci_reshape_attrs a = {.dims = {0, 4, 2, 16}, .rank = 4, .bound = 1};
    const struct rci_reshape_attrs b = {.dims = {2, 8, 4, 4}, .rank = 4, .bound = 1};
    then(n, "Reshape", &a);
    then(n, "Reshape", &b);
    conv(n, n->at, 8, 3);
}

static void through_transposes(struct opnet *n)
{
    const struct rci_transpose_attrs a = {.perm = {0, 2, 3, 1}, .n = 4};
    const struct rci_transpose_attrs b = {.perm = {0, 3, 1, 2}, .n = 4};
    then(n, "Transpose", &a);
    then(n, "Transpose", &b);
    conv(n, n->at, 8, 3);
}

static void through_slice(struct opnet *n)
{
    const struct rci_slice_attrs a = {.starts = {2, 0},
                                      .ends = {7, INT64_MAX},
                                      .axes = {1, 2},
                                      .steps = {1, 2},
                                      .n = 2,
                                      .bound = 1};
    then(n, "Slice", &a);
    conv(n, n->at, 5, 3);
}

static void through_reverse(struct opnet *n)
{
    const struct rci_slice_attrs a = {
        .starts = {-1}, .ends = {INT64_MIN}, .axes = {1}, .steps = {-1}, .n = 1, .bound = 1};
    then(n, "Slice", &a);
    conv(n, n->at, 8, 3);
}

static void through_pad(struct opnet *n)
{
    const struct rci_pad_attrs a = {.begin = {0, 2, 1, 0}, .end = {0, 3, 0, 1}, .n = 4, .bound = 1};
    then(n, "Pad", &a);
    conv(n, n->at, 13, 3);
}

static void through_split_and_concat(struct opnet *n)
{
    const struct rci_split_attrs s = {.axis = 1, .sizes = {3, 5}, .n = 2};
    const struct rci_concat_attrs c = {1};
    const rci_id id = node(n, "Split", &s, &n->at, 1, 2);
    const rci_id a = n->g->nodes[id].out[0], b = n->g->nodes[id].out[1];
    n->at = first_of(n, node(n, "Concat", &c, (rci_id[]){b, a}, 2, 1));
    conv(n, n->at, 8, 3);
}

static void through_equal_split(struct opnet *n)
{
    const struct rci_split_attrs s = {.axis = 1};
    const rci_id id = node(n, "Split", &s, &n->at, 1, 2);
    binary(n, "Mul", n->g->nodes[id].out[0], n->g->nodes[id].out[1]);
    conv(n, n->at, 4, 3);
}

static void through_squeeze_and_unsqueeze(struct opnet *n)
{
    const struct rci_reduce_attrs mean = {.axes = {2, 3}, .n = 2, .keepdims = 1};
    const struct rci_axes_attrs drop = {.axes = {2, 3}, .n = 2}, back = {.axes = {-1, -2}, .n = 2};
    then(n, "ReduceMean", &mean);
    then(n, "Squeeze", &drop);
    then(n, "Unsqueeze", &back);
    conv(n, n->at, 8, 3);
}

static void through_expand(struct opnet *n)
{
    const struct rci_reduce_attrs mean = {.axes = {2, 3}, .n = 2, .keepdims = 1};
    const struct rci_expand_attrs a = {.dims = {8, 4, 4}, .rank = 3, .bound = 1};
    then(n, "ReduceMean", &mean);
    then(n, "Expand", &a);
    conv(n, n->at, 8, 3);
}

static void through_gather_of_rows(struct opnet *n)
{
    const struct rci_axis_attrs two = {2};
    const struct rci_tensor pick = {RC_I64, RC_SHAPE(2), (int64_t[]){3, 0}};
    rci_id index;
    OK(rci_graph_add_const(n->g, &index, "index", &pick));
    n->at = first_of(n, node(n, "Gather", &two, (rci_id[]){n->at, index}, 2, 1));
    conv(n, n->at, 8, 3);
}

static void through_softmax_over_rows(struct opnet *n)
{
    const struct rci_softmax_attrs a = {.axis = 2};
    then(n, "Softmax", &a);
    conv(n, n->at, 8, 3);
}

static void through_quantization(struct opnet *n)
{
    const struct rci_quantize_attrs one = {.axis = 1};
    const rci_id s = constant(n, RC_SHAPE(8), 0.01f, 0.02f);
    n->at = first_of(n, node(n, "QuantizeLinear", &one, (rci_id[]){n->at, s}, 2, 1));
    n->at = first_of(n, node(n, "DequantizeLinear", &one, (rci_id[]){n->at, s}, 2, 1));
    conv(n, n->at, 8, 3);
}

static void through_instance_norm(struct opnet *n)
{
    const struct rci_rownorm_attrs a = {.epsilon = 1e-3f};
    const rci_id s = constant(n, RC_SHAPE(8), 1, 2), b = constant(n, RC_SHAPE(8), -1, 1);
    n->at = first_of(n, node(n, "InstanceNormalization", &a, (rci_id[]){n->at, s, b}, 3, 1));
    conv(n, n->at, 8, 3);
}

/* Groups of one channel: with more a whole group goes at once. */
static void through_group_norm(struct opnet *n)
{
    const struct rci_rownorm_attrs a = {.groups = 8, .epsilon = 1e-3f};
    const rci_id s = constant(n, RC_SHAPE(8), 1, 2), b = constant(n, RC_SHAPE(8), -1, 1);
    n->at = first_of(n, node(n, "GroupNormalization", &a, (rci_id[]){n->at, s, b}, 3, 1));
    conv(n, n->at, 8, 3);
}

/* What torch writes of GroupNorm(4, 8): whole groups of two channels. */
static void through_group_norm_as_exported(struct opnet *n)
{
    const struct rci_reshape_attrs rows = {.dims = {0, 4, -1}, .rank = 3, .bound = 1};
    const struct rci_reshape_attrs back = {.dims = {0, 8, 4, 4}, .rank = 4, .bound = 1};
    const struct rci_rownorm_attrs a = {.epsilon = 1e-3f};
    const rci_id s = constant(n, RC_SHAPE(4), 1, 1), b = constant(n, RC_SHAPE(4), 0, 0);
    then(n, "Reshape", &rows);
    n->at = first_of(n, node(n, "InstanceNormalization", &a, (rci_id[]){n->at, s, b}, 3, 1));
    then(n, "Reshape", &back);
    binary(n, "Mul", n->at, constant(n, RC_SHAPE(8, 1, 1), 1, 2));
    binary(n, "Add", n->at, constant(n, RC_SHAPE(8, 1, 1), -1, 1));
    conv(n, n->at, 8, 3);
}

static void through_layer_norm_of_pixels(struct opnet *n)
{
    const struct rci_rownorm_attrs a = {.axis = 2, .epsilon = 1e-3f};
    const rci_id s = constant(n, RC_SHAPE(4, 4), 1, 2), b = constant(n, RC_SHAPE(4, 4), -1, 1);
    n->at = first_of(n, node(n, "LayerNormalization", &a, (rci_id[]){n->at, s, b}, 3, 1));
    conv(n, n->at, 8, 3);
}

static void through_slopes(struct opnet *n)
{
    binary(n, "PRelu", n->at, constant(n, RC_SHAPE(8, 1, 1), 0.1f, 0.5f));
    binary(n, "PRelu", n->at, constant(n, RC_SHAPE(8), 0.1f, 0.5f));
    binary(n, "Max", n->at, constant(n, RC_SHAPE(8, 1, 1), -1, 0));
    then(n, "Mish", NULL);
    then(n, "Tanh", NULL);
    conv(n, n->at, 8, 3);
}

static void through_resize(struct opnet *n)
{
    const struct rci_resize_attrs a = {
        .scales = {1, 1, 2, 2}, .n = 4, .bound = 1, .mode = RC_RESIZE_LINEAR};
    const struct rci_resize_attrs b = {.sizes = {2, 8, 3, 5}, .n = 4, .by_size = 1, .bound = 1};
    then(n, "Resize", &a);
    then(n, "Resize", &b);
    conv(n, n->at, 8, 3);
}

static void through_deconvolution(struct opnet *n)
{
    const struct rci_deconv_attrs a = {.window = {.stride = {2, 2}}};
    const rci_id w = constant(n, RC_SHAPE(8, 3, 2, 2), -1, 1);
    n->at = first_of(n, node(n, "ConvTranspose", &a, (rci_id[]){n->at, w}, 2, 1));
}

static void through_other_pools(struct opnet *n)
{
    const struct rci_lppool_attrs a = {{.window = {.kernel = {2, 2}}}, 2};
    const struct rci_reduce_attrs most = {.axes = {2, 3}, .n = 2, .keepdims = 1};
    const struct rci_tile_attrs wide = {.repeats = {1, 1, 2, 1}, .n = 4, .bound = 1};
    then(n, "LpPool", &a);
    then(n, "Tile", &wide);
    const rci_id x = n->at;
    then(n, "ReduceMax", &most);
    const rci_id y = n->at;
    n->at = x;
    then(n, "GlobalMaxPool", NULL);
    binary(n, "Add", n->at, y);
    conv(n, n->at, 8, 3);
}

const struct opnet_case opnet_cases[] = {
    {"through_maps", through_maps, false},
    {"through_a_gate", through_a_gate, true},
    {"through_constants", through_constants, true},
    {"through_flatten", through_flatten, true},
    {"through_reshape_to_rows", through_reshape_to_rows, true},
    {"through_reshape_and_back", through_reshape_and_back, true},
    {"through_reshape_that_splits", through_reshape_that_splits, true},
    {"through_transposes", through_transposes, true},
    {"through_slice", through_slice, true},
    {"through_reverse", through_reverse, true},
    {"through_pad", through_pad, true},
    {"through_split_and_concat", through_split_and_concat, true},
    {"through_equal_split", through_equal_split, true},
    {"through_squeeze_and_unsqueeze", through_squeeze_and_unsqueeze, true},
    {"through_expand", through_expand, true},
    {"through_gather_of_rows", through_gather_of_rows, true},
    {"through_softmax_over_rows", through_softmax_over_rows, true},
    {"through_quantization", through_quantization, false},
    {"through_instance_norm", through_instance_norm, true},
    {"through_group_norm", through_group_norm, true},
    {"through_group_norm_as_exported", through_group_norm_as_exported, true},
    {"through_layer_norm_of_pixels", through_layer_norm_of_pixels, true},
    {"through_slopes", through_slopes, false},
    {"through_resize", through_resize, true},
    {"through_deconvolution", through_deconvolution, true},
    {"through_other_pools", through_other_pools, false},
};
const uint32_t opnet_count = sizeof(opnet_cases) / sizeof(opnet_cases[0]);

void opnet_open(struct opnet *n, const struct opnet_case *c)
{
    const struct rci_shape s = RC_SHAPE(2, 3, 4, 4);
    *n = (struct opnet){.ctx = test_context(), .w1 = RC_NONE};
    OK(rci_graph_new(&n->g, n->ctx));
    n->g->opset = 13;
    n->g->batch = 2;
    OK(rci_graph_add_input(n->g, &n->x, "x", RC_F32, &s));
    conv(n, n->x, 3, 8);
    c->between(n);
    OK(rci_graph_set_outputs(n->g, &n->at, 1));
    OK(rci_graph_infer(n->g));
    OK(rci_graph_verify(n->g));
}

void opnet_close(struct opnet *n)
{
    rci_graph_free(n->g);
    test_context_done(n->ctx);
}

struct rci_tensor opnet_input(const struct opnet *n)
{
    struct rci_tensor x;
    struct rci_rng r = rci_rng_make(8, 8, 8);
    OK(rci_tensor_new(&x, n->ctx, RC_F32, &n->g->values[n->x].tensor.shape));
    for (int64_t i = 0, k = rci_shape_count(&x.shape); i < k; i++)
        ((float *) x.data)[i] = (float) rci_rng_normal(&r);
    return x;
}

void opnet_add(struct opnet *n, const char *op, const void *attrs, const rci_id *in, uint32_t n_in)
{
    n->at = first_of(n, node(n, op, attrs, in, n_in, 1));
}

void opnet_conv(struct opnet *n, int64_t from, int64_t to)
{
    conv(n, n->at, from, to);
}
