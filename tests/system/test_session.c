/* Compiled sessions compute what the plain operators compute, without allocating. */
#include "nets.h"
#include "shared.h"
#include "test.h"

#include "exec/plan.h"
#include "exec/session.h"
#include "exec/tape.h"
#include "io/onnx.h"
#include "kernel/onednn/engine.h"
#include "op/layers.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIXELS = 3 * 13 * 11, CLASSES = 5 };

static struct rc_session *compile(const struct rc_graph *g, int64_t batch, uint64_t flags)
{
    struct rc_session *s;
    const struct rci_session_config o = {.batch = batch, .flags = flags};
    OK(rci_session_new(&s, g, &o));
    return s;
}

static void run(struct rc_session *s, int64_t n, const float *x, float *y)
{
    OK(rci_session_run(s, n, (const void *const[]){x}, (void *const[]){y}));
}

static void check_random(struct rc_context *c, uint64_t seed, uint32_t kinds)
{
    enum { BATCH = 3 };
    float x[BATCH * PIXELS], want[BATCH * CLASSES], y[BATCH * CLASSES];
    struct rc_graph *g = net_random(c, seed, kinds);
    fill_random(x, BATCH * PIXELS, seed);
    run_reference(g, BATCH, x, want);
    struct rc_session *s = compile(g, BATCH, 0);
    for (int64_t n = BATCH; n >= 1; n--) {
        memset(y, 0, sizeof(y));
        run(s, n, x, y);
        const double e = relative_error(y, want, n * CLASSES);
        if (!(e < 2e-5))
            fail_msg("seed %d, kinds %u, %d images: error %g", (int) seed, kinds, (int) n, e);
    }
    rci_session_free(s);
    rci_graph_free(g);
}

static void fast_equals_reference_on_random_nets(void **state)
{
    for (uint64_t seed = 1; seed <= 24; seed++)
        check_random(*state, seed, NET_ALL);
}

static void fast_equals_reference_on_each_kind_of_block(void **state)
{
    for (uint32_t kind = 0; kind < 7; kind++)
        for (uint64_t seed = 1; seed <= 3; seed++)
            if (1u << kind != NET_ACTIVATIONS)
                check_random(*state, 100 + seed, 1u << kind | NET_ACTIVATIONS);
}

/* y = conv(x) + x: the sum is fused, and x must not be overwritten while the convolution reads it.
 */
static void what_is_added_may_also_be_read(void **state)
{
    enum { C = 32, SIDE = 12, N = C * SIDE * SIDE };
    static float x[N], want[N], y[N], weights[C * C * 9];
    const struct rci_conv_attrs a = {{{0}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 0, 0}, 1};
    const struct rci_tensor w = {RC_F32, RC_SHAPE(C, C, 3, 3), weights};
    const struct rci_shape shape = RC_SHAPE(1, C, SIDE, SIDE);
    const struct rci_op *conv = rci_op_find(NULL, "Conv"), *add = rci_op_find(NULL, "Add");
    struct rc_graph *g;
    rci_id v[3], node, k;
    fill_random(x, N, 1);
    fill_random(weights, C * C * 9, 2);
    OK(rci_graph_new(&g, *state));
    OK(rci_graph_add_input(g, &v[0], "x", RC_F32, &shape));
    OK(rci_graph_add_const(g, &k, "w", &w));
    OK(rci_graph_add_node(g, &node, conv, "first", &a, (rci_id[]){v[0], k}, 2, NULL, 1));
    v[1] = g->nodes[node].out[0];
    OK(rci_graph_add_node(g, &node, conv, "second", &a, (rci_id[]){v[1], k}, 2, NULL, 1));
    v[2] = g->nodes[node].out[0];
    OK(rci_graph_add_node(g, &node, add, "sum", NULL, &v[1], 2, NULL, 1));
    OK(rci_graph_add_node(g, &node, conv, "last", &a, (rci_id[]){g->nodes[node].out[0], k}, 2, NULL,
                          1));
    OK(rci_graph_set_outputs(g, &g->nodes[node].out[0], 1));
    OK(rci_graph_infer(g));
    run_reference(g, 1, x, want);
    struct rc_session *s = compile(g, 1, 0);
    assert_true(rci_session_n_steps(s) <= 6); /* three convolutions, two reorders, one copy */
    run(s, 1, x, y);
    assert_true(relative_error(y, want, N) < 2e-5);
    rci_session_free(s);
    rci_graph_free(g);
}

