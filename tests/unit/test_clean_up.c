/* Passes that clean graphs up: what is left of a graph, and that it computes the same. */
#include "load.h"

#include "pass/check.h"
#include "pass/pass.h"

static uint32_t count(const struct rc_graph *g, const char *op)
{
    uint32_t n = 0;
    for (rci_id i = 0; i < g->n_nodes; i++)
        n += g->nodes[i].op && (!op || !strcmp(g->nodes[i].op->name, op));
    return n;
}

/* Loads the model and compares what the pass leaves with it, at two batches. */
static struct rc_graph *after_pass(void **state, struct onnx_model *m, const struct rci_pass *p,
                                   uint32_t *changed)
{
    struct rc_graph *g, *h;
    OK(load_model(m, *state, &g));
    OK(rci_graph_clone(&h, g));
    OK(rci_pass_run(h, p, changed));
    for (int batch = 1; batch < 3; batch++) {
        struct rci_check check;
        if (g->dynamic_batch)
            g->batch = h->batch = batch;
        OK(rci_graph_infer(g));
        OK(rci_graph_infer(h));
        OK(rci_check_start(&check, g));
        OK(rci_check_compare(&check, h, p->name));
        rci_check_end(&check);
    }
    rci_graph_free(g);
    return h;
}

static struct pb transpose(const char *name, const char *from, const char *to, int a, int b, int c,
                           int d)
{
    struct pb t = onnx_node("Transpose", name, from, to);
    onnx_attr_list(&t, "perm", a, b, c, d);
    return t;
}

static struct pb to_first(const char *name, const char *from, const char *to)
{
    return transpose(name, from, to, 0, 3, 1, 2);
}

static struct pb to_last(const char *name, const char *from, const char *to)
{
    return transpose(name, from, to, 0, 2, 3, 1);
}

static void add_axis(struct onnx_model *m, struct pb node, int64_t axis)
{
    onnx_attr_int(&node, "axis", axis);
    onnx_add(m, node);
}

/* Two convolutions, a residual sum, a scale for each channel and a mean over the planes, as
 * tf2onnx writes Keras: one Transpose at the input is left. */
static void channels_last_networks_have_one_transpose_left(void **state)
{
    struct onnx_model m = onnx_model();
    uint32_t changed;
    struct pb mean = onnx_node("ReduceMean", "mean", "sum", "y");
    onnx_attr_list(&mean, "axes", 1, 2);
    onnx_attr_int(&mean, "keepdims", 0);
    onnx_add(&m, to_first("t1", "x", "x1"));
    onnx_add(&m, onnx_node("Conv", "c1", "x1 w1", "a1"));
    onnx_add(&m, to_last("t2", "a1", "a"));
    onnx_add(&m, onnx_node("Mul", "scale", "a s", "b"));
    onnx_add(&m, onnx_node("Relu", "r1", "b", "c"));
    onnx_add(&m, to_first("t3", "c", "c1"));
    onnx_add(&m, onnx_node("Conv", "c2", "c1 w2", "d1"));
    onnx_add(&m, to_last("t4", "d1", "d"));
    onnx_add(&m, onnx_node("Add", "add", "d c", "sum"));
    onnx_add(&m, mean);
    onnx_initializer(&m, onnx_floats("w1", ((int64_t[]){2, 3, 1, 1}), 1, 2, 3, -4, 5, 6));
    onnx_initializer(&m, onnx_floats("w2", ((int64_t[]){2, 2, 1, 1}), 1, 2, -3, 4));
    onnx_initializer(&m, onnx_floats("s", ((int64_t[]){2}), 0.5f, -3));
    onnx_input(&m, "x", "N,4,5,3");
    onnx_output(&m, "y", "N,2");
    struct rc_graph *g = after_pass(state, &m, &rci_pass_move_transposes, &changed);
    assert_true(changed > 0);
    assert_int_equal(count(g, "Transpose"), 1);
    assert_int_equal(count(g, NULL), 7);
    assert_string_equal(g->values[g->outputs[0]].name, "y");
    rci_graph_free(g);
}

