/* Every operator written in every opset it exists in: what is read back computes the same bits,
 * and ONNX's own checker accepts the files (opsets that Debian's python3-onnx knows). */
#include "eval.h"
#include "files.h"
#include "opcheck.h"

#include "io/onnx.h"
#include "op/attrs.h"
#include "op/layers.h"

#include <math.h>

struct item {
    const char *op;
    const void *attrs;
    struct rci_shape x;
    uint32_t n_out;
    int64_t first, last; /* opsets */
    enum rci_dtype type; /* of x; 0: f32 */
};

static const struct rci_clip_attrs clip_both = {.lo = -0.5, .hi = 0.25, .n_bounds = 2};
static const struct rci_clip_attrs clip_hi = {.lo = -INFINITY, .hi = 0.25, .n_bounds = 2};
static const struct rci_leaky_attrs leaky = {0.3f};
static const struct rci_hardsigmoid_attrs hard = {0.3f, 0.4f};
static const struct rci_dropout_attrs drop = {.ratio = 0.25f};
static const struct rci_dropout_attrs drop_old = {.ratio = 0.25f, .float_mask = 1};
static const struct rci_axis_attrs axis_two = {2};
static const struct rci_softmax_attrs softmax_flat = {.axis = 1, .flat = 1};
static const struct rci_softmax_attrs softmax_one = {.axis = 1};
static const struct rci_cast_attrs to_i64 = {RC_I64}, to_f32 = {RC_F32};
static const struct rci_axes_attrs axes_23 = {.axes = {2, 3}, .n = 2};
static const struct rci_reduce_attrs mean_23 = {.axes = {2, 3}, .n = 2, .keepdims = 1};
static const struct rci_reduce_attrs mean_all = {.keepdims = 0};
static const struct rci_reduce_attrs mean_none = {.keepdims = 1, .noop = 1};
static const struct rci_reshape_attrs rows = {.dims = {0, -1}, .rank = 2, .bound = 1};
static const struct rci_reshape_attrs rows_strict = {
    .dims = {2, -1}, .rank = 2, .bound = 1, .allowzero = 1};
static const struct rci_expand_attrs wide = {.dims = {5, 1, 1, 1, 1}, .rank = 5, .bound = 1};
static const struct rci_transpose_attrs nhwc = {.perm = {0, 2, 3, 1}, .n = 4};
static const struct rci_shape_attrs part = {.start = 1, .end = 3, .has_end = 1};
static const struct rci_split_attrs split_sizes = {.axis = 1, .sizes = {1, 2}, .n = 2};
static const struct rci_split_attrs split_equal = {.axis = 2};
static const struct rci_split_attrs split_uneven = {.axis = 1, .uneven = 1};
static const struct rci_pad_attrs pad_all = {
    .begin = {0, 1, 0, 2}, .end = {0, 0, 1, 0}, .n = 4, .value = 1.5, .bound = 1};
static const struct rci_pad_attrs pad_edge = {
    .begin = {0, 0, 1, 0}, .end = {0, 0, 1, 0}, .n = 4, .mode = RC_PAD_EDGE, .bound = 1};
static const struct rci_pad_attrs pad_axes = {
    .axes = {-1, 1}, .begin = {1, 2}, .end = {0, 1}, .n = 2, .n_axes = 2, .bound = 1};
static const struct rci_slice_attrs slice = {
    .starts = {1, 0}, .ends = {3, INT64_MAX}, .axes = {1, 3}, .steps = {1, 1}, .n = 2, .bound = 1};
static const struct rci_slice_attrs slice_back = {
    .starts = {-1}, .ends = {INT64_MIN}, .axes = {2}, .steps = {-2}, .n = 1, .bound = 1};
static const struct rci_quantize_attrs per_axis = {.axis = 1};

static const struct rci_elu_attrs elu = {0.5f, 1}, selu = {1.5f, 1.25f};
static const struct rci_gelu_attrs by_tanh = {1};
static const struct rci_arg_attrs arg = {.axis = 1, .keepdims = 1},
                                  arg_last = {.axis = 2, .last = 1};
