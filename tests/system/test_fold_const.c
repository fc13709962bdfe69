/* Constant folding: what is constant goes, what follows the batch keeps following it, what must
 * stay stays. */
#include "load.h"

static uint32_t live_nodes(const struct rc_graph *g)
{
    uint32_t n = 0;
    for (rci_id i = 0; i < g->n_nodes; i++)
        n += g->nodes[i].op != NULL;
    return n;
}

static void add_axis(struct onnx_model *m, const char *op, const char *name, const char *in,
                     const char *out)
{
    struct pb p = onnx_node(op, name, in, out);
    onnx_attr_int(&p, "axis", 0);
    onnx_add(m, p);
}

static struct pb scalar(const char *name, int64_t v)
{
    return onnx_tensor(name, 7, 0, NULL, &v, 8);
}

/* y = Reshape(x, [N, -1]) as exporters spell it: Shape, Gather, Unsqueeze, Concat */
static struct rc_graph *view_chain(struct rc_context *c, const char *shape)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g;
    onnx_add(&m, onnx_node("Shape", "shape", "x", "s"));
    add_axis(&m, "Gather", "gather", "s zero", "n");
    onnx_add(&m, onnx_node("Unsqueeze", "unsqueeze", "n zeros", "n1"));
    add_axis(&m, "Concat", "concat", "n1 rest", "dims");
    onnx_add(&m, onnx_node("Reshape", "view", "x dims", "y"));
    onnx_initializer(&m, scalar("zero", 0));
    onnx_initializer(&m, onnx_int64s("zeros", 0));
    onnx_initializer(&m, onnx_int64s("rest", -1));
    onnx_input(&m, "x", shape);
    onnx_output(&m, "y", "?,?");
    OK(load_model(&m, c, &g));
    return g;
}

static void a_view_follows_the_batch(void **state)
{
    struct rc_graph *g = view_chain(*state, "N,3,4");
    struct rci_tensor *at = rci_alloc_array(g->ctx, g->n_values, sizeof(*at));
    assert_int_equal(live_nodes(g), 1);
    for (int64_t batch = 1; batch < 200; batch += 37) {
        OK(rci_graph_infer_at(g, batch, at));
        assert_int_equal(at[g->outputs[0]].shape.dim[0], batch);
        assert_int_equal(at[g->outputs[0]].shape.dim[1], 12);
    }
    rci_release(at);
    rci_graph_free(g);
    g = view_chain(*state, "6,2");
    assert_int_equal(g->values[g->outputs[0]].tensor.shape.dim[0], 6);
    rci_graph_free(g);
}

/* Only the part of a shape that is fixed becomes a constant: w * H. */
static void fixed_dimensions_become_constants(void **state)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g;
    struct pb cast = onnx_node("Cast", "cast", "h", "hf");
    onnx_attr_int(&cast, "to", 1);
    onnx_add(&m, onnx_node("Shape", "shape", "x", "s"));
    add_axis(&m, "Gather", "gather", "s two", "h");
    onnx_add(&m, cast);
    onnx_add(&m, onnx_node("Mul", "scale", "w hf", "k"));
    onnx_add(&m, onnx_node("Add", "add", "x k", "y"));
    onnx_initializer(&m, scalar("two", 2));
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){1}), 0.5f));
    onnx_input(&m, "x", "N,1,6,1");
    onnx_output(&m, "y", "?");
    OK(load_model(&m, *state, &g));
    assert_int_equal(live_nodes(g), 1);
    const struct rci_tensor *k = &g->values[rci_graph_find_value(g, "k")].tensor;
    assert_non_null(k->data);
    assert_true(((float *) k->data)[0] == 3);
    rci_graph_free(g);
}