/* x -> Transpose -> node(s) -> Transpose back: none is left. `last`: made by the node(s) from `p`.
 */
static void between(void **state, struct onnx_model *m, const char *output)
{
    uint32_t changed;
    onnx_add(m, to_last("in", "x", "p"));
    onnx_add(m, to_first("out", "q", "y"));
    onnx_input(m, "x", "N,2,3,4");
    onnx_output(m, "y", output);
    struct rc_graph *g = after_pass(state, m, &rci_pass_move_transposes, &changed);
    if (count(g, "Transpose"))
        fail_msg("Transposes stay around %s", g->nodes[0].op ? g->nodes[0].op->name : "");
    assert_string_equal(g->values[g->outputs[0]].name, "y");
    rci_graph_free(g);
}

static void transposes_pass_what_works_along_an_axis(void **state)
{
    struct onnx_model m = onnx_model();
    add_axis(&m, onnx_node("Concat", "concat", "p p", "q"), 3);
    between(state, &m, "N,4,3,4");
    m = onnx_model();
    add_axis(&m, onnx_node("Softmax", "softmax", "p", "q"), -1);
    between(state, &m, "N,2,3,4");
    m = onnx_model();
    add_axis(&m, onnx_node("Split", "split", "p", "a b"), 3);
    add_axis(&m, onnx_node("Concat", "concat", "b a", "q"), 3);
    between(state, &m, "N,2,3,4");
    m = onnx_model();
    onnx_add(&m, onnx_node("Pad", "pad", "p pads", "q"));
    onnx_initializer(&m, onnx_int64s("pads", 0, 1, 2, 0, 0, 3, 0, 1));
    between(state, &m, "N,3,7,6");
    m = onnx_model();
    onnx_add(&m, onnx_node("Slice", "slice", "p from to axes steps", "q"));
    onnx_initializer(&m, onnx_int64s("from", 0, 1));
    onnx_initializer(&m, onnx_int64s("to", 4, 2));
    onnx_initializer(&m, onnx_int64s("axes", 2, -1));
    onnx_initializer(&m, onnx_int64s("steps", 2, 1));
    between(state, &m, "N,1,3,2");
    m = onnx_model();
    onnx_add(&m, onnx_node("ReduceSum", "sum", "p axes", "q"));
    onnx_initializer(&m, onnx_int64s("axes", 3, 1));
    between(state, &m, "N,1,1,4");
    m = onnx_model();
    add_axis(&m, onnx_node("QuantizeLinear", "quantize", "p s z", "i"), 3);
    add_axis(&m, onnx_node("DequantizeLinear", "dequantize", "i s z", "q"), 3);
    onnx_initializer(&m, onnx_floats("s", ((int64_t[]){2}), 0.02f, 0.05f));
    onnx_initializer(&m, onnx_tensor("z", 2, 1, (int64_t[]){2}, (uint8_t[]){100, 130}, 2));
    between(state, &m, "N,2,3,4");
}

