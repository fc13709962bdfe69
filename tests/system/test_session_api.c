/* Sessions and standard networks through the public interface. */
#include "test.h"

#include <rescomp/rescomp.h>
#include <stdlib.h>

enum { PIXELS = 3 * 32 * 32 };

static const char *const path_of_nothing = "nothing.onnx";

static rc_graph *network(rc_context *c, const char *name)
{
    rc_graph *g;
    rc_network_options o = RC_NETWORK_OPTIONS_INIT;
    o.seed = 7;
    OK(rc_graph_new_network(&g, c, name, &o));
    return g;
}

static void standard_networks_have_their_published_size(void **state)
{
    static const struct {
        const char *name;
        uint64_t parameters, macs;
    } want[] = {
        /* parameters as PyTorch counts them, and running statistics; multiply-adds */
        {"resnet20", 269722 + 1376, 40551040},         {"resnet56", 853018 + 4064, 125485696},
        {"resnet18", 11689512 + 9600, 1814073344},     {"resnet50", 25557032 + 53120, 4089184256},
        {"resnet152", 60192808 + 151424, 11513626624},
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
        rc_graph *g = network(*state, want[i].name);
        rc_graph_info info = RC_GRAPH_INFO_INIT;
        OK(rc_graph_get_info(g, &info));
        assert_int_equal(info.parameters, want[i].parameters);
        assert_int_equal(info.macs, want[i].macs);
        assert_int_equal(info.dynamic_batch, 1);
        rc_graph_free(&g);
    }
}

static void every_standard_network_can_be_made(void **state)
{
    static const char *const names[] = {"resnet8",   "resnet32", "resnet44",
                                        "resnet110", "resnet34", "resnet101"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        rc_graph *g = network(*state, names[i]);
        rc_graph_free(&g);
    }
}

static void unknown_networks_are_refused_with_a_list(void **state)
{
    rc_graph *g;
    rc_network_options o = RC_NETWORK_OPTIONS_INIT;
    REFUSED(rc_graph_new_network(&g, *state, "vgg16", NULL), RC_ERR_ARG, "resnet8, resnet20");
    o.multiplier = -1;
    REFUSED(rc_graph_new_network(&g, *state, "resnet8", &o), RC_ERR_ARG, "multiplier is -1");
    assert_null(g);
}

static void same_seed_makes_the_same_weights(void **state)
{
    rc_graph *a = network(*state, "resnet8"), *b = network(*state, "resnet8");
    const float *x, *y;
    int64_t dims[8];
    uint64_t rank;
    OK(rc_graph_get_weight(a, "layer2.0.downsample.0.weight", &x, dims, &rank));
    OK(rc_graph_get_weight(b, "layer2.0.downsample.0.weight", &y, dims, &rank));
    assert_int_equal(rank, 4);
    assert_memory_equal(x, y, (size_t) (dims[0] * dims[1]) * sizeof(float));
    rc_graph_free(&a);
    rc_graph_free(&b);
}

static void a_fused_graph_computes_the_same(void **state)
{
    float *x = calloc(2 * PIXELS, sizeof(*x)), before[20], after[20];
    rc_graph *g = network(*state, "resnet8");
    for (int i = 0; i < 2 * PIXELS; i++)
        x[i] = (float) (i % 17) / 9 - 1;
    for (int fused = 0; fused < 2; fused++) {
        rc_session *s;
        rc_session_options o = RC_SESSION_OPTIONS_INIT;
        o.batch = 2;
        o.flags = RC_SESSION_REFERENCE;
        OK(rc_session_new(&s, g, &o));
        float *y = fused ? after : before;
        OK(rc_session_run(s, 2, (const float *const[]){x}, (float *const[]){y}));
        rc_session_free(&s);
        assert_null(s);
        OK(rc_graph_fuse(g));
    }
    for (int i = 0; i < 20; i++)
        assert_float_equal(before[i], after[i], 1e-4);
    free(x);
    rc_graph_free(&g);
}

