/* Files and models that must be refused: one status, one line that names the thing. The numbers in
 * comments are those of the list of bad inputs in docs/robustness.md. */
#include "files.h"
#include "load.h"

#include "io/onnx.h"

#include <math.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* x -> Relu -> y with a weight beside it */
static struct onnx_model relu_model(void)
{
    struct onnx_model m = onnx_model();
    onnx_add(&m, onnx_node("Relu", "relu", "x", "y"));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    return m;
}

static void empty_and_foreign_files_are_not_onnx(void **state)
{
    struct pb p = {0};
    REFUSED(load_bytes(p, *state, NULL), RC_ERR_FORMAT, "no graph");
    pb_varint(&p, 1, 8);
    REFUSED(load_bytes(p, *state, NULL), RC_ERR_FORMAT, "no graph");
    p = (struct pb){0};
    pb_raw(&p, "\x89PNG\r\n\x1a\n....", 12);
    REFUSED(load_bytes(p, *state, NULL), RC_ERR_FORMAT, "PNG");
}

static struct pb relu_bytes(void)
{
    struct onnx_model m = relu_model();
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){2, 2}), 1, 2, 3, 4));
    return onnx_bytes(&m);
}

static void a_file_cut_at_any_byte_is_refused(void **state)
{
    struct pb p = relu_bytes();
    for (size_t n = 0; n < p.size; n++) {
        struct rc_graph *g;
        const rc_status st = rci_onnx_load_memory(&g, *state, p.data, n);
        if (st == RC_OK)
            fail_msg("%zu of %zu bytes were accepted", n, p.size);
        assert_null(g);
    }
    OK(load_bytes(p, *state, NULL));
}

static void flipping_any_bit_never_crashes(void **state)
{
    struct pb p = relu_bytes();
    uint32_t refused = 0;
    for (size_t bit = 0; bit < p.size * 8; bit++) {
        struct rc_graph *g;
        p.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
        const rc_status st = rci_onnx_load_memory(&g, *state, p.data, p.size);
        assert_true((st == RC_OK) == (g != NULL));
        refused += st != RC_OK;
        rci_graph_free(g);
        p.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
    assert_true(refused > p.size); /* most bits matter */
    pb_free(&p);
}

/* 9: many tiny messages may not swell in memory */
static void memory_stays_bounded_for_tiny_messages(void **state)
{
    (void) state;
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    o.max_memory = 64 << 20;
    rc_context *c;
    OK(rc_context_new(&c, &o));
    for (uint32_t field = 1; field <= 13; field += 4) {
        struct pb p = {0}, graph = {0};
        pb_varint(&p, 1, 8);
        for (int i = 0; i < 2000000; i++)
            pb_bytes(&graph, field, "", 0);
        pb_message(&p, 7, &graph);
        const rc_status st = load_bytes(p, c, NULL);
        assert_true(st == RC_ERR_LIMIT || st == RC_ERR_UNSUPPORTED || st == RC_ERR_MEMORY);
    }
    rc_context_free(&c);
}

/* 12 */
static void things_without_a_name_are_refused(void **state)
{
    struct onnx_model m = relu_model();
    onnx_initializer(&m, onnx_floats("", ((int64_t[]){1}), 1));
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "initializer 0 has no name");
    m = relu_model();
    onnx_input(&m, "", "N,3");
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "input 1 has no name");
    m = relu_model();
    onnx_output(&m, "", "N,3");
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "graph output \"\" is not defined");
    m = relu_model();
    struct pb p = onnx_bytes(&m);
    pb_bytes(&p, 14, "\x12\x01v", 3);
    REFUSED(load_bytes(p, *state, NULL), RC_ERR_MODEL, "entry 0 has no key");
}