static const struct rci_arg_attrs top = {.axis = 1, .k = 2, .bound = 1};
static const struct rci_arg_attrs low = {.axis = 3, .k = 3, .bound = 1, .smallest = 1};
static const struct rci_tile_attrs tile = {.repeats = {1, 2, 1, 3}, .n = 4, .bound = 1};
static const struct rci_rownorm_attrs layer = {.axis = 1, .epsilon = 1e-3f};
static const struct rci_rownorm_attrs groups_18 = {.groups = 3, .epsilon = 1e-3f, .per_group = 1};
static const struct rci_rownorm_attrs groups_21 = {.groups = 1, .epsilon = 1e-3f};
static const struct rci_lrn_attrs lrn = {0.1f, 0.5f, 2, 3};
static const struct rci_lppool_attrs lp = {{.window = {.kernel = {2, 3}}}, 3};
static const struct rci_globallp_attrs lp_all = {3};
static const struct rci_deconv_attrs deconv = {.window = {.stride = {2, 2}, .pads = {1, 1, 0, 0}},
                                               .output_padding = {1, 0}};
static const struct rci_deconv_attrs deconv_to = {.window = {.stride = {2, 2}}, .output = {8, 7}};
#define RESIZE_OLD .n = 4, .bound = 1, .from = RC_RESIZE_ASYMMETRIC, .nearest = RC_RESIZE_FLOOR
static const struct rci_resize_attrs twice = {.scales = {1, 1, 2, 1.5}, RESIZE_OLD};
static const struct rci_resize_attrs smooth = {
    .scales = {1, 1, 2, 1.5}, RESIZE_OLD, .mode = RC_RESIZE_LINEAR};
static const struct rci_resize_attrs sized = {.sizes = {2, 3, 7, 5},
                                              .n = 4,
                                              .bound = 1,
                                              .by_size = 1,
                                              .mode = RC_RESIZE_CUBIC,
                                              .cubic = -0.5f,
                                              .exclude_outside = 1};
static const struct rci_resize_attrs some_axes = {.sizes = {7, 5},
                                                  .axes = {2, 3},
                                                  .n = 2,
                                                  .n_axes = 2,
                                                  .bound = 1,
                                                  .by_size = 1,
                                                  .keep_aspect = 1};

static const struct rci_resize_attrs symmetric = {
    .scales = {1, 1, 2, 1.5}, .n = 4, .bound = 1, .from = RC_RESIZE_HALF_PIXEL_SYMMETRIC};

#define IMAGE          \
    {                  \
        4,             \
        {              \
            2, 3, 4, 4 \
        }              \
    }
#define POINT          \
    {                  \
        4,             \
        {              \
            2, 3, 1, 1 \
        }              \
    }