static void transposes_pass_what_works_element_by_element(void **state)
{
    struct onnx_model m = onnx_model();
    onnx_add(&m, onnx_node("Sigmoid", "sigmoid", "p", "a"));
    onnx_add(&m, onnx_node("Mul", "mul", "p a", "b"));
    onnx_add(&m, onnx_node("PRelu", "prelu", "b slope", "c"));
    onnx_add(&m, onnx_node("Max", "max", "c one", "d"));
    onnx_add(&m, onnx_node("Less", "less", "d row", "e"));
    onnx_add(&m, onnx_node("Where", "where", "e d a", "q"));
    onnx_initializer(&m, onnx_floats("slope", ((int64_t[]){2}), 0.5f, 0.25f));
    onnx_initializer(&m, onnx_floats("one", ((int64_t[]){1}), -0.1f));
    onnx_initializer(&m, onnx_floats("row", ((int64_t[]){4, 1}), 0.1f, 0.2f, 0.3f, 0.4f));
    between(state, &m, "N,2,3,4");
    /* a gate that comes as [N, 1, 1, C] from a matrix: permuting it moves nothing */
    m = onnx_model();
    struct pb mean = onnx_node("ReduceMean", "mean", "p", "a");
    onnx_attr_list(&mean, "axes", 1, 2);
    onnx_attr_int(&mean, "keepdims", 0);
    onnx_add(&m, mean);
    onnx_add(&m, onnx_node("MatMul", "matmul", "a w", "b"));
    onnx_add(&m, onnx_node("Reshape", "reshape", "b shape", "c"));
    onnx_add(&m, onnx_node("Mul", "gate", "p c", "q"));
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){2, 2}), 1, 2, -3, 4));
    onnx_initializer(&m, onnx_int64s("shape", -1, 1, 1, 2));
    onnx_add(&m, to_last("in", "x", "p"));
    onnx_add(&m, to_first("out", "q", "y"));
    onnx_input(&m, "x", "N,2,3,4");
    onnx_output(&m, "y", "N,2,3,4");
    struct rc_graph *g;
    OK(load_model(&m, *state, &g));
    g->checked = true;
    OK(rci_pass_clean_up(g));
    assert_int_equal(count(g, "Transpose"), 0);
    assert_int_equal(count(g, NULL), 4);
    rci_graph_free(g);
}

/* What is read as it is, too, and an axis that a matrix needs last, keep theirs. */
static void transposes_that_are_needed_stay(void **state)
{
    struct onnx_model m = onnx_model();
    uint32_t changed;
    onnx_add(&m, to_last("t", "x", "p"));
    onnx_add(&m, onnx_node("MatMul", "matmul", "p w", "q"));
    onnx_add(&m, onnx_node("Relu", "relu", "q", "y"));
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){2, 2}), 1, 2, -3, 4));
    onnx_input(&m, "x", "N,2,3,4");
    onnx_output(&m, "y", "N,3,4,2");
    struct rc_graph *g = after_pass(state, &m, &rci_pass_move_transposes, &changed);
    assert_int_equal(changed, 0);
    assert_int_equal(count(g, "Transpose"), 1);
    rci_graph_free(g);
}

static void views_in_a_row_become_one(void **state)
{
    struct onnx_model m = onnx_model();
    uint32_t changed;
    /* [N, 6, 1, 1] -> [N, 1, 6, 1] -> [N, 6, 1, 1] (nothing) -> [N, 6] -> [N, 2, 3] */
    onnx_add(&m, transpose("t", "x", "a", 0, 2, 1, 3));
    onnx_add(&m, onnx_node("Reshape", "r1", "a s1", "b"));
    onnx_add(&m, onnx_node("Relu", "relu", "b", "c"));
    onnx_add(&m, onnx_node("Flatten", "flatten", "c", "d"));
    onnx_add(&m, onnx_node("Reshape", "r2", "d s2", "y"));
    onnx_initializer(&m, onnx_int64s("s1", -1, 6, 1, 1));
    onnx_initializer(&m, onnx_int64s("s2", 0, 2, 3));
    onnx_input(&m, "x", "N,6,1,1");
    onnx_output(&m, "y", "N,2,3");
    struct rc_graph *g = after_pass(state, &m, &rci_pass_merge_views, &changed);
    assert_int_equal(changed, 2);
    assert_int_equal(count(g, NULL), 2);
    assert_int_equal(count(g, "Reshape"), 1);
    rci_graph_free(g);
    /* axes that a mean has kept and a view removes */
    m = onnx_model();
    struct pb mean = onnx_node("ReduceMean", "mean", "x", "a");
    onnx_attr_list(&mean, "axes", 2, 3);
    onnx_add(&m, mean);
    onnx_add(&m, onnx_node("Flatten", "flatten", "a", "y"));
    onnx_input(&m, "x", "N,6,4,5");
    onnx_output(&m, "y", "N,6");
    g = after_pass(state, &m, &rci_pass_merge_views, &changed);
    assert_int_equal(count(g, NULL), 1);
    assert_string_equal(g->values[g->outputs[0]].name, "y");
    rci_graph_free(g);
}