/* 12: a message goes to terminals and logs */
static void names_are_escaped_in_messages(void **state)
{
    struct onnx_model m = relu_model();
    onnx_add(&m, onnx_node("Relu", "red\x1b[31m\r\n", "nowhere", "z"));
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "nowhere");
    for (const char *c = rc_last_error(); *c; c++)
        assert_true((unsigned char) *c >= 0x20);
    struct rc_graph *g;
    m = onnx_model();
    onnx_add(&m, onnx_node("Relu", "a\tb", "x\x7f", "y"));
    onnx_input(&m, "x\x7f", "N,3");
    onnx_output(&m, "y", "N,3");
    OK(load_model(&m, *state, &g)); /* such names are allowed, and kept */
    assert_true(rci_graph_find_node(g, "a\tb") != RC_NONE);
    rci_graph_free(g);
}

/* 13 */
static void a_socket_is_no_file(void **state)
{
    struct rc_graph *g;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int s = socket(AF_UNIX, SOCK_STREAM, 0);
    const char *folder = scratch_folder();
    assert_true(s >= 0);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", folder);
    assert_int_equal(bind(s, (struct sockaddr *) &at, sizeof(at)), 0);
    REFUSED(rci_onnx_load(&g, *state, at.sun_path), RC_ERR_IO, "/s: ");
    close(s);
    scratch_remove(folder);
}

/* 13, 15 */
static void paths_that_are_no_files_have_their_own_codes(void **state)
{
    struct rc_graph *g;
    char name[] = "/tmp/rescomp-XXXXXX", fifo[64], missing[64], large[5000];
    assert_non_null(mkdtemp(name));
    snprintf(fifo, sizeof(fifo), "%s/fifo", name);
    snprintf(missing, sizeof(missing), "%s/missing.onnx", name);
    memset(large, 'a', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    assert_int_equal(mkfifo(fifo, 0600), 0);
    REFUSED(rci_onnx_load(&g, *state, name), RC_ERR_IO, name);
    REFUSED(rci_onnx_load(&g, *state, fifo), RC_ERR_IO, "regular file");
    REFUSED(rci_onnx_load(&g, *state, "/dev/zero"), RC_ERR_IO, "/dev/zero");
    REFUSED(rci_onnx_load(&g, *state, missing), RC_ERR_PATH, "missing.onnx");
    REFUSED(rci_onnx_load(&g, *state, large), RC_ERR_PATH, "");
    REFUSED(rci_onnx_load(&g, *state, ""), RC_ERR_PATH, "");
    FILE *f = fopen(missing, "wb");
    assert_non_null(f);
    fputs("GIF89a is no model", f);
    fclose(f);
    REFUSED(rci_onnx_load(&g, *state, missing), RC_ERR_FORMAT, "missing.onnx: not an ONNX model");
    unlink(missing);
    unlink(fifo);
    rmdir(name);
}

static rc_status load_versions(int64_t ir, int64_t opset, struct rc_context *c)
{
    struct onnx_model m = relu_model();
    m.ir_version = ir;
    m.opset = opset;
    return load_model(&m, c, NULL);
}

/* 16 */
static void unknown_versions_are_named(void **state)
{
    OK(load_versions(3, 7, *state));
    OK(load_versions(10, 21, *state));
    REFUSED(load_versions(0, 13, *state), RC_ERR_UNSUPPORTED, "ir_version is 0");
    REFUSED(load_versions(999, 13, *state), RC_ERR_UNSUPPORTED, "ir_version is 999");
    REFUSED(load_versions(8, 0, *state), RC_ERR_UNSUPPORTED, "opset is 0, supported are 1..25");
    REFUSED(load_versions(8, 99, *state), RC_ERR_UNSUPPORTED, "opset is 99");
    struct onnx_model m = relu_model();
    struct pb p = onnx_bytes(&m);
    pb_bytes(&p, 8, "\x10\x0b", 2);
    REFUSED(load_bytes(p, *state, NULL), RC_ERR_UNSUPPORTED, "opset 13 and opset 11");
    m = relu_model();
    p = (struct pb){0};
    pb_message(&p, 7, &m.graph);
    struct pb without_opset = {0};
    pb_varint(&without_opset, 1, 8);
    pb_raw(&without_opset, p.data, p.size);
    REFUSED(load_bytes(p, *state, NULL), RC_ERR_UNSUPPORTED, "ir_version is missing");
    REFUSED(load_bytes(without_opset, *state, NULL), RC_ERR_UNSUPPORTED, "opset_import is missing");
}

/* 17 */
static void all_unsupported_nodes_are_listed(void **state)
{
    struct onnx_model m = relu_model();
    struct pb custom = onnx_node("Relu", "mine", "x", "c");
    pb_string(&custom, 7, "my.stuff");
    onnx_add(&m, onnx_node("Frobnicate", "first", "x", "a"));
    onnx_add(&m, onnx_node("LSTM", NULL, "x", "b"));
    onnx_add(&m, custom);
    REFUSED(load_model(&m, *state, NULL), RC_ERR_UNSUPPORTED,
            "3 unsupported nodes: \"first\" (Frobnicate), \"b\" (LSTM), \"mine\" (my.stuff.Relu)");
    m = relu_model();
    for (int i = 0; i < 300; i++)
        onnx_add(&m, onnx_node("Frobnicate", "some_long_name_of_a_node", "x", "a"));
    REFUSED(load_model(&m, *state, NULL), RC_ERR_UNSUPPORTED, "300 unsupported nodes");
    assert_non_null(strstr(rc_last_error(), " more"));
}

/* 18 */
static void names_defined_twice_are_refused(void **state)
{
    struct onnx_model m = relu_model();
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){1}), 1));
    onnx_initializer(&m, onnx_floats("w", ((int64_t[]){1}), 2));
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "name \"w\" defined twice");
    m = relu_model();
    onnx_initializer(&m, onnx_floats("y", ((int64_t[]){1}), 1));
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "name \"y\" defined twice");
    m = relu_model();
    onnx_add(&m, onnx_node("Relu", "again", "x", "y"));
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "name \"y\" defined twice");
    m = relu_model();
    onnx_add(&m, onnx_node("Relu", "into_input", "y", "x"));
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "name \"x\" defined twice");
    m = relu_model();
    onnx_input(&m, "x", "N,3");
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "name \"x\" defined twice");
}