static const struct item items[] = {
    {"Identity", NULL, IMAGE, 1, 7, 21, 0},
    {"Clip", &clip_both, IMAGE, 1, 7, 21, 0},
    {"Clip", &clip_hi, IMAGE, 1, 7, 21, 0},
    {"LeakyRelu", &leaky, IMAGE, 1, 7, 21, 0},
    {"Sigmoid", NULL, IMAGE, 1, 7, 21, 0},
    {"HardSigmoid", &hard, IMAGE, 1, 7, 21, 0},
    {"HardSwish", NULL, IMAGE, 1, 14, 21, 0},
    {"Elu", &elu, IMAGE, 1, 7, 21, 0},
    {"Celu", &elu, IMAGE, 1, 12, 21, 0},
    {"Selu", &selu, IMAGE, 1, 7, 21, 0},
    {"ThresholdedRelu", &elu, IMAGE, 1, 10, 21, 0},
    {"Gelu", &by_tanh, IMAGE, 1, 20, 21, 0},
    {"Mish", NULL, IMAGE, 1, 18, 21, 0},
    {"Softplus", NULL, IMAGE, 1, 7, 21, 0},
    {"Erf", NULL, IMAGE, 1, 9, 21, 0},
    {"ArgMax", &arg, IMAGE, 1, 7, 21, 0},
    {"ArgMin", &arg_last, IMAGE, 1, 12, 21, 0},
    {"TopK", &top, IMAGE, 2, 7, 21, 0},
    {"TopK", &low, IMAGE, 2, 11, 21, 0},
    {"Tile", &tile, IMAGE, 1, 7, 21, 0},
    {"LRN", &lrn, IMAGE, 1, 7, 21, 0},
    {"LpPool", &lp, IMAGE, 1, 7, 21, 0},
    {"GlobalMaxPool", NULL, IMAGE, 1, 7, 21, 0},
    {"GlobalLpPool", &lp_all, IMAGE, 1, 7, 21, 0},
    {"InstanceNormalization", &layer, IMAGE, 1, 7, 21, 0},
    {"GroupNormalization", &groups_18, IMAGE, 1, 18, 20, 0},
    {"GroupNormalization", &groups_21, IMAGE, 1, 21, 21, 0},
    {"LayerNormalization", &layer, IMAGE, 1, 17, 21, 0},
    {"ConvTranspose", &deconv, IMAGE, 1, 7, 21, 0},
    {"ConvTranspose", &deconv_to, IMAGE, 1, 7, 21, 0},
    {"PRelu", NULL, IMAGE, 1, 7, 21, 0},
    {"Pow", NULL, IMAGE, 1, 7, 21, 0},
    {"Max", NULL, IMAGE, 1, 8, 21, 0},
    {"Less", NULL, IMAGE, 1, 9, 21, 0},
    {"Upsample", &twice, IMAGE, 1, 7, 9, 0},
    {"Upsample", &smooth, IMAGE, 1, 7, 9, 0},
    {"Resize", &twice, IMAGE, 1, 10, 21, 0},
    {"Resize", &smooth, IMAGE, 1, 10, 21, 0},
    {"Resize", &sized, IMAGE, 1, 11, 21, 0},
    {"Resize", &some_axes, IMAGE, 1, 18, 21, 0},
    {"LogSoftmax", &softmax_flat, IMAGE, 1, 7, 12, 0},
    {"LogSoftmax", &softmax_one, IMAGE, 1, 13, 21, 0},
    {"ReduceSum", &mean_23, IMAGE, 1, 7, 21, 0},
    {"ReduceMax", &mean_23, IMAGE, 1, 7, 21, 0},
    {"ReduceL2", &mean_all, IMAGE, 1, 7, 21, 0},
    {"Dropout", &drop, IMAGE, 2, 10, 21, 0},
    {"Dropout", &drop_old, IMAGE, 2, 7, 9, 0},
    {"Flatten", &axis_two, IMAGE, 1, 7, 21, 0},
    {"Softmax", &softmax_flat, IMAGE, 1, 7, 12, 0},
    {"Softmax", &softmax_one, IMAGE, 1, 13, 21, 0},
    {"Cast", &to_i64, IMAGE, 1, 7, 21, 0},
    {"Cast", &to_f32, IMAGE, 1, 7, 21, RC_S8},
    {"Squeeze", &axes_23, POINT, 1, 7, 21, 0},
    {"Unsqueeze", &axes_23, IMAGE, 1, 7, 21, 0},
    {"ReduceMean", &mean_23, IMAGE, 1, 7, 21, 0},
    {"ReduceMean", &mean_all, IMAGE, 1, 7, 21, 0},
    {"ReduceMean", &mean_none, IMAGE, 1, 18, 21, 0},
    {"Reshape", &rows, IMAGE, 1, 7, 21, 0},
    {"Reshape", &rows_strict, IMAGE, 1, 14, 21, 0},
    {"Expand", &wide, POINT, 1, 8, 21, 0},
    {"Transpose", &nhwc, IMAGE, 1, 7, 21, 0},
    {"Transpose", NULL, IMAGE, 1, 7, 21, RC_U8},
    {"Shape", NULL, IMAGE, 1, 7, 21, 0},
    {"Shape", &part, IMAGE, 1, 15, 21, 0},
    {"Split", &split_sizes, IMAGE, 2, 7, 21, 0},
    {"Split", &split_equal, IMAGE, 2, 7, 21, 0},
    {"Split", &split_uneven, IMAGE, 2, 18, 21, 0},
    {"Pad", &pad_all, IMAGE, 1, 7, 21, 0},
    {"Pad", &pad_edge, IMAGE, 1, 7, 21, 0},
    {"Pad", &pad_axes, IMAGE, 1, 18, 21, 0},
    {"Slice", &slice, IMAGE, 1, 7, 21, 0},
    {"Slice", &slice_back, IMAGE, 1, 10, 21, 0},
    {"QuantizeLinear", &per_axis, IMAGE, 1, 13, 21, 0},
    {"DequantizeLinear", &per_axis, IMAGE, 1, 13, 21, RC_S8},
};
enum { ITEMS = sizeof(items) / sizeof(items[0]) };