static void means_of_one_element_go(void **state)
{
    struct onnx_model m = onnx_model();
    uint32_t changed;
    struct pb mean = onnx_node("ReduceMean", "mean", "x", "a");
    onnx_attr_list(&mean, "axes", 2, 3);
    onnx_add(&m, mean);
    onnx_add(&m, onnx_node("GlobalAveragePool", "pool", "a", "b"));
    add_axis(&m, onnx_node("Concat", "concat", "b", "c"), 1);
    onnx_add(&m, onnx_node("Relu", "relu", "c", "y"));
    onnx_input(&m, "x", "N,6,1,1");
    onnx_output(&m, "y", "N,6,1,1");
    struct rc_graph *g = after_pass(state, &m, &rci_pass_drop_identity, &changed);
    assert_int_equal(count(g, NULL), 1);
    rci_graph_free(g);
}

static void slices_and_concats_in_a_row_become_one(void **state)
{
    struct onnx_model m = onnx_model();
    uint32_t changed;
    onnx_add(&m, onnx_node("Slice", "s1", "x zero three two", "a"));
    onnx_add(&m, onnx_node("Slice", "s2", "a zero three three", "b"));
    add_axis(&m, onnx_node("Concat", "c1", "b b", "c"), 1);
    add_axis(&m, onnx_node("Concat", "c2", "c b", "d"), 1);
    add_axis(&m, onnx_node("Concat", "c3", "d b", "y"), 2);
    onnx_initializer(&m, onnx_int64s("zero", 0));
    onnx_initializer(&m, onnx_int64s("two", 2));
    onnx_initializer(&m, onnx_int64s("three", 3));
    onnx_input(&m, "x", "N,2,4,5");
    onnx_output(&m, "y", "?");
    /* along other axes: c3 stays, and refuses shapes that do not fit */
    struct rc_graph *g;
    REFUSED(load_model(&m, *state, &g), RC_ERR_SHAPE, "c3");
    m = onnx_model();
    onnx_add(&m, onnx_node("Slice", "s1", "x zero three two", "a"));
    onnx_add(&m, onnx_node("Slice", "s2", "a zero three three", "b"));
    add_axis(&m, onnx_node("Concat", "c1", "b b", "c"), 1);
    add_axis(&m, onnx_node("Concat", "c2", "c b", "d"), -3);
    add_axis(&m, onnx_node("Concat", "c3", "d d", "y"), 2);
    onnx_initializer(&m, onnx_int64s("zero", 0));
    onnx_initializer(&m, onnx_int64s("two", 2));
    onnx_initializer(&m, onnx_int64s("three", 3));
    onnx_input(&m, "x", "N,2,4,5");
    onnx_output(&m, "y", "N,6,6,3");
    g = after_pass(state, &m, &rci_pass_compose, &changed);
    assert_int_equal(changed, 2);
    assert_int_equal(count(g, "Slice"), 1);
    assert_int_equal(count(g, "Concat"), 2);
    rci_graph_free(g);
}

static void what_would_be_broadcast_is_not_repeated(void **state)
{
    struct onnx_model m = onnx_model();
    uint32_t changed;
    onnx_add(&m, onnx_node("GlobalAveragePool", "pool", "x", "g"));
    onnx_add(&m, onnx_node("Expand", "expand", "g shape", "e"));
    onnx_add(&m, onnx_node("Mul", "mul", "x e", "a"));
    /* nothing else has the shape of this one */
    onnx_add(&m, onnx_node("Expand", "needed", "g shape", "f"));
    onnx_add(&m, onnx_node("Relu", "relu", "f", "b"));
    onnx_add(&m, onnx_node("Add", "add", "a b", "y"));
    onnx_initializer(&m, onnx_int64s("shape", 1, 2, 3, 4));
    onnx_input(&m, "x", "N,2,3,4");
    onnx_output(&m, "y", "N,2,3,4");
    struct rc_graph *g = after_pass(state, &m, &rci_pass_drop_repeats, &changed);
    assert_int_equal(changed, 1);
    assert_int_equal(count(g, "Expand"), 1);
    rci_graph_free(g);
}