/* 19, 20 */
static void order_is_free_but_cycles_are_refused(void **state)
{
    struct onnx_model m = onnx_model();
    onnx_add(&m, onnx_node("Relu", "last", "b", "y"));
    onnx_add(&m, onnx_node("Relu", "middle", "a", "b"));
    onnx_add(&m, onnx_node("Relu", "first", "x", "a"));
    onnx_input(&m, "x", "N,3");
    onnx_output(&m, "y", "N,3");
    OK(load_model(&m, *state, NULL));
    m = relu_model();
    onnx_add(&m, onnx_node("Relu", "ouroboros", "a", "a"));
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "cycle");
    m = relu_model();
    onnx_add(&m, onnx_node("Relu", "p", "q", "r"));
    onnx_add(&m, onnx_node("Relu", "s", "r", "q"));
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "cycle");
}

/* 21 */
static void undefined_names_are_refused(void **state)
{
    struct onnx_model m = onnx_model();
    REFUSED(load_node(&m, "N,3", onnx_node("Relu", "relu", "nowhere", "y"), *state), RC_ERR_MODEL,
            "operand 0 \"nowhere\" is not defined");
    m = relu_model();
    onnx_output(&m, "z", "?");
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "graph output \"z\" is not defined");
    m = relu_model();
    onnx_output(&m, "y", "?");
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "given twice");
    m = onnx_model();
    onnx_input(&m, "x", "N,3");
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "no outputs");
    m = onnx_model();
    onnx_output(&m, "x", "N,3");
    REFUSED(load_model(&m, *state, NULL), RC_ERR_MODEL, "no inputs");
}

