/* The public functions of rescomp/graph.h. */
#include "pb.h"
#include "test.h"

#include <rescomp/rescomp.h>
#include <stdlib.h>
#include <unistd.h>

static struct pb model_bytes(void)
{
    struct onnx_model m = onnx_model();
    struct pb conv = onnx_node("Conv", "conv", "x w b", "c");
    onnx_attr_list(&conv, "pads", 0, 0, 0, 0);
    onnx_add(&m, onnx_node("Relu", "relu", "c", "y")); /* not in order of execution */
    onnx_add(&m, conv);
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){3, 2, 1, 1}), 1, 2, 3, 4, 5, 6));
    onnx_initializer(&m, onnx_floats("b", ((int64_t[]){3}), 7, 8, 9));
    onnx_input(&m, "x", "N,2,4,5");
    onnx_output(&m, "y", "N,3,4,5");
    return onnx_bytes(&m);
}

struct made {
    rc_context *c;
    rc_graph *g;
};

static struct made make(void)
{
    struct made m = {0};
    struct pb p = model_bytes();
    OK(rc_context_new(&m.c, NULL));
    OK(rc_graph_load_memory(&m.g, m.c, p.data, p.size));
    pb_free(&p);
    return m;
}

static void drop(struct made *m)
{
    uint64_t live = 1;
    rc_graph_free(&m->g);
    assert_null(m->g);
    OK(rc_context_get_memory(m->c, &live, NULL));
    assert_int_equal(live, 0);
    rc_context_free(&m->c);
}

static void totals_and_nodes_are_told(void **state)
{
    (void) state;
    struct made m = make();
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    rc_node_info node = RC_NODE_INFO_INIT;
    OK(rc_graph_get_info(m.g, &info));
    assert_int_equal(info.nodes, 2);
    assert_int_equal(info.parameters, 9);
    assert_int_equal(info.weight_bytes, 36);
    assert_int_equal(info.macs, 6 * 20);
    assert_int_equal(info.opset, 13);
    assert_int_equal(info.dynamic_batch, 1);
    OK(rc_graph_get_node(m.g, 0, &node));
    assert_string_equal(node.name, "conv");
    assert_string_equal(node.op, "Conv");
    assert_int_equal(node.rank, 4);
    assert_int_equal(node.shape[0], 1);
    assert_int_equal(node.shape[1], 3);
    assert_int_equal(node.parameters, 9);
    assert_int_equal(node.bytes, 36);
    assert_int_equal(node.macs, 6 * 20);
    OK(rc_graph_get_node(m.g, 1, &node));
    assert_string_equal(node.op, "Relu");
    REFUSED(rc_graph_get_node(m.g, 2, &node), RC_ERR_ARG, "node 2 does not exist, there are 2");
    drop(&m);
}

static void weights_can_be_looked_at(void **state)
{
    (void) state;
    struct made m = make();
    const float *data;
    int64_t dims[8];
    uint64_t rank;
    OK(rc_graph_get_weight(m.g, "w", &data, dims, &rank));
    assert_int_equal(rank, 4);
    assert_int_equal(dims[0], 3);
    assert_true(data[5] == 6);
    OK(rc_graph_get_weight(m.g, "x", &data, dims, &rank));
    assert_null(data);
    REFUSED(rc_graph_get_weight(m.g, "v", &data, dims, &rank), RC_ERR_ARG, "no value named \"v\"");
    drop(&m);
}

static void metadata_and_files_round_trip(void **state)
{
    (void) state;
    struct made m = make();
    char path[] = "/tmp/rescomp-XXXXXX";
    const char *value;
    rc_graph *copy, *back;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    OK(rc_graph_set_metadata(m.g, "classes", "3"));
    OK(rc_graph_clone(&copy, m.g));
    OK(rc_graph_set_metadata(m.g, "classes", NULL));
    OK(rc_graph_get_metadata(m.g, "classes", &value));
    assert_null(value);
    OK(rc_graph_save(copy, path));
    OK(rc_graph_load(&back, m.c, path));
    OK(rc_graph_get_metadata(back, "classes", &value));
    assert_string_equal(value, "3");
    unlink(path);
    rc_graph_free(&copy);
    REFUSED(rc_graph_load(&copy, m.c, path), RC_ERR_PATH, path);
    assert_null(copy);
    rc_graph_free(&back);
    drop(&m);
}

static void wrong_arguments_are_errors(void **state)
{
    (void) state;
    struct made m = make();
    rc_graph *g = (rc_graph *) &m;
    rc_graph_info info = {0};
    REFUSED(rc_graph_load(NULL, m.c, "x"), RC_ERR_ARG, "out is NULL");
    REFUSED(rc_graph_load(&g, NULL, "x"), RC_ERR_ARG, "context is NULL");
    assert_null(g);
    REFUSED(rc_graph_load(&g, m.c, NULL), RC_ERR_ARG, "path is NULL");
    REFUSED(rc_graph_load_memory(&g, m.c, NULL, 4), RC_ERR_ARG, "data is NULL");
    REFUSED(rc_graph_load_memory(&g, m.c, NULL, 0), RC_ERR_FORMAT, "no graph");
    REFUSED(rc_graph_save(NULL, "x"), RC_ERR_ARG, "graph is NULL");
    REFUSED(rc_graph_save(m.g, NULL), RC_ERR_ARG, "path is NULL");
    REFUSED(rc_graph_clone(&g, NULL), RC_ERR_ARG, "graph is NULL");
    REFUSED(rc_graph_get_info(m.g, NULL), RC_ERR_ARG, "info is NULL");
    REFUSED(rc_graph_get_info(m.g, &info), RC_ERR_ABI, "size is 0");
    REFUSED(rc_graph_set_metadata(m.g, "", "x"), RC_ERR_ARG, "empty");
    REFUSED(rc_graph_get_metadata(m.g, NULL, NULL), RC_ERR_ARG, "NULL");
    uint64_t not_a_graph[16] = {0};
    REFUSED(rc_graph_save((rc_graph *) not_a_graph, "x"), RC_ERR_ARG, "not a graph");
    rc_graph_free(NULL);
    g = NULL;
    rc_graph_free(&g);
    drop(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_and_nodes_are_told),
        cmocka_unit_test(weights_can_be_looked_at),
        cmocka_unit_test(metadata_and_files_round_trip),
        cmocka_unit_test(wrong_arguments_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