/* x (or |x|) -> Pad -> node with a window of 3x3 in steps of 2: is the Pad gone? */
static bool pad_goes(void **state, const char *op, bool positive, const char *extra, int64_t top)
{
    struct onnx_model m = onnx_model();
    uint32_t changed;
    struct pb node = onnx_node(op, "node", !strcmp(op, "Conv") ? "p w" : "p", "y");
    if (strcmp(op, "Conv"))
        onnx_attr_list(&node, "kernel_shape", 3, 3);
    onnx_attr_list(&node, "strides", 2, 2);
    if (extra)
        onnx_attr_int(&node, extra, 1);
    onnx_add(&m, onnx_node(positive ? "Abs" : "Neg", "sign", "x", "a"));
    onnx_add(&m, onnx_node("Pad", "pad", "a pads", "p"));
    onnx_add(&m, node);
    onnx_initializer(&m, onnx_int64s("pads", 0, 0, top, 1, 0, 0, 1, 2));
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){1, 1, 3, 3}), 1, 2, 3, 4, -5, 6, 7, 8, 9));
    onnx_input(&m, "x", "N,1,7,8");
    onnx_output(&m, "y", "?");
    struct rc_graph *g = after_pass(state, &m, &rci_pass_absorb_pad, &changed);
    const bool gone = !count(g, "Pad");
    assert_int_equal(changed, gone);
    rci_graph_free(g);
    return gone;
}

static void zeros_around_become_padding_where_that_is_the_same(void **state)
{
    assert_true(pad_goes(state, "Conv", false, NULL, 1));
    assert_true(pad_goes(state, "AveragePool", false, NULL, 1));
    assert_true(pad_goes(state, "AveragePool", false, "count_include_pad", 1));
    assert_true(pad_goes(state, "MaxPool", true, NULL, 1));
    assert_false(pad_goes(state, "MaxPool", false, NULL, 1)); /* 0 may be the largest */
    assert_false(pad_goes(state, "AveragePool", false, "ceil_mode", 1));
    assert_false(pad_goes(state, "MaxPool", true, NULL, 3)); /* windows of zeros alone */
}

static void constants_in_a_row_become_one(void **state)
{
    struct onnx_model m = onnx_model();
    uint32_t changed;
    onnx_add(&m, onnx_node("Mul", "m1", "x two", "a"));
    onnx_add(&m, onnx_node("Mul", "m2", "v a", "b"));
    onnx_add(&m, onnx_node("Div", "m3", "b two", "c"));
    onnx_add(&m, onnx_node("Add", "a1", "c v", "d"));
    onnx_add(&m, onnx_node("Sub", "a2", "d two", "e"));
    onnx_add(&m, onnx_node("Relu", "relu", "e", "y"));
    onnx_initializer(&m, onnx_floats("two", ((int64_t[]){1}), 2));
    onnx_initializer(&m, onnx_floats("v", ((int64_t[]){3, 1, 1}), 1, -2, 3));
    onnx_input(&m, "x", "N,3,4,5");
    onnx_output(&m, "y", "N,3,4,5");
    struct rc_graph *g = after_pass(state, &m, &rci_pass_merge_affine, &changed);
    assert_int_equal(changed, 3);
    assert_int_equal(count(g, NULL), 3);
    rci_graph_free(g);
}