static rci_id add_const(struct rc_graph *g, const char *name, enum rci_dtype d, int64_t n,
                        void *data)
{
    const struct rci_tensor t = {d, {1, {n}}, data};
    rci_id id;
    OK(rci_graph_add_const(g, &id, name, &t));
    return id;
}

/* What operators with further operands need; returns how many. */
static uint32_t add_operands(struct rc_graph *g, const char *op, rci_id *in)
{
    static float numbers[3 * 2 * 2 * 2] = {0.5f, 2, 1.5f, -1, 3};
    const struct rci_tensor weights = {RC_F32, {4, {3, 2, 2, 2}}, numbers};
    const struct rci_tensor slope = {RC_F32, {3, {3, 1, 1}}, numbers};
    const struct rci_tensor layer_scale = {RC_F32, {1, {48}}, (float[48]){1, 2, 3}};
    if (strstr(op, "InstanceN") || strstr(op, "GroupN")) {
        const int64_t n = 3;
        in[0] = add_const(g, "scale", RC_F32, n, numbers);
        in[1] = add_const(g, "shift", RC_F32, n, numbers + 2);
        return 2;
    }
    const struct rci_tensor *t =
        strstr(op, "LayerN")           ? &layer_scale
        : !strcmp(op, "ConvTranspose") ? &weights
        : !strcmp(op, "PRelu") || !strcmp(op, "Pow") || !strcmp(op, "Max") || !strcmp(op, "Less")
            ? &slope
            : NULL;
    if (!t)
        return 0;
    struct rci_tensor shaped = *t;
    if (t == &layer_scale)
        shaped.shape = (struct rci_shape){3, {3, 4, 4}};
    OK(rci_graph_add_const(g, &in[0], "operand", &shaped));
    return 1;
}

static struct rc_graph *build(struct rc_context *c, const struct item *it, int64_t opset)
{
    struct rc_graph *g;
    rci_id in[3], id;
    uint32_t n_in = 1;
    OK(rci_graph_new(&g, c));
    g->opset = opset;
    g->ir_version = 8;
    g->batch = it->x.dim[0];
    OK(rci_graph_add_input(g, &in[0], "x", it->type ? it->type : RC_F32, &it->x));
    if (strstr(it->op, "quantize") || strstr(it->op, "Quantize")) {
        in[1] = add_const(g, "scale", RC_F32, 3, (float[]){0.01f, 0.02f, 0.03f});
        in[2] = add_const(g, "zero", RC_S8, 3, (int8_t[]){0, -3, 5});
        n_in = 3;
    }
    n_in += add_operands(g, it->op, in + n_in);
    OK(rci_graph_add_node(g, &id, rci_op_find(NULL, it->op), "node", it->attrs, in, n_in, NULL,
                          it->n_out));
    OK(rci_graph_set_outputs(g, g->nodes[id].out, it->n_out));
    OK(rci_graph_infer(g));
    OK(rci_graph_verify(g));
    return g;
}

static struct rci_tensor input_of(struct rc_context *c, const struct rc_graph *g)
{
    struct rci_tensor x;
    const struct rci_tensor *t = &g->values[g->inputs[0]].tensor;
    OK(rci_tensor_new(&x, c, t->dtype, &t->shape));
    for (int64_t i = 0, n = rci_shape_count(&x.shape); i < n; i++) {
        const int v = (int) (i * 37 % 101) - 50;
        if (x.dtype == RC_F32)
            ((float *) x.data)[i] = (float) v / 50;
        else
            ((int8_t *) x.data)[i] = (int8_t) v;
    }
    return x;
}