static void a_session_from_a_file_computes_the_same(void **state)
{
    static const char path[] = "session_api.onnx";
    const char *const observe[] = {"layer1.0.bn2_output_0"};
    float *x = calloc(3 * PIXELS, sizeof(*x)), y[2][30];
    rc_graph *g = network(*state, "resnet8");
    rc_session *s;
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    o.batch = 3;
    for (int i = 0; i < 3 * PIXELS; i++)
        x[i] = (float) (i % 17) / 9 - 1;
    OK(rc_graph_save(g, path));
    rc_graph_free(&g);
    OK(rc_graph_load(&g, *state, path));
    for (int i = 0; i < 2; i++) {
        OK(i ? rc_session_load(&s, *state, path, &o) : rc_session_new(&s, g, &o));
        OK(rc_session_run(s, 3, (const float *const[]){x}, (float *const[]){y[i]}));
        rc_session_free(&s);
    }
    assert_memory_equal(y[0], y[1], sizeof(y[0]));
    o.observe = observe;
    o.observe_count = 1;
    OK(rc_session_load(&s, *state, path, &o));
    assert_int_equal(rc_session_count_outputs(s), 2);
    rc_session_free(&s);
    o.observe = &path_of_nothing;
    REFUSED(rc_session_load(&s, *state, path, &o), RC_ERR_ARG, "the graph has no value");
    assert_null(s);
    o = (rc_session_options) RC_SESSION_OPTIONS_INIT;
    o.flags = 1 << 20;
    REFUSED(rc_session_load(&s, *state, path, &o), RC_ERR_ABI, "flags");
    REFUSED(rc_session_load(&s, *state, NULL, NULL), RC_ERR_ARG, "path is NULL");
    REFUSED(rc_session_load(&s, NULL, path, NULL), RC_ERR_ARG, "context is NULL");
    REFUSED(rc_session_load(NULL, *state, path, NULL), RC_ERR_ARG, "out is NULL");
    REFUSED(rc_session_load(&s, *state, path_of_nothing, NULL), RC_ERR_PATH, path_of_nothing);
    remove(path);
    free(x);
    rc_graph_free(&g);
}

static void a_session_tells_its_arrays_and_steps(void **state)
{
    rc_graph *g = network(*state, "resnet8");
    rc_session *s;
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    const char *const observe[] = {"layer1.0.bn2_output_0"};
    rc_session_io_info io = RC_SESSION_IO_INFO_INIT;
    uint64_t activations, weights;
    o.batch = 3;
    o.flags = RC_SESSION_PROFILE;
    o.observe = observe;
    o.observe_count = 1;
    OK(rc_session_new(&s, g, &o));
    assert_int_equal(rc_session_count_inputs(s), 1);
    assert_int_equal(rc_session_count_outputs(s), 2);
    OK(rc_session_get_output(s, 0, &io));
    assert_string_equal(io.name, "logits");
    assert_int_equal(io.rank, 2);
    assert_int_equal(io.shape[0], 3);
    assert_int_equal(io.batched, 1);
    OK(rc_session_get_output(s, 1, &io));
    assert_string_equal(io.name, observe[0]);
    OK(rc_session_get_input(s, 0, &io));
    assert_int_equal(io.rank, 4);
    float *x = calloc(3 * PIXELS, sizeof(*x)), y[30];
    OK(rc_session_run(s, 3, (const float *const[]){x}, (float *const[]){y, NULL}));
    uint64_t macs = 0;
    for (uint64_t i = 0; i < rc_session_count_steps(s); i++) {
        rc_session_step_info info = {.size = sizeof(info)};
        OK(rc_session_get_step(s, i, &info));
        assert_true(info.runs >= 1 && info.runs <= 3); /* parts of the batch */
        assert_true(info.bytes > 0 && info.kernel && info.layout);
        macs += info.runs * info.macs;
    }
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    OK(rc_graph_get_info(g, &info));
    assert_int_equal(macs, 3 * info.macs);
    OK(rc_session_get_memory(s, &activations, &weights));
    assert_true(activations > 0 && weights > info.weight_bytes / 2);
    free(x);
    rc_session_free(&s);
    rc_graph_free(&g);
}

static void wrong_arguments_are_refused(void **state)
{
    rc_graph *g = network(*state, "resnet8");
    rc_session *s;
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    float y[10];
    o.threads = 2000;
    REFUSED(rc_session_new(&s, g, &o), RC_ERR_ARG, "threads is 2000");
    o.threads = 0;
    o.flags = 64;
    REFUSED(rc_session_new(&s, g, &o), RC_ERR_ABI, "flags is 0x40");
    o.flags = 0;
    o.observe = (const char *const[]){"nothing"};
    o.observe_count = 1;
    REFUSED(rc_session_new(&s, g, &o), RC_ERR_ARG, "no value \"nothing\"");
    assert_null(s);
    OK(rc_session_new(&s, g, NULL));
    REFUSED(rc_session_run(s, 1, (const float *const[]){NULL}, (float *const[]){y}), RC_ERR_ARG,
            "inputs[0] (\"input\") is NULL");
    rc_session_io_info io = RC_SESSION_IO_INFO_INIT;
    REFUSED(rc_session_get_input(s, 1, &io), RC_ERR_ARG, "input 1 does not exist");
    REFUSED(rc_session_get_output(s, 1, &io), RC_ERR_ARG, "output 1 does not exist");
    REFUSED(rc_session_get_output(s, 0, NULL), RC_ERR_ARG, "info is NULL");
    rc_session_free(&s);
    REFUSED(rc_session_get_memory(NULL, NULL, NULL), RC_ERR_ARG, "session is NULL");
    rc_graph_free(&g);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(standard_networks_have_their_published_size),
        CASE(every_standard_network_can_be_made),
        CASE(unknown_networks_are_refused_with_a_list),
        CASE(same_seed_makes_the_same_weights),
        CASE(a_fused_graph_computes_the_same),
        CASE(a_session_from_a_file_computes_the_same),
        CASE(a_session_tells_its_arrays_and_steps),
        CASE(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
