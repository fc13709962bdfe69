/* Axis links and attribute repair of every operator between two layers: cutting channels of the
 * first layer gives what masking them gives. Masking = zeroing every constant's slices that go. */
#include "eval.h"
#include "opcheck.h"

#include "graph/link.h"
#include "op/attrs.h"
#include "op/layers.h"

#include "base/rng.h"

#include <math.h>

struct net {
    struct rc_context *ctx;
    struct rc_graph *g;
    rc_id x, w1; /* input, weights whose outputs are cut */
    rc_id at;    /* value reached so far */
    uint32_t seed;
};

static rc_id constant(struct net *n, struct rc_shape s, float lo, float hi)
{
    struct rc_tensor t;
    char name[16];
    rc_id id;
    OK(rc_tensor_new(&t, n->ctx, RC_F32, &s));
    struct rc_rng r = rc_rng_make(3, 4, n->seed++);
    for (int64_t i = 0, k = rc_shape_count(&s); i < k; i++)
        ((float *) t.data)[i] = lo + (hi - lo) * (float) rc_rng_uniform(&r);
    snprintf(name, sizeof(name), "c%u", n->seed);
    OK(rc_graph_add_const(n->g, &id, name, &t));
    rc_tensor_free(&t);
    return id;
}

static rc_id node(struct net *n, const char *op, const void *attrs, const rc_id *in, uint32_t n_in,
                  uint32_t n_out)
{
    char name[32];
    rc_id id;
    const struct rc_op *o = rc_op_find(NULL, op);
    assert_non_null(o);
    snprintf(name, sizeof(name), "n%u", n->g->n_nodes);
    OK(rc_graph_add_node(n->g, &id, o, name, attrs, in, n_in, NULL, n_out));
    return id;
}

static rc_id first_of(const struct net *n, rc_id id)
{
    return n->g->nodes[id].out[0];
}

/* Put `op` behind the value reached so far. */
static rc_id then(struct net *n, const char *op, const void *attrs)
{
    n->at = first_of(n, node(n, op, attrs, &n->at, 1, 1));
    return n->at;
}

static rc_id binary(struct net *n, const char *op, rc_id a, rc_id b)
{
    return n->at = first_of(n, node(n, op, NULL, (rc_id[]){a, b}, 2, 1));
}

static rc_id conv(struct net *n, rc_id x, int64_t from, int64_t to)
{
    const rc_id w = constant(n, RC_SHAPE(to, from, 1, 1), -1, 1);
    const rc_id b = constant(n, RC_SHAPE(to), -1, 1);
    struct rc_conv_attrs a = {0};
    if (n->w1 == RC_NONE)
        n->w1 = w;
    return n->at = first_of(n, node(n, "Conv", &a, (rc_id[]){x, w, b}, 3, 1));
}

static void gemm(struct net *n, int64_t from)
{
    const struct rc_gemm_attrs a = RC_GEMM_ATTRS_INIT;
    const rc_id w = constant(n, RC_SHAPE(5, from), -1, 1);
    n->at = first_of(n, node(n, "Gemm", &a, (rc_id[]){n->at, w}, 2, 1));
}

/* --- what lies between: from [2,8,4,4], each ends in a layer of its own --- */