static void check_item(struct rc_context *c, const struct item *it, int64_t opset,
                       const char *folder)
{
    struct rc_graph *g = build(c, it, opset), *back;
    struct rci_bytes b;
    struct rci_tensor x = input_of(c, g), y[2], z[2];
    char name[64];
    rc_status st = rci_onnx_save_memory(&b, g);
    if (st == RC_OK)
        st = rci_onnx_load_memory(&back, c, b.data, b.size);
    if (st != RC_OK)
        fail_msg("%s, opset %lld: %s", it->op, (long long) opset, rc_last_error());
    snprintf(name, sizeof(name), "%s_%d_%lld.onnx", it->op, (int) (it - items), (long long) opset);
    if (opset <= 17)
        scratch_write(folder, name, b.data, b.size);
    assert_int_equal(back->nodes[0].n_in, g->nodes[0].n_in); /* bound again */
    OK(eval_graph(g, &x, y));
    OK(eval_graph(back, &x, z));
    for (uint32_t k = 0; k < it->n_out; k++) {
        if (y[k].dtype != z[k].dtype || !rci_shape_equal(&y[k].shape, &z[k].shape) ||
            memcmp(y[k].data, z[k].data, rci_tensor_bytes(&y[k])))
            fail_msg("%s, opset %lld: output %u differs", it->op, (long long) opset, k);
        rci_tensor_free(&y[k]);
        rci_tensor_free(&z[k]);
    }
    rci_tensor_free(&x);
    rci_release(b.data);
    rci_graph_free(back);
    rci_graph_free(g);
}

static const char checker[] = "import glob, sys\n"
                              "try:\n"
                              "    import onnx\n"
                              "except ImportError:\n"
                              "    print('python3-onnx is not installed'); sys.exit(0)\n"
                              "bad = 0\n"
                              "for f in sorted(glob.glob(sys.argv[1] + '/*.onnx')):\n"
                              "    try:\n"
                              "        onnx.checker.check_model(onnx.load(f), full_check=True)\n"
                              "    except Exception as e:\n"
                              "        bad += 1; print(f, e)\n"
                              "sys.exit(bad > 0)\n";

static void every_opset_reads_back_what_it_wrote(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    char folder[512];
    snprintf(folder, sizeof(folder), "%s", scratch_folder());
    for (int k = 0; k < ITEMS; k++)
        for (int64_t opset = items[k].first; opset <= items[k].last; opset++)
            check_item(c, &items[k], opset, folder);
    assert_int_equal(scratch_python(checker, folder), 0);
    scratch_remove(folder);
    test_context_done(c);
}

static void what_an_opset_cannot_say_is_refused(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    const struct item slice9 = {"Slice", &slice_back, IMAGE, 1, 9, 9, 0};
    const struct item softmax12 = {"Softmax", &softmax_one, IMAGE, 1, 12, 12, 0};
    struct rci_bytes b;
    struct rc_graph *g = build(c, &slice9, 9);
    REFUSED(rci_onnx_save_memory(&b, g), RC_ERR_UNSUPPORTED,
            "step is -2, must be 1 below opset 10");
    rci_graph_free(g);
    const struct item gelu13 = {"Gelu", &by_tanh, IMAGE, 1, 13, 13, 0};
    const struct item upsample = {"Upsample", &twice, IMAGE, 1, 10, 10, 0};
    g = build(c, &gelu13, 13);
    REFUSED(rci_onnx_save_memory(&b, g), RC_ERR_UNSUPPORTED, "Gelu exists since opset 20");
    rci_graph_free(g);
    g = build(c, &upsample, 10);
    REFUSED(rci_onnx_save_memory(&b, g), RC_ERR_UNSUPPORTED, "Upsample ended with opset 9");
    rci_graph_free(g);
    const struct item later[] = {{"ReduceMean", &mean_none, IMAGE, 1, 17, 17, 0},
                                 {"Resize", &some_axes, IMAGE, 1, 17, 17, 0},
                                 {"Resize", &symmetric, IMAGE, 1, 18, 18, 0},
                                 {"Split", &split_uneven, IMAGE, 2, 17, 17, 0}};
    static const char *const exists[] = {
        "noop_with_empty_axes exists since opset 18", "axes exists since opset 18",
        "half_pixel_symmetric exists since opset 19", "num_outputs that need not divide"};
    for (int k = 0; k < 4; k++) {
        g = build(c, &later[k], later[k].first);
        REFUSED(rci_onnx_save_memory(&b, g), RC_ERR_UNSUPPORTED, exists[k]);
        rci_graph_free(g);
    }
    g = build(c, &softmax12, 12);
    REFUSED(rci_onnx_save_memory(&b, g), RC_ERR_UNSUPPORTED, "cannot be written in opset 12");
    rci_graph_free(g);
    test_context_done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_opset_reads_back_what_it_wrote),
        cmocka_unit_test(what_an_opset_cannot_say_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