static void without_passes_the_result_is_the_same(void **state)
{
    float x[PIXELS], want[CLASSES], y[CLASSES];
    struct rc_graph *g = net_random(*state, 7, NET_ALL);
    fill_random(x, PIXELS, 1);
    run_reference(g, 1, x, want);
    struct rc_session *s = compile(g, 1, RC_SESSION_NO_PASSES);
    run(s, 1, x, y);
    assert_true(relative_error(y, want, CLASSES) < 2e-5);
    rci_session_free(s);
    rci_graph_free(g);
}

/* Convolution layouts go from the stem to the pool: no conversion of activations on the way, but
 * for one behind the stem by oneDNN 3.x, which runs the stem in another layout. */
static void check_no_reorders(struct rc_context *c, const char *name)
{
    struct rc_graph *g = net_zoo(c, name, 1);
    struct rc_session *s = compile(g, 1, 0);
    uint32_t stem = UINT32_MAX, pool = 0, reorders = 0;
    struct rci_step_info info;
    for (uint32_t i = 0; i < rci_session_n_steps(s); i++) {
        rci_session_step(s, i, &info);
        if (!strcmp(info.op, "Conv") && stem == UINT32_MAX)
            stem = i;
        if (!strcmp(info.op, "GlobalAveragePool"))
            pool = i;
    }
    for (uint32_t i = stem; i < pool; i++) {
        rci_session_step(s, i, &info);
        reorders += !strcmp(info.op, "reorder") || !strcmp(info.op, "copy");
        assert_string_not_equal(info.kernel, "plain C");
    }
    assert_true(pool > stem);
    char onednn[RC_ONEDNN_VERSION];
    rci_onednn_version(onednn);
    assert_true(reorders <= (onednn[0] == '2' ? 0 : 1));
    rci_session_free(s);
    rci_graph_free(g);
}

static void residual_networks_need_no_reorders(void **state)
{
    check_no_reorders(*state, "resnet20");
    check_no_reorders(*state, "resnet56");
    check_no_reorders(*state, "resnet18");
    check_no_reorders(*state, "resnet50");
}

/* --- allocation --- */

static int64_t n_allocations, fail_at; /* fail_at 0: never */

static void *count_allocate(void *user, size_t size, size_t alignment)
{
    (void) user;
    void *p = NULL;
    if (++n_allocations == fail_at)
        return NULL;
    return posix_memalign(&p, alignment < 64 ? 64 : alignment, size) ? NULL : p;
}

static void count_release(void *user, void *p)
{
    (void) user;
    free(p);
}

static struct rc_context *counting_context(void)
{
    struct rc_context *c;
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    o.allocate = count_allocate;
    o.release = count_release;
    OK(rc_context_new(&c, &o));
    return c;
}

static void running_allocates_nothing(void **state)
{
    (void) state;
    struct rc_context *c = counting_context();
    struct rc_graph *g = net_random(c, 11, NET_ALL);
    struct rc_session *s = compile(g, 4, 0);
    float x[4 * PIXELS], y[4 * CLASSES];
    fill_random(x, 4 * PIXELS, 1);
    const int64_t before = n_allocations;
    run(s, 4, x, y);
    run(s, 1, x, y);
    assert_int_equal(n_allocations, before);
    rci_session_free(s);
    const struct rci_session_config o = {.batch = 4, .part = 3};
    OK(rci_session_new(&s, g, &o));
    const int64_t in_parts = n_allocations;
    run(s, 4, x, y);
    run(s, 2, x, y);
    assert_int_equal(n_allocations, in_parts);
    rci_session_free(s);
    rci_graph_free(g);
    rc_context_free(&c);
}

/* Each allocation of compiling fails once (every third, to stay short): an error, no leak. */
static void every_allocation_may_fail(void **state)
{
    (void) state;
    struct rc_context *c = counting_context();
    struct rc_graph *g = net_random(c, 11, NET_RESIDUAL | NET_SHORTCUT | NET_CONCAT);
    const struct rci_session_config o = {.batch = 2};
    const struct rci_tape_config u = {.batch = 2};
    uint64_t before, after;
    OK(rc_context_get_memory(c, &before, NULL));
    for (int training = 0; training < 2; training++) {
        rc_status st = RC_ERR_MEMORY;
        for (int64_t k = 1; st != RC_OK; k += 3) {
            struct rc_session *s = NULL;
            struct rci_tape *t = NULL;
            n_allocations = 0;
            fail_at = k;
            st = training ? rci_tape_new(&t, g, &u) : rci_session_new(&s, g, &o);
            fail_at = 0;
            assert_true(st == RC_OK || st == RC_ERR_MEMORY);
            rci_session_free(s);
            rci_tape_free(t);
            OK(rc_context_get_memory(c, &after, NULL));
            assert_int_equal(before, after);
        }
    }
    rci_graph_free(g);
    rc_context_free(&c);
}

