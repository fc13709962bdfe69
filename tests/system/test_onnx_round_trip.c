/* import(export(g)) is g: structure, names, attributes, weights, interface, bytes. Tried on every
 * trained model at hand and on small ones made here. */
#include "load.h"
#include "shared.h"

#include "io/onnx.h"

#include <dirent.h>

static const char *value_name(const struct rc_graph *g, rci_id v)
{
    return v == RC_NONE ? "" : g->values[v].name;
}

static void assert_same_tensor(const struct rci_tensor *a, const struct rci_tensor *b)
{
    assert_int_equal(a->dtype, b->dtype);
    assert_true(rci_shape_equal(&a->shape, &b->shape));
    assert_true(!a->data == !b->data);
    if (a->data)
        assert_memory_equal(a->data, b->data, rci_tensor_bytes(a));
}

static void assert_same_node(const struct rc_graph *a, const struct rci_node *x,
                             const struct rc_graph *b)
{
    const rci_id id = rci_graph_find_node(b, x->name);
    assert_int_not_equal(id, RC_NONE);
    const struct rci_node *y = &b->nodes[id];
    assert_ptr_equal(x->op, y->op);
    assert_memory_equal(x->attrs, y->attrs, x->op->attr_size);
    assert_int_equal(x->n_in, y->n_in);
    assert_int_equal(x->n_out, y->n_out);
    for (uint32_t k = 0; k < x->n_in; k++)
        assert_string_equal(value_name(a, x->in[k]), value_name(b, y->in[k]));
    for (uint32_t k = 0; k < x->n_out; k++)
        assert_string_equal(value_name(a, x->out[k]), value_name(b, y->out[k]));
}

static void assert_same_interface(const struct rc_graph *a, const struct rc_graph *b)
{
    assert_int_equal(a->n_inputs, b->n_inputs);
    assert_int_equal(a->n_outputs, b->n_outputs);
    for (uint32_t i = 0; i < a->n_inputs; i++)
        assert_string_equal(value_name(a, a->inputs[i]), value_name(b, b->inputs[i]));
    for (uint32_t i = 0; i < a->n_outputs; i++)
        assert_string_equal(value_name(a, a->outputs[i]), value_name(b, b->outputs[i]));
    assert_int_equal(a->opset, b->opset);
    assert_int_equal(a->ir_version, b->ir_version);
    assert_int_equal(a->dynamic_batch, b->dynamic_batch);
    assert_int_equal(a->batch, b->batch);
    assert_string_equal(a->batch_name ? a->batch_name : "N", b->batch_name ? b->batch_name : "N");
    assert_int_equal(a->n_meta, b->n_meta);
    for (uint32_t i = 0; i < a->n_meta; i++)
        assert_string_equal(a->meta[i].value, rci_graph_get_metadata(b, a->meta[i].key));
}

static uint32_t live_nodes(const struct rc_graph *g)
{
    uint32_t n = 0;
    for (rci_id i = 0; i < g->n_nodes; i++)
        n += g->nodes[i].op != NULL;
    return n;
}

static void assert_same_graph(const struct rc_graph *a, const struct rc_graph *b)
{
    assert_same_interface(a, b);
    assert_int_equal(live_nodes(a), live_nodes(b));
    for (rci_id i = 0; i < a->n_nodes; i++)
        if (a->nodes[i].op)
            assert_same_node(a, &a->nodes[i], b);
    for (rci_id v = 0; v < a->n_values; v++) {
        if (a->values[v].flags & RC_VALUE_DEAD)
            continue;
        const rci_id w = rci_graph_find_value(b, a->values[v].name);
        assert_int_not_equal(w, RC_NONE);
        assert_same_tensor(&a->values[v].tensor, &b->values[w].tensor);
    }
}

static void round_trip(struct rc_context *c, const struct rc_graph *g)
{
    struct rci_bytes first, second;
    struct rc_graph *back;
    OK(rci_onnx_save_memory(&first, g));
    OK(rci_onnx_load_memory(&back, c, first.data, first.size));
    assert_same_graph(g, back);
    OK(rci_onnx_save_memory(&second, back));
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    rci_graph_free(back);
    rci_release(first.data);
    rci_release(second.data);
}

/* What exporters spell out around shapes is gone after import. */
static void assert_no_shape_chain(const struct rc_graph *g)
{
    static const char *const chain[] = {"Shape",    "Gather",    "Cast",    "ConstantOfShape",
                                        "Constant", "Unsqueeze", "Identity"};
    for (rci_id i = 0; i < g->n_nodes; i++)
        for (size_t k = 0; g->nodes[i].op && k < sizeof(chain) / sizeof(chain[0]); k++)
            assert_string_not_equal(g->nodes[i].op->name, chain[k]);
}