static void shared_initializers_become_one_each(void **state)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g;
    onnx_add(&m, onnx_node("Identity", "same", "w", "w2"));
    onnx_add(&m, onnx_node("Mul", "mul", "x w", "a"));
    onnx_add(&m, onnx_node("Add", "add", "a w2", "y"));
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){2}), 3, 4));
    onnx_input(&m, "x", "N,2");
    onnx_output(&m, "y", "?");
    OK(load_model(&m, *state, &g));
    const struct rci_tensor *w = &g->values[rci_graph_find_value(g, "w")].tensor;
    const struct rci_tensor *w2 = &g->values[rci_graph_find_value(g, "w2")].tensor;
    assert_ptr_not_equal(w->data,
                         w2->data); /* training must not tie what only happened to be equal */
    assert_memory_equal(w->data, w2->data, 8);
    rci_graph_free(g);
}

static void quantized_weights_stay_quantized(void **state)
{
    const int8_t q[] = {1, -2};
    struct onnx_model m = onnx_model();
    struct rc_graph *g;
    onnx_initializer(&m, onnx_tensor("q", 3, 1, (int64_t[]){2}, q, 2));
    onnx_initializer(&m, onnx_floats("s", ((int64_t[]){1}), 0.25f));
    onnx_add(&m, onnx_node("DequantizeLinear", "dq", "q s", "w"));
    onnx_add(&m, onnx_node("Add", "add", "x w", "y"));
    onnx_input(&m, "x", "N,2");
    onnx_output(&m, "y", "?");
    onnx_initializer(&m, scalar("unused", 1));
    OK(load_model(&m, *state, &g));
    assert_int_equal(live_nodes(g), 2);
    assert_int_equal(rci_graph_find_value(g, "unused"), RC_NONE);
    rci_graph_free(g);
}

/* 20 bytes may not become gigabytes. */
static void huge_constants_are_not_made(void **state)
{
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    rc_context *c;
    struct onnx_model m = onnx_model();
    struct rc_graph *g = NULL;
    uint64_t peak = 0;
    (void) state;
    OK(rc_context_new(&c, &o));
    onnx_add(&m, onnx_node("ConstantOfShape", "huge", "dims", "k"));
    onnx_add(&m, onnx_node("Add", "add", "x k", "y"));
    onnx_initializer(&m, onnx_int64s("dims", 20000, 20000));
    onnx_input(&m, "x", "1,1");
    onnx_output(&m, "y", "?");
    if (load_model(&m, c, &g) == RC_OK)
        assert_int_equal(live_nodes(g), 2);
    rci_graph_free(g);
    OK(rc_context_get_memory(c, NULL, &peak));
    assert_true(peak < 64 << 20);
    rc_context_free(&c);
}

/* Quantizers write Pad's value as an integer with a scale; the number is bound, and the integer
 * weights beside it stay what they are. */
static void a_dequantized_number_is_bound(void **state)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g;
    const float one = 1;
    const int8_t zero = 0;
    onnx_add(&m, onnx_node("DequantizeLinear", "dq", "q scale zero", "value"));
    onnx_add(&m, onnx_node("Pad", "pad", "x pads value", "y"));
    onnx_initializer(&m, onnx_tensor("q", 3, 0, NULL, &zero, 1));
    onnx_initializer(&m, onnx_tensor("zero", 3, 0, NULL, &zero, 1));
    onnx_initializer(&m, onnx_tensor("scale", 1, 0, NULL, &one, 4));
    onnx_initializer(&m, onnx_int64s("pads", 0, 1, 0, 1));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "?,?");
    OK(load_model(&m, *state, &g));
    assert_int_equal(live_nodes(g), 1);
    assert_int_equal(g->values[g->outputs[0]].tensor.shape.dim[1], 5);
    rci_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_follows_the_batch),
        cmocka_unit_test(fixed_dimensions_become_constants),
        cmocka_unit_test(shared_initializers_become_one_each),
        cmocka_unit_test(quantized_weights_stay_quantized),
        cmocka_unit_test(huge_constants_are_not_made),
        cmocka_unit_test(a_dequantized_number_is_bound),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