/* In groups: each scale belongs to the channels of its own. */
static void a_scale_goes_into_the_convolution_behind(void **state)
{
    struct onnx_model m = onnx_model();
    uint32_t changed;
    struct pb conv = onnx_node("Conv", "conv", "b w", "y");
    onnx_attr_int(&conv, "group", 2);
    onnx_add(&m, onnx_node("Sigmoid", "sigmoid", "x", "a"));
    onnx_add(&m, onnx_node("Mul", "mul", "a s", "b"));
    onnx_add(&m, conv);
    onnx_initializer(&m, onnx_floats("s", ((int64_t[]){4, 1, 1}), 1, -2, 3, 0.5f));
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){2, 2, 1, 1}), 1, 2, -3, 4));
    onnx_input(&m, "x", "N,4,3,5");
    onnx_output(&m, "y", "N,2,3,5");
    struct rc_graph *g = after_pass(state, &m, &rci_pass_merge_affine, &changed);
    assert_int_equal(changed, 1);
    assert_int_equal(count(g, NULL), 2);
    rci_graph_free(g);
}

static void a_product_with_a_bias_becomes_gemm(void **state)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g;
    onnx_add(&m, onnx_node("MatMul", "matmul", "x w", "a"));
    onnx_add(&m, onnx_node("Add", "add", "b a", "c"));
    onnx_add(&m, onnx_node("Mul", "mul", "c s", "y"));
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){2, 3}), 1, 2, 3, -4, 5, 6));
    onnx_initializer(&m, onnx_floats("b", ((int64_t[]){3}), 1, -2, 3));
    onnx_initializer(&m, onnx_floats("s", ((int64_t[]){1}), 3));
    onnx_input(&m, "x", "N,2");
    onnx_output(&m, "y", "N,3");
    OK(load_model(&m, *state, &g));
    g->checked = true;
    OK(rci_pass_clean_up(g));
    assert_int_equal(count(g, NULL), 1);
    assert_int_equal(count(g, "Gemm"), 1);
    assert_string_equal(g->values[g->outputs[0]].name, "y");
    rci_graph_free(g);
}

static rc_status spoil(struct rc_graph *g, uint32_t *n_changed)
{
    const rci_id v = rci_graph_find_value(g, "b");
    OK(rci_graph_own_const(g, v));
    ((float *) g->values[v].tensor.data)[1] += 1;
    *n_changed = 1;
    return RC_OK;
}

/* Every pass over a graph that was loaded with the check, in copies of it too. */
static void a_pass_that_changes_what_is_computed_is_named(void **state)
{
    static const struct rci_pass bad = {.name = "spoil", .run = spoil},
                                 rounds = {.name = "spoil", .run = spoil, .approximate = true};
    struct onnx_model m = onnx_model();
    struct rc_graph *g, *h;
    onnx_add(&m, onnx_node("Add", "add", "x b", "a"));
    onnx_add(&m, onnx_node("Relu", "relu", "a", "y"));
    onnx_initializer(&m, onnx_floats("b", ((int64_t[]){3}), 1, 2, 3));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    OK(load_model(&m, *state, &g));
    g->checked = true;
    OK(rci_graph_clone(&h, g));
    REFUSED(rci_pass_run(h, &bad, NULL), RC_ERR_STATE,
            "spoil: value \"a\" is the first to differ, by 0.");
    OK(rci_pass_run(h, &rounds, NULL));
    g->checked = false;
    OK(rci_pass_run(g, &bad, NULL));
    rci_graph_free(h);
    rci_graph_free(g);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(channels_last_networks_have_one_transpose_left),
        CASE(transposes_pass_what_works_along_an_axis),
        CASE(transposes_pass_what_works_element_by_element),
        CASE(transposes_that_are_needed_stay),
        CASE(views_in_a_row_become_one),
        CASE(means_of_one_element_go),
        CASE(slices_and_concats_in_a_row_become_one),
        CASE(what_would_be_broadcast_is_not_repeated),
        CASE(zeros_around_become_padding_where_that_is_the_same),
        CASE(constants_in_a_row_become_one),
        CASE(a_scale_goes_into_the_convolution_behind),
        CASE(a_product_with_a_bias_becomes_gemm),
        CASE(a_pass_that_changes_what_is_computed_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