static void same_input_gives_same_bytes(void **state)
{
    float x[2 * PIXELS], a[2 * CLASSES], b[2 * CLASSES];
    struct rc_graph *g = net_random(*state, 5, NET_ALL);
    struct rc_session *s = compile(g, 2, 0), *t = compile(g, 2, 0);
    fill_random(x, 2 * PIXELS, 1);
    run(s, 2, x, a);
    run(s, 2, x, b);
    assert_memory_equal(a, b, sizeof(a));
    run(t, 2, x, b);
    assert_memory_equal(a, b, sizeof(a));
    rci_session_free(s);
    rci_session_free(t);
    rci_graph_free(g);
}

static void observed_values_come_after_the_outputs(void **state)
{
    float x[PIXELS], y[CLASSES];
    struct rc_graph *g = net_zoo(*state, "resnet8", 0.25);
    const rci_id v = g->nodes[rci_graph_find_node(g, "bn1")].out[0];
    struct rc_session *s;
    const struct rci_session_config o = {.batch = 1, .observe = &v, .n_observe = 1};
    OK(rci_session_new(&s, g, &o));
    assert_int_equal(rci_session_n_outputs(s), 2);
    const int64_t n = rci_shape_count(&rci_session_output(s, 1)->shape);
    assert_int_equal(n, 4 * 32 * 32);
    float *in = calloc(3 * 32 * 32, sizeof(float)), *seen = calloc((size_t) n, sizeof(float));
    float logits[10];
    OK(rci_session_run(s, 1, (const void *const[]){in}, (void *const[]){logits, seen}));
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += seen[i] != 0;
    assert_true(sum > 0); /* the shift of BatchNormalization, before Relu */
    free(in);
    free(seen);
    rci_session_free(s);
    rci_graph_free(g);
    (void) x;
    (void) y;
}

static void wrong_numbers_of_images_are_refused(void **state)
{
    float x[PIXELS], y[CLASSES];
    struct rc_graph *g = net_random(*state, 3, NET_RESIDUAL);
    struct rc_session *s = compile(g, 2, 0);
    REFUSED(rci_session_run(s, 3, (const void *const[]){x}, (void *const[]){y}), RC_ERR_ARG,
            "3 images, the session takes 1 to 2");
    rci_session_free(s);
    rci_graph_free(g);
}

static void a_forked_child_is_refused(void **state)
{
    float x[PIXELS] = {0}, y[CLASSES];
    struct rc_graph *g = net_random(*state, 3, NET_RESIDUAL);
    struct rc_session *s = compile(g, 1, 0);
    const pid_t child = fork();
    if (child == 0)
        _exit(rci_session_run(s, 1, (const void *const[]){x}, (void *const[]){y}) != RC_ERR_STATE);
    int status = 1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    rci_session_free(s);
    rci_graph_free(g);
}

/* --- trained models --- */

enum { IMAGES = 256, IMAGE = 3 * 32 * 32 };

static bool read_images(float *x, uint8_t *label)
{
    char path[1100];
    uint8_t row[1 + IMAGE];
    static const double mean[3] = {0.485, 0.456, 0.406}, dev[3] = {0.229, 0.224, 0.225};
    const char *folder = shared_cifar10();
    if (!folder)
        return false;
    snprintf(path, sizeof(path), "%s/test_batch.bin", folder);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    for (int i = 0; i < IMAGES; i++) {
        assert_int_equal(fread(row, 1, sizeof(row), f), sizeof(row));
        label[i] = row[0];
        for (int k = 0; k < IMAGE; k++)
            x[i * IMAGE + k] = (float) ((row[1 + k] / 255.0 - mean[k / 1024]) / dev[k / 1024]);
    }
    fclose(f);
    return true;
}

static int top1(const float *y, const uint8_t *label)
{
    int right = 0;
    for (int i = 0; i < IMAGES; i++) {
        int best = 0;
        for (int k = 1; k < 10; k++)
            best = y[i * 10 + k] > y[i * 10 + best] ? k : best;
        right += best == label[i];
    }
    return right;
}