static void through_maps(struct net *n)
{
    const struct rc_clip_attrs clip = {.lo = 0.25, .hi = 6, .n_bounds = 2};
    const struct rc_leaky_attrs leaky = {0.1f};
    const struct rc_hardsigmoid_attrs hard = {0.2f, 0.5f};
    const struct rc_dropout_attrs drop = {.ratio = 0.5f};
    const struct rc_cast_attrs cast = {RC_F32};
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

static void through_a_gate(struct net *n)
{
    const struct rc_reduce_attrs mean = {.axes = {2, 3}, .n = 2, .keepdims = 1};
    const rc_id x = n->at;
    then(n, "ReduceMean", &mean);
    conv(n, n->at, 8, 4);
    then(n, "Sigmoid", NULL);
    conv(n, n->at, 4, 8);
    then(n, "Sigmoid", NULL);
    binary(n, "Mul", x, n->at);
    conv(n, n->at, 8, 3);
}

static void through_constants(struct net *n)
{
    binary(n, "Sub", n->at, constant(n, RC_SHAPE(8, 1, 1), -1, 1));
    binary(n, "Div", n->at, constant(n, RC_SHAPE(1, 8, 1, 1), 1, 2));
    binary(n, "Mul", constant(n, RC_SHAPE(1), 1, 2), n->at);
    conv(n, n->at, 8, 3);
}

static void through_flatten(struct net *n)
{
    const struct rc_axis_attrs one = {1};
    then(n, "Flatten", &one);
    gemm(n, 8 * 16);
}

static void through_reshape_to_rows(struct net *n)
{
    const struct rc_reshape_attrs a = {.dims = {2, 128}, .rank = 2, .bound = 1};
    then(n, "Reshape", &a);
    gemm(n, 8 * 16);
}

static void through_reshape_and_back(struct net *n)
{
    const struct rc_reshape_attrs a = {.dims = {0, 8, -1}, .rank = 3, .bound = 1};
    const struct rc_reshape_attrs b = {.dims = {0, 8, 4, 4}, .rank = 4, .bound = 1};
    then(n, "Reshape", &a);
    then(n, "Reshape", &b);
    conv(n, n->at, 8, 3);
}

static void through_reshape_that_splits(struct net *n)
{
    const struct rc_reshape_attrs a = {.dims = {0, 4, 2, 16}, .rank = 4, .bound = 1};
    const struct rc_reshape_attrs b = {.dims = {2, 8, 4, 4}, .rank = 4, .bound = 1};
    then(n, "Reshape", &a);
    then(n, "Reshape", &b);
    conv(n, n->at, 8, 3);
}

static void through_transposes(struct net *n)
{
    const struct rc_transpose_attrs a = {.perm = {0, 2, 3, 1}, .n = 4};
    const struct rc_transpose_attrs b = {.perm = {0, 3, 1, 2}, .n = 4};
    then(n, "Transpose", &a);
    then(n, "Transpose", &b);
    conv(n, n->at, 8, 3);
}

static void through_slice(struct net *n)
{
    const struct rc_slice_attrs a = {.starts = {2, 0},
                                     .ends = {7, INT64_MAX},
                                     .axes = {1, 2},
                                     .steps = {1, 2},
                                     .n = 2,
                                     .bound = 1};
    then(n, "Slice", &a);
    conv(n, n->at, 5, 3);
}

static void through_reverse(struct net *n)
{
    const struct rc_slice_attrs a = {
        .starts = {-1}, .ends = {INT64_MIN}, .axes = {1}, .steps = {-1}, .n = 1, .bound = 1};
    then(n, "Slice", &a);
    conv(n, n->at, 8, 3);
}

static void through_pad(struct net *n)
{
    const struct rc_pad_attrs a = {.begin = {0, 2, 1, 0}, .end = {0, 3, 0, 1}, .n = 4, .bound = 1};
    then(n, "Pad", &a);
    conv(n, n->at, 13, 3);
}

static void through_split_and_concat(struct net *n)
{
    const struct rc_split_attrs s = {.axis = 1, .sizes = {3, 5}, .n = 2};
    const struct rc_concat_attrs c = {1};
    const rc_id id = node(n, "Split", &s, &n->at, 1, 2);
    const rc_id a = n->g->nodes[id].out[0], b = n->g->nodes[id].out[1];
    n->at = first_of(n, node(n, "Concat", &c, (rc_id[]){b, a}, 2, 1));
    conv(n, n->at, 8, 3);
}

static void through_equal_split(struct net *n)
{
    const struct rc_split_attrs s = {.axis = 1};
    const rc_id id = node(n, "Split", &s, &n->at, 1, 2);
    binary(n, "Mul", n->g->nodes[id].out[0], n->g->nodes[id].out[1]);
    conv(n, n->at, 4, 3);
}

static void through_squeeze_and_unsqueeze(struct net *n)
{
    const struct rc_reduce_attrs mean = {.axes = {2, 3}, .n = 2, .keepdims = 1};
    const struct rc_axes_attrs drop = {.axes = {2, 3}, .n = 2}, back = {.axes = {-1, -2}, .n = 2};
    then(n, "ReduceMean", &mean);
    then(n, "Squeeze", &drop);
    then(n, "Unsqueeze", &back);
    conv(n, n->at, 8, 3);
}

static void through_expand(struct net *n)
{
    const struct rc_reduce_attrs mean = {.axes = {2, 3}, .n = 2, .keepdims = 1};
    const struct rc_expand_attrs a = {.dims = {8, 4, 4}, .rank = 3, .bound = 1};
    then(n, "ReduceMean", &mean);
    then(n, "Expand", &a);
    conv(n, n->at, 8, 3);
}

static void through_gather_of_rows(struct net *n)
{
    const struct rc_axis_attrs two = {2};
    const struct rc_tensor pick = {RC_I64, RC_SHAPE(2), (int64_t[]){3, 0}};
    rc_id index;
    OK(rc_graph_add_const(n->g, &index, "index", &pick));
    n->at = first_of(n, node(n, "Gather", &two, (rc_id[]){n->at, index}, 2, 1));
    conv(n, n->at, 8, 3);
}

static void through_softmax_over_rows(struct net *n)
{
    const struct rc_softmax_attrs a = {.axis = 2};
    then(n, "Softmax", &a);
    conv(n, n->at, 8, 3);
}

static void through_quantization(struct net *n)
{
    const struct rc_quantize_attrs one = {.axis = 1};
    const rc_id s = constant(n, RC_SHAPE(8), 0.01f, 0.02f);
    n->at = first_of(n, node(n, "QuantizeLinear", &one, (rc_id[]){n->at, s}, 2, 1));
    n->at = first_of(n, node(n, "DequantizeLinear", &one, (rc_id[]){n->at, s}, 2, 1));
    conv(n, n->at, 8, 3);
}

/* --- cutting --- */

/* fixed[root]: some index tied to it must stay */
static void find_fixed(struct rc_links *l, uint8_t *fixed)
{
    for (uint32_t id = 0; id < l->n_ids; id++)
        if (l->fixed_by[l->row_of[id]] != RC_NONE)
            fixed[rc_links_find(l, id)] = 1;
}

/* Give up every third free group of the first layer's outputs; returns how many. */
static int choose(struct net *n, struct rc_links *l, uint8_t *keep)
{
    const uint32_t base = l->base[n->w1 * RC_MAX_DIMS];
    uint8_t *fixed = rc_alloc_zero(n->ctx, l->n_ids);
    int gone = 0;
    memset(keep, 1, l->n_ids);
    find_fixed(l, fixed);
    for (uint32_t k = 1; k < 8; k += 3) {
        const uint32_t root = rc_links_find(l, base + k);
        gone += !fixed[root];
        for (uint32_t id = 0; id < l->n_ids; id++)
            if (rc_links_find(l, id) == root && !fixed[root])
                keep[id] = 0;
    }
    rc_release(fixed);
    return gone;
}

static void mask_constants(struct rc_graph *g, const struct rc_links *l, const uint8_t *keep)
{
    for (rc_id v = 0; v < g->n_values; v++) {
        const struct rc_tensor *t = &g->values[v].tensor;
        if (!t->data || t->shape.rank < 2 || t->shape.dim[0] == 1)
            continue; /* not weights: a divisor or scale of 0 would spoil what is masked */
        int64_t inner = 1;
        for (uint32_t a = t->shape.rank; a-- > 0; inner *= t->shape.dim[a])
            for (int64_t i = 0, count = rc_shape_count(&t->shape); i < count; i++) {
                const uint32_t k = (uint32_t) (i / inner % t->shape.dim[a]);
                if (!keep[l->base[v * RC_MAX_DIMS + a] + k])
                    ((float *) t->data)[i] = 0;
            }
    }
}

static void compare(struct net *n, const struct rc_graph *masked, const struct rc_graph *cut)
{
    struct rc_tensor x, a, b;
    OK(rc_tensor_new(&x, n->ctx, RC_F32, &n->g->values[n->x].tensor.shape));
    struct rc_rng r = rc_rng_make(8, 8, 8);
    for (int64_t i = 0, k = rc_shape_count(&x.shape); i < k; i++)
        ((float *) x.data)[i] = (float) rc_rng_normal(&r);
    OK(eval_graph(masked, &x, &a));
    OK(eval_graph(cut, &x, &b));
    assert_true(rc_shape_equal(&a.shape, &b.shape));
    for (int64_t i = 0, k = rc_shape_count(&a.shape); i < k; i++) {
        const double p = (double) ((float *) a.data)[i], q = (double) ((float *) b.data)[i];
        if (fabs(p - q) > 1e-4 * (1 + fabs(p)))
            fail_msg("element %lld: masked %g, cut %g", (long long) i, p, q);
    }
    rc_tensor_free(&x);
    rc_tensor_free(&a);
    rc_tensor_free(&b);
}

static void masked_equals_cut(void (*between)(struct net *), int groups)
{
    struct net n = {.ctx = test_context(), .w1 = RC_NONE};
    const struct rc_shape s = RC_SHAPE(2, 3, 4, 4);
    struct rc_graph *cut;
    struct rc_links *l;
    OK(rc_graph_create(&n.g, n.ctx));
    n.g->opset = 13;
    n.g->batch = 2;
    OK(rc_graph_add_input(n.g, &n.x, "x", RC_F32, &s));
    conv(&n, n.x, 3, 8);
    between(&n);
    OK(rc_graph_set_outputs(n.g, &n.at, 1));
    OK(rc_graph_infer(n.g));
    OK(rc_graph_verify(n.g));
    OK(rc_graph_clone(&cut, n.g));
    OK(rc_links_create(&l, cut));
    uint8_t *keep = rc_alloc_zero(n.ctx, l->n_ids);
    assert_int_equal(choose(&n, l, keep), groups);
    mask_constants(n.g, l, keep);
    OK(rc_graph_cut(cut, l, keep));
    assert_int_equal(cut->values[n.w1].tensor.shape.dim[0]<8, groups> 0);
    compare(&n, n.g, cut);
    rc_links_destroy(l);
    rc_release(keep);
    rc_graph_destroy(cut);
    rc_graph_destroy(n.g);
    test_context_done(n.ctx);
}

#define CUT_TEST(name, groups)            \
    static void name##_cuts(void **state) \
    {                                     \
        (void) state;                     \
        masked_equals_cut(name, groups);  \
    }

CUT_TEST(through_maps, 3)
CUT_TEST(through_a_gate, 3)
CUT_TEST(through_constants, 3)
CUT_TEST(through_flatten, 3)
CUT_TEST(through_reshape_to_rows, 3)
CUT_TEST(through_reshape_and_back, 3)
CUT_TEST(through_reshape_that_splits, 3)
CUT_TEST(through_transposes, 3)
CUT_TEST(through_slice, 3)
CUT_TEST(through_reverse, 3)
CUT_TEST(through_pad, 3)
CUT_TEST(through_split_and_concat, 3)
CUT_TEST(through_equal_split, 3)
CUT_TEST(through_squeeze_and_unsqueeze, 3)
CUT_TEST(through_expand, 3)
CUT_TEST(through_gather_of_rows, 3)
CUT_TEST(through_softmax_over_rows, 3)
CUT_TEST(through_quantization, 3)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(through_maps_cuts),
        cmocka_unit_test(through_a_gate_cuts),
        cmocka_unit_test(through_constants_cuts),
        cmocka_unit_test(through_flatten_cuts),
        cmocka_unit_test(through_reshape_to_rows_cuts),
        cmocka_unit_test(through_reshape_and_back_cuts),
        cmocka_unit_test(through_reshape_that_splits_cuts),
        cmocka_unit_test(through_transposes_cuts),
        cmocka_unit_test(through_slice_cuts),
        cmocka_unit_test(through_reverse_cuts),
        cmocka_unit_test(through_pad_cuts),
        cmocka_unit_test(through_split_and_concat_cuts),
        cmocka_unit_test(through_equal_split_cuts),
        cmocka_unit_test(through_squeeze_and_unsqueeze_cuts),
        cmocka_unit_test(through_expand_cuts),
        cmocka_unit_test(through_gather_of_rows_cuts),
        cmocka_unit_test(through_softmax_over_rows_cuts),
        cmocka_unit_test(through_quantization_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