/* 22, 23 */
static void what_is_no_plain_graph_is_refused(void **state)
{
    struct pb attribute = {0}, node = onnx_node("If", "branch", "x", "z");
    pb_string(&attribute, 1, "then_branch");
    pb_bytes(&attribute, 6, "\x12\x01g", 3);
    pb_message(&node, 5, &attribute);
    struct onnx_model m = relu_model();
    onnx_add(&m, node);
    REFUSED(load_model(&m, *state, NULL), RC_ERR_UNSUPPORTED, "\"branch\" (If with a subgraph)");
    m = relu_model();
    struct pb p = onnx_bytes(&m);
    pb_bytes(&p, 25,
             "\x0a\x01"
             "f",
             3);
    OK(load_bytes(p, *state, NULL)); /* a function that no node calls */
    m = relu_model();
    pb_bytes(&m.graph, 15, "", 0);
    REFUSED(load_model(&m, *state, NULL), RC_ERR_UNSUPPORTED, "sparse");
    m = relu_model();
    pb_bytes(&m.graph, 14, "", 0);
    OK(load_model(&m, *state, NULL)); /* quantization annotations are ignored */
    m = relu_model();
    p = onnx_bytes(&m);
    pb_bytes(&p, 20, "", 0);
    OK(load_bytes(p, *state, NULL)); /* so is training information */
}

/* 42 */
static void only_the_batch_may_be_symbolic(void **state)
{
    static const struct {
        const char *shape, *word;
        rc_status status;
    } t[] = {
        {"N,3,H,W", "axis 2 is symbolic (\"H\")", RC_ERR_SHAPE},
        {"N,3,?,8", "axis 2 is symbolic", RC_ERR_SHAPE},
        {"0,3", "axis 0 is 0", RC_ERR_SHAPE},
        {"-1,3", "axis 0 is -1", RC_ERR_SHAPE},
        {"1,2147483648", "axis 1 is 2147483648", RC_ERR_SHAPE},
        {"2147483647,2147483647,9", "too many elements", RC_ERR_SHAPE},
        {"1,1,1,1,1,1,1,1,1", "9 dimensions", RC_ERR_SHAPE},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct onnx_model m = onnx_model();
        REFUSED(load_node(&m, t[i].shape, onnx_node("Relu", "relu", "x", "y"), *state), t[i].status,
                t[i].word);
    }
    struct onnx_model m = onnx_model();
    OK(load_node(&m, "?,3", onnx_node("Relu", "relu", "x", "y"), *state));
    m = relu_model();
    onnx_input(&m, "x2", "M,3");
    REFUSED(load_model(&m, *state, NULL), RC_ERR_SHAPE, "batch is \"M\"");
    m = relu_model();
    onnx_input(&m, "x2", "4,3");
    REFUSED(load_model(&m, *state, NULL), RC_ERR_SHAPE, "the batch is fixed");
    m = relu_model();
    struct pb v = {0};
    pb_string(&v, 1, "untyped");
    pb_message(&m.graph, 11, &v);
    REFUSED(load_model(&m, *state, NULL), RC_ERR_SHAPE, "\"untyped\" has no type");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_and_foreign_files_are_not_onnx),
        cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
        cmocka_unit_test(flipping_any_bit_never_crashes),
        cmocka_unit_test(memory_stays_bounded_for_tiny_messages),
        cmocka_unit_test(things_without_a_name_are_refused),
        cmocka_unit_test(names_are_escaped_in_messages),
        cmocka_unit_test(a_socket_is_no_file),
        cmocka_unit_test(paths_that_are_no_files_have_their_own_codes),
        cmocka_unit_test(unknown_versions_are_named),
        cmocka_unit_test(all_unsupported_nodes_are_listed),
        cmocka_unit_test(names_defined_twice_are_refused),
        cmocka_unit_test(order_is_free_but_cycles_are_refused),
        cmocka_unit_test(undefined_names_are_refused),
        cmocka_unit_test(what_is_no_plain_graph_is_refused),
        cmocka_unit_test(only_the_batch_may_be_symbolic),
    };
    return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