static void check_model(struct rc_context *c, const char *name, int at_least)
{
    static float x[IMAGES * IMAGE], fast[IMAGES * 10], one[10], plain[16 * 10];
    static uint8_t label[IMAGES];
    const char *path = shared_path(name);
    if (!path || !read_images(x, label))
        skip();
    struct rc_graph *g;
    OK(rci_onnx_load(&g, c, path));
    struct rc_session *s = compile(g, 128, 0), *single = compile(g, 1, 0);
    run(s, 128, x, fast);
    run(s, 128, x + 128 * IMAGE, fast + 1280);
    const int right = top1(fast, label);
    if (right < at_least)
        fail_msg("%s: %d of %d right", name, right, IMAGES);
    run(single, 1, x + 5 * IMAGE, one);
    assert_true(relative_error(one, fast + 50, 10) < 1e-5);
    run_reference(g, 16, x, plain);
    assert_true(relative_error(fast, plain, 160) < 1e-4);
    rci_session_free(s);
    rci_session_free(single);
    rci_graph_free(g);
}

static void trained_models_recognise_cifar_images(void **state)
{
    check_model(*state, "models/resnet20-cifar10.onnx", 230);
    check_model(*state, "models/resnet20-cifar10-folded.onnx", 230);
    check_model(*state, "models/resnet56-cifar10.onnx", 234);
    check_model(*state, "models/resnet56-cifar10-folded.onnx", 234);
}

static bool uses(const struct rc_session *s, const char *impl)
{
    const struct rci_plan *p = rci_session_plan(s);
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].impl && strstr(p->steps[i].impl, impl))
            return true;
    return false;
}

/* Both ways of computing 3x3 convolutions, forced, and the choice by time. */
static void winograd_gives_the_same_logits(void **state)
{
    enum { N = 3, IN = 3 * 32 * 32 };
    static float x[N * IN];
    static const char *const how[3] = {"off", "on", "auto"};
    float y[3][N * 10];
    const struct rci_cpu *cpu = test_cpu();
    const bool can = cpu->lanes;
    struct rc_graph *g = net_zoo(*state, "resnet20", 1.0);
    fill_random(x, N * IN, 11);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(setenv("RESCOMP_WINOGRAD", how[i], 1), 0);
        struct rc_session *s = compile(g, N, 0);
        run(s, N, x, y[i]);
        if (i < 2)
            assert_int_equal(uses(s, "winograd"), i == 1 && can);
        rci_session_free(s);
    }
    assert_int_equal(unsetenv("RESCOMP_WINOGRAD"), 0);
    assert_true(relative_error(y[1], y[0], N * 10) < 1e-4);
    assert_true(relative_error(y[2], y[0], N * 10) < 1e-4);
    rci_graph_free(g);
}

/* A processor on which oneDNN computes wrongly: plain C everywhere, with a warning. */
static void a_failed_self_test_means_plain_c(void **state)
{
    enum { N = 2 };
    float x[N * PIXELS], want[N * CLASSES], y[N * CLASSES];
    struct rc_graph *g = net_random(*state, 7, NET_ALL);
    fill_random(x, N * PIXELS, 7);
    run_reference(g, N, x, want);
    assert_int_equal(setenv("RESCOMP_SELF_TEST", "fail", 1), 0);
    assert_int_equal(rci_engine_self_test(*state), RC_ERR_BACKEND);
    assert_non_null(strstr(rci_error_text(), "self-test"));
    struct rc_session *s = compile(g, N, 0);
    struct rci_tape *t;
    const struct rci_tape_config o = {.batch = N};
    OK(rci_tape_new(&t, g, &o));
    assert_int_equal(unsetenv("RESCOMP_SELF_TEST"), 0);
    assert_null(rci_session_plan(s)->engine);
    assert_null(rci_tape_plan(t)->engine);
    run(s, N, x, y);
    assert_true(relative_error(y, want, N * CLASSES) < 2e-5);
    rci_tape_free(t);
    rci_session_free(s);
    rci_graph_free(g);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(fast_equals_reference_on_random_nets),
        CASE(fast_equals_reference_on_each_kind_of_block),
        CASE(what_is_added_may_also_be_read),
        CASE(without_passes_the_result_is_the_same),
        CASE(residual_networks_need_no_reorders),
        CASE(running_allocates_nothing),
        CASE(every_allocation_may_fail),
        CASE(same_input_gives_same_bytes),
        CASE(observed_values_come_after_the_outputs),
        CASE(wrong_numbers_of_images_are_refused),
        CASE(a_forked_child_is_refused),
        CASE(a_failed_self_test_means_plain_c),
        CASE(winograd_gives_the_same_logits),
        CASE(trained_models_recognise_cifar_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
