/* Outputs that somebody stored for a model: as ONNX TensorProto files and as NumPy arrays. */
#include "files.h"
#include "load.h"

#include <rescomp/rescomp.h>

#include <math.h>
#include <stdlib.h>

/* y = relu(x + b), z = x < b as integers */
static struct rc_graph *make(void **state)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g;
    onnx_add(&m, onnx_node("Add", "add", "x b", "a"));
    onnx_add(&m, onnx_node("Relu", "relu", "a", "y"));
    onnx_add(&m, onnx_node("ArgMax", "argmax", "x", "z"));
    onnx_initializer(&m, onnx_floats("b", ((int64_t[]){3}), 1, 2, -3));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    onnx_output(&m, "z", "1,3");
    OK(load_model(&m, *state, &g));
    return g;
}

static void put(const char *folder, const char *name, struct pb tensor)
{
    scratch_write(folder, name, tensor.data, tensor.size);
    pb_free(&tensor);
}

static const int64_t shape[] = {2, 3};
#define FLOATS(...) onnx_floats("v", shape, __VA_ARGS__)

/* ONNX's test data sets, of another batch than the graph's. */
static void test_data_sets_of_onnx_are_compared(void **state)
{
    struct rc_graph *g = make(state);
    const char *f = scratch_folder();
    rc_stored_result r = RC_STORED_RESULT_INIT;
    put(f, "input_0.pb", FLOATS(1, -4, 5, 0.5f, 3, 1));
    put(f, "output_0.pb", FLOATS(2, 0, 2, 1.5f, 5, 0));
    OK(rc_graph_compare_stored(g, f, 0, &r));
    assert_int_equal(r.compared, 6);
    assert_true(r.difference == 0);
    const int64_t most[] = {0, 1, 0};
    put(f, "output_1.pb", onnx_tensor("z", 7, 2, (int64_t[]){1, 3}, most, sizeof(most)));
    OK(rc_graph_compare_stored(g, f, 0, &r));
    assert_int_equal(r.compared, 9);
    put(f, "output_0.pb", FLOATS(2, 0, 2, 1.5f, 4, 0));
    REFUSED(rc_graph_compare_stored(g, f, 0, &r), RC_ERR_STATE,
            "output \"y\" differs by 0.25 of its largest number: element 4 is 5, stored is 4");
    assert_string_equal(r.output, "y");
    assert_int_equal(r.element, 4);
    assert_true(r.computed == 5 && r.stored == 4);
    OK(rc_graph_compare_stored(g, f, 0.25, NULL));
    put(f, "output_0.pb", FLOATS(2, 0, 2, 1.5f, NAN, 0));
    REFUSED(rc_graph_compare_stored(g, f, 1, NULL), RC_ERR_MODEL, "output_0.pb: tensor: element 4");
    scratch_remove(f);
    rc_graph_free(&g);
}

static void numpy_arrays_are_compared(void **state)
{
    static const char script[] =
        "import sys, numpy as np\n"
        "x = np.array([[1, -4, 5], [.5, 3, 1]], np.float32)\n"
        "y = np.maximum(x + [1, 2, -3], 0)\n"
        "f = sys.argv[1] + '/'\n"
        "np.savez(f + 'good.npz', x=x, y=y, z=x.argmax(0)[None])\n"
        "np.savez(f + 'bad.npz', x=x, z=x.argmin(0)[None].astype(np.int32))\n"
        "np.savez_compressed(f + 'real.npz', x=x, z=x)\n"
        "np.savez(f + 'none.npz', x=x, other=y)\n"
        "np.savez(f + 'long.npz', x=x, y=y[:1])\n"
        "np.save(f + 'input_0.npy', x.astype(np.float16))\n"
        "np.save(f + 'output_0.npy', y.astype(np.float64))\n";
    struct rc_graph *g = make(state);
    rc_stored_result r = RC_STORED_RESULT_INIT;
    char folder[256];
    snprintf(folder, sizeof(folder), "%s", scratch_folder());
    assert_int_equal(scratch_python(script, folder), 0);
    OK(rc_graph_compare_stored(g, scratch_path(folder, "good.npz"), 0, &r));
    assert_int_equal(r.compared, 9);
    OK(rc_graph_compare_stored(g, folder, 0, &r));
    assert_int_equal(r.compared, 6);
    REFUSED(rc_graph_compare_stored(g, scratch_path(folder, "bad.npz"), 0, NULL), RC_ERR_STATE,
            "output \"z\"");
    REFUSED(rc_graph_compare_stored(g, scratch_path(folder, "real.npz"), 0, NULL), RC_ERR_DATA,
            "reals, the model has i64");
    REFUSED(rc_graph_compare_stored(g, scratch_path(folder, "none.npz"), 0, NULL), RC_ERR_DATA,
            "has no outputs to compare with");
    REFUSED(rc_graph_compare_stored(g, scratch_path(folder, "long.npz"), 0, NULL), RC_ERR_SHAPE,
            "output \"y\" has shape");
    scratch_remove(folder);
    rc_graph_free(&g);
}

static void what_is_no_tensor_is_refused(void **state)
{
    struct rc_graph *g = make(state);
    char f[256];
    snprintf(f, sizeof(f), "%s", scratch_folder());
    REFUSED(rc_graph_compare_stored(g, f, 0, NULL), RC_ERR_DATA,
            "has no input_N.pb or .npy for input 0, \"x\"");
    REFUSED(rc_graph_compare_stored(g, scratch_path(f, "none.npz"), 0, NULL), RC_ERR_PATH, "none");
    REFUSED(rc_graph_compare_stored(g, f, -1, NULL), RC_ERR_ARG, "tolerance is -1");
    REFUSED(rc_graph_compare_stored(g, f, NAN, NULL), RC_ERR_ARG, "tolerance");
    put(f, "output_0.pb", FLOATS(2, 0, 2, 1.5f, 5, 0));
    put(f, "input_0.pb", onnx_floats("x", ((int64_t[]){2, 3, 1}), 1, 2, 3, 4, 5, 6));
    REFUSED(rc_graph_compare_stored(g, f, 0, NULL), RC_ERR_SHAPE, "the model has f32 of rank 2");
    put(f, "input_0.pb", onnx_floats("x", ((int64_t[]){2, 4}), 1, 2, 3, 4, 5, 6, 7, 8));
    REFUSED(rc_graph_compare_stored(g, f, 0, NULL), RC_ERR_SHAPE, "add");
    /* cut anywhere it is refused, and leaves nothing */
    struct pb whole = FLOATS(1, -4, 5, 0.5f, 3, 1);
    for (size_t n = 0; n < whole.size; n++) {
        scratch_write(f, "input_0.pb", whole.data, n);
        assert_true(rc_graph_compare_stored(g, f, 0, NULL) < 0);
    }
    scratch_write(f, "input_0.pb", whole.data, whole.size);
    OK(rc_graph_compare_stored(g, f, 0, NULL));
    pb_free(&whole);
    scratch_remove(f);
    rc_graph_free(&g);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_data_sets_of_onnx_are_compared),
        CASE(numpy_arrays_are_compared),
        CASE(what_is_no_tensor_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