static void batch_is_free(const struct rc_graph *g)
{
    struct rci_tensor *at = rci_alloc_array(g->ctx, g->n_values, sizeof(*at));
    assert_non_null(at);
    for (int64_t batch = 1; batch < 130; batch += 64) {
        OK(rci_graph_infer_at(g, batch, at));
        assert_int_equal(at[g->outputs[0]].shape.dim[0], batch);
        assert_int_equal(at[g->outputs[0]].shape.rank, 2);
    }
    rci_release(at);
}

static uint32_t every_model_in(const char *folder, struct rc_context *c)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    uint32_t n = 0;
    assert_non_null(d);
    while ((e = readdir(d))) {
        const size_t length = strlen(e->d_name);
        char path[1024];
        struct rc_graph *g;
        if (length < 5 || strcmp(e->d_name + length - 5, ".onnx"))
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        OK(rci_onnx_load(&g, c, path));
        assert_no_shape_chain(g);
        batch_is_free(g);
        round_trip(c, g);
        rci_graph_free(g);
        n++;
    }
    closedir(d);
    return n;
}

static void every_shared_model_survives(void **state)
{
    static const char *const folders[] = {"models", "golden/pruning", "golden/training"};
    for (size_t i = 0; i < 3; i++) {
        const char *folder = shared_path(folders[i]);
        if (!folder)
            skip();
        assert_true(every_model_in(folder, *state) > 0);
    }
}

static struct rc_graph *small_graph(struct rc_context *c, int64_t ir, const char *shape)
{
    struct onnx_model m = onnx_model();
    struct rc_graph *g;
    m.ir_version = ir;
    struct pb conv = onnx_node("Conv", "conv", "x w", "c");
    onnx_attr_list(&conv, "pads", 1, 1, 1, 1);
    onnx_add(&m, conv);
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){1, 2, 1, 1}), 3, 4));
    onnx_initializer(&m, onnx_int64s("shape", 0, -1));
    onnx_add(&m, onnx_node("Relu", NULL, "c", "r"));
    onnx_add(&m, onnx_node("Reshape", "", "r shape", "y"));
    onnx_input(&m, "x", shape);
    onnx_output(&m, "y", "?");
    struct pb p = onnx_bytes(&m);
    pb_bytes(&p, 14, "\x0a\x03key\x12\x05value", 12);
    OK(load_bytes(p, c, &g));
    return g;
}

static void old_and_new_files_survive(void **state)
{
    for (int64_t ir = 3; ir <= 10; ir++) {
        struct rc_graph *g = small_graph(*state, ir, ir % 2 ? "images,2,3,3" : "4,2,3,3");
        assert_string_equal(rci_graph_get_metadata(g, "key"), "value");
        assert_int_equal(g->batch, ir % 2 ? 1 : 4);
        round_trip(*state, g);
        rci_graph_free(g);
    }
}

static void graphs_made_in_code_can_be_written(void **state)
{
    struct rc_graph *g;
    rci_id x, n;
    const struct rci_shape s = RC_SHAPE(1, 5);
    OK(rci_graph_new(&g, *state));
    g->dynamic_batch = true;
    OK(rci_graph_add_input(g, &x, "in", RC_F32, &s));
    OK(rci_graph_add_node(g, &n, rci_op_find(NULL, "Relu"), "act", NULL, &x, 1, NULL, 1));
    OK(rci_graph_set_outputs(g, g->nodes[n].out, 1));
    OK(rci_graph_infer(g));
    round_trip(*state, g);
    g->nodes[n].n_post = 1;
    struct rci_bytes b;
    REFUSED(rci_onnx_save_memory(&b, g), RC_ERR_STATE, "\"act\" (Relu) has no ONNX form");
    g->nodes[n].n_post = 0;
    rci_graph_free(g);
}

static void an_unwritable_path_leaves_nothing(void **state)
{
    struct rc_graph *g = small_graph(*state, 8, "N,2,3,3");
    assert_true(rci_onnx_save(g, "/nonexistent/folder/x.onnx") != RC_OK);
    assert_non_null(strstr(rc_last_error(), "/nonexistent/folder/x.onnx"));
    rci_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shared_model_survives),
        cmocka_unit_test(old_and_new_files_survive),
        cmocka_unit_test(graphs_made_in_code_can_be_written),
        cmocka_unit_test(an_unwritable_path_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
