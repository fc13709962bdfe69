/* Batches in parts, and whose memory weights are. */
#include "nets.h"
#include "test.h"

#include "base/file.h"
#include "exec/plan.h"
#include "exec/session.h"
#include "io/onnx.h"
#include "op/attrs.h"
#include "pass/pass.h"

#include <pthread.h>
#include <stdlib.h>

enum { PIXELS = 3 * 13 * 11, CLASSES = 5 };

static void run(struct rc_session *s, int64_t n, const float *x, float *y)
{
    OK(rci_session_run(s, n, (const void *const[]){x}, (void *const[]){y}));
}

static struct rc_session *compile_in_parts(const struct rc_graph *g, int64_t batch, int64_t part)
{
    struct rc_session *s;
    const struct rci_session_config o = {.batch = batch, .part = part};
    OK(rci_session_new(&s, g, &o));
    return s;
}

static void parts_of_a_batch_give_what_the_batch_gives(void **state)
{
    enum { BATCH = 7 };
    static float x[BATCH * PIXELS], want[BATCH * CLASSES], y[BATCH * CLASSES];
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct rc_graph *g = net_random(*state, seed, NET_ALL);
        fill_random(x, BATCH * PIXELS, seed);
        run_reference(g, BATCH, x, want);
        for (int64_t part = 1; part <= 4; part++) {
            struct rc_session *s = compile_in_parts(g, BATCH, part);
            assert_int_equal(rci_session_part(s), part);
            assert_int_equal(rci_session_input(s, 0)->shape.dim[0], BATCH);
            for (int64_t n = 1; n <= BATCH; n++) {
                memset(y, 0, sizeof(y));
                run(s, n, x, y);
                assert_true(relative_error(y, want, n * CLASSES) < 2e-5);
                for (int64_t i = n * CLASSES; i < BATCH * CLASSES; i++)
                    assert_true(y[i] == 0); /* only images asked for are written */
            }
            rci_session_free(s);
        }
        rci_graph_free(g);
    }
}

/* --- the choice, for processors of all kinds --- */

/* Second and third level: clients, servers, old and new. */
static const char *const caches[] = {"l2=256K,l3=1M", "l2=256K,l3=8M",   "l2=512K,l3=1M",
                                     "l2=512K,l3=4M", "l2=512K,l3=32M",  "l2=1M,l3=1M",
                                     "l2=1M,l3=32M",  "l2=1280K,l3=24M", "l2=2M,l3=2M",
                                     "l2=2M,l3=64M",  "l2=1M,l3=0"};
enum { CACHES = sizeof(caches) / sizeof(caches[0]) };

/* A graph as a session plans it. */
static struct rc_graph *lowered(struct rc_context *c)
{
    static const struct rci_pass *const passes[] = {&rci_pass_fold_const, &rci_pass_drop_identity,
                                                    &rci_pass_fold_affine, &rci_pass_fuse_post};
    struct rc_graph *g = net_zoo(c, "resnet20", 1);
    for (int i = 0; i < 4; i++)
        OK(rci_pass_run(g, passes[i], NULL));
    return g;
}

static int64_t part_with(const struct rc_graph *g, int64_t batch, uint32_t threads)
{
    const struct rci_part_wish w = {.batch = batch, .threads = threads};
    int64_t part;
    OK(rci_part_choose(&part, g, &w));
    assert_in_range(part, 1, batch);
    return part;
}

static void on_every_processor(void (*check)(const struct rc_graph *g, uint32_t threads))
{
    for (int i = 0; i < CACHES; i++) {
        struct rc_context *c = test_context_on(caches[i]);
        struct rc_graph *g = lowered(c);
        for (uint32_t threads = 1; threads <= 2; threads++)
            check(g, threads);
        rci_graph_free(g);
        test_context_done(c);
    }
}

static void check_division(const struct rc_graph *g, uint32_t threads)
{
    const int64_t part = part_with(g, 120, threads);
    assert_true(part < 120);
    assert_int_equal(120 % part, 0);
}

static void small_networks_run_in_parts(void **state)
{
    (void) state;
    on_every_processor(check_division);
}

/* What is computed for nobody, behind the last image of the last part. */
static void check_zeros(const struct rc_graph *g, uint32_t threads)
{
    for (int64_t batch = 24; batch <= 160; batch += 7) {
        const int64_t part = part_with(g, batch, threads), parts = (batch + part - 1) / part;
        if (parts * part - batch > batch / 16)
            fail_msg("%s, %u threads: %d images in parts of %d", g->ctx->cpu->given, threads,
                     (int) batch, (int) part);
    }
}

static void parts_divide_the_batch_or_nearly(void **state)
{
    (void) state;
    on_every_processor(check_zeros);
}

static void sessions_take_the_part_that_is_chosen(void **state)
{
    struct rc_graph *g = net_zoo(*state, "resnet20", 1), *low = lowered(*state);
    struct rc_session *s;
    const struct rci_session_config o = {.batch = 45, .threads = 2, .repeatable = true};
    OK(rci_session_new(&s, g, &o));
    assert_int_equal(rci_session_part(s), part_with(low, 45, 2));
    rci_session_free(s);
    rci_graph_free(low);
    rci_graph_free(g);
}

/* Caches of twice the size hold parts of about the size, or larger ones. */
static void larger_caches_have_larger_parts(void **state)
{
    (void) state;
    static const char *const cpu[] = {"l2=256K,l3=32M", "l2=512K,l3=32M", "l2=1M,l3=32M",
                                      "l2=2M,l3=32M"};
    int64_t before = 0, first = 0;
    for (int i = 0; i < 4; i++) {
        struct rc_context *c = test_context_on(cpu[i]);
        struct rc_graph *g = lowered(c);
        const int64_t part = part_with(g, 128, 1);
        assert_true(part >= before);
        first = first ? first : part;
        before = part;
        rci_graph_free(g);
        test_context_done(c);
    }
    assert_true(before >= 2 * first);
}

static int64_t part_of(const struct rc_graph *g, int64_t batch, bool bf16)
{
    const struct rci_part_wish w = {.batch = batch, .threads = 2, .bf16 = bf16};
    int64_t part;
    OK(rci_part_choose(&part, g, &w));
    assert_in_range(part, 1, batch);
    return part;
}

/* Half the bytes: as many images fit the cache as in f32, or more. */
static void bf16_counts_half_the_bytes(void **state)
{
    (void) state;
    for (int i = 0; i < CACHES; i++) {
        struct rc_context *c = test_context_on(caches[i]);
        struct rc_graph *g = net_zoo(c, "resnet20", 2);
        bool more = false;
        for (int64_t batch = 16; batch <= 512; batch *= 2) {
            const int64_t f32 = part_of(g, batch, false), bf16 = part_of(g, batch, true);
            assert_true(bf16 >= f32);
            more |= bf16 > f32;
        }
        assert_true(more);
        rci_graph_free(g);
        test_context_done(c);
    }
}

static void a_slice_of_the_batch_keeps_it_together(void **state)
{
    enum { N = 6, K = 4 };
    const struct rci_shape shape = RC_SHAPE(1, K);
    for (int64_t axis = 0; axis < 2; axis++) {
        const struct rci_slice_attrs a = {.starts = {axis == 0 ? -1 : 0},
                                          .ends = {axis == 0 ? INT64_MIN : 2},
                                          .axes = {axis},
                                          .steps = {axis == 0 ? -1 : 1},
                                          .n = 1,
                                          .bound = 1};
        struct rc_graph *g;
        rci_id v, node;
        OK(rci_graph_new(&g, *state));
        OK(rci_graph_add_input(g, &v, "x", RC_F32, &shape));
        g->dynamic_batch = true;
        g->batch = 1;
        OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "Slice"), "s", &a, &v, 1, NULL, 1));
        OK(rci_graph_set_outputs(g, &g->nodes[node].out[0], 1));
        OK(rci_graph_infer(g));
        const struct rci_part_wish w = {.batch = N, .part = 2, .threads = 1};
        int64_t part;
        OK(rci_part_choose(&part, g, &w));
        assert_int_equal(part, axis == 0 ? N : 2); /* the images turned round, or two columns */
        rci_graph_free(g);
    }
}

/* Softmax over axis 0 sums over images: these must stay together. */
static void images_that_depend_on_each_other_stay_together(void **state)
{
    enum { N = 6, K = 3 };
    const struct rci_shape shape = RC_SHAPE(1, K);
    float x[N * K], want[N * K], y[N * K];
    fill_random(x, N * K, 1);
    for (int64_t axis = 0; axis < 2; axis++) {
        const struct rci_softmax_attrs a = {axis, 0};
        struct rc_graph *g;
        rci_id v, node;
        OK(rci_graph_new(&g, *state));
        OK(rci_graph_add_input(g, &v, "x", RC_F32, &shape));
        g->dynamic_batch = true;
        g->batch = 1;
        OK(rci_graph_add_node(g, &node, rci_op_find(NULL, "Softmax"), "s", &a, &v, 1, NULL, 1));
        OK(rci_graph_set_outputs(g, &g->nodes[node].out[0], 1));
        OK(rci_graph_infer(g));
        run_reference(g, N, x, want);
        struct rc_session *s = compile_in_parts(g, N, 2);
        assert_int_equal(rci_session_part(s), axis == 0 ? N : 2);
        run(s, N, x, y);
        assert_true(relative_error(y, want, N * K) < 2e-5);
        rci_session_free(s);
        rci_graph_free(g);
    }
}

/* --- weights --- */

/* Compiling shares constants with the graph and scales weights by BatchNormalization; neither may
 * show in the other. */
static void a_session_and_its_graph_do_not_change_each_other(void **state)
{
    float x[PIXELS], before[CLASSES], y[CLASSES];
    fill_random(x, PIXELS, 1);
    for (uint64_t seed = 1; seed <= 12; seed++) {
        for (uint64_t flags = 0; flags <= RC_SESSION_REFERENCE; flags++) {
            struct rc_graph *g = net_random(*state, seed, NET_ALL), *copy;
            struct rc_session *s;
            const struct rci_session_config o = {.batch = 1, .flags = flags};
            OK(rci_graph_clone(&copy, g));
            OK(rci_session_new(&s, g, &o));
            for (uint32_t v = 0; v < g->n_values; v++)
                if (rci_value_is_const(&g->values[v])) {
                    const struct rci_tensor *t = &g->values[v].tensor;
                    assert_false(rci_is_shared(t->data));
                    assert_memory_equal(t->data, copy->values[v].tensor.data, rci_tensor_bytes(t));
                }
            run(s, 1, x, before);
            net_randomize(g, 99);
            run(s, 1, x, y);
            assert_memory_equal(y, before, sizeof(y));
            rci_graph_free(g);
            run(s, 1, x, y);
            assert_memory_equal(y, before, sizeof(y));
            rci_session_free(s);
            rci_graph_free(copy);
        }
    }
}

static void hold_weights_once(struct rc_context *c, const char *winograd)
{
    struct rc_graph *g = net_zoo(c, "resnet20", 1);
    struct rc_session *s[3];
    float *x = calloc(3 * 32 * 32, sizeof(*x)), want[10], y[10];
    uint64_t live[4], left;
    fill_random(x, 3 * 32 * 32, 1);
    assert_int_equal(setenv("RESCOMP_WINOGRAD", winograd, 1), 0);
    OK(rc_context_get_memory(c, &live[0], NULL));
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            net_randomize(g, 99); /* other weights: nothing to share */
        OK(rci_session_new(&s[i], g, &(struct rci_session_config){.batch = 1}));
        OK(rc_context_get_memory(c, &live[i + 1], NULL));
    }
    assert_int_equal(unsetenv("RESCOMP_WINOGRAD"), 0);
    const uint64_t weights = rci_session_weight_bytes(s[0]), first = live[1] - live[0];
    assert_true(weights > (1 << 20));
    assert_true(live[2] - live[1] < first - weights / 10 * 9);
    assert_true(live[3] - live[2] > first - weights / 10);
    run(s[0], 1, x, want);
    rci_session_free(s[0]);
    rci_graph_free(g);
    run(s[1], 1, x, y);
    assert_memory_equal(y, want, sizeof(y));
    run(s[2], 1, x, y);
    assert_memory_not_equal(y, want, sizeof(y));
    rci_session_free(s[2]);
    run(s[1], 1, x, y);
    assert_memory_equal(y, want, sizeof(y));
    rci_session_free(s[1]);
    OK(rc_context_get_memory(c, &left, NULL));
    assert_true(left < live[0]); /* the graph is gone, and nothing else stays */
    free(x);
}

static void sessions_of_one_graph_hold_weights_once(void **state)
{
    hold_weights_once(*state, "off");
    hold_weights_once(*state, "on");
}

enum { STREAMS = 4, ROUNDS = 6 };

struct stream {
    const struct rc_graph *g;
    const float *x, *want;
    bool same;
};

static void *run_stream(void *arg)
{
    struct stream *t = arg;
    float y[CLASSES];
    t->same = true;
    for (int i = 0; i < ROUNDS; i++) {
        struct rc_session *s;
        const struct rci_session_config o = {.batch = 1, .threads = 1};
        t->same &=
            rci_session_new(&s, t->g, &o) == RC_OK &&
            rci_session_run(s, 1, (const void *const[]){t->x}, (void *const[]){y}) == RC_OK &&
            !memcmp(y, t->want, sizeof(y));
        rci_session_free(s);
    }
    return NULL;
}

static void sessions_come_and_go_in_many_threads(void **state)
{
    float x[PIXELS], want[CLASSES];
    struct rc_graph *g = net_random(*state, 5, NET_ALL);
    struct rc_session *s;
    struct stream stream[STREAMS];
    pthread_t thread[STREAMS];
    fill_random(x, PIXELS, 1);
    OK(rci_session_new(&s, g, &(struct rci_session_config){.batch = 1, .threads = 1}));
    run(s, 1, x, want);
    rci_session_free(s);
    for (int i = 0; i < STREAMS; i++) {
        stream[i] = (struct stream){g, x, want, false};
        assert_int_equal(pthread_create(&thread[i], NULL, run_stream, &stream[i]), 0);
    }
    for (int i = 0; i < STREAMS; i++) {
        pthread_join(thread[i], NULL);
        assert_true(stream[i].same);
    }
    rci_graph_free(g);
}

/* A file's weights are held once while it is read, and twice while a session is
 * made, whose largest layer is packed beside the plain one, and Winograd's weights
 * are larger by a third of all; a session that is made from the file holds them
 * little more than once. */
static void loading_and_compiling_hold_weights_twice(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    struct rc_graph *g = net_zoo(c, "resnet18", 1);
    struct rci_bytes file;
    struct rc_session *s;
    uint64_t live, peak;
    const char *path = "session_parts.onnx";
    OK(rci_onnx_save(g, path));
    rci_graph_free(g);
    test_context_done(c);
    c = test_context();
    OK(rci_file_read(c, path, 0, &file));
    const uint64_t size = file.size;
    rci_release(file.data);
    test_context_done(c);
    c = test_context();
    OK(rci_onnx_load(&g, c, path));
    OK(rc_context_get_memory(c, &live, &peak));
    assert_true(live < size + size / 20);
    assert_true(peak < size + size / 10);
    OK(rci_session_new(&s, g, &(struct rci_session_config){.batch = 1}));
    OK(rc_context_get_memory(c, NULL, &peak));
    assert_true(peak < 2 * size + size * 3 / 4);
    rci_session_free(s);
    rci_graph_free(g);
    test_context_done(c);
    c = test_context();
    OK(rc_session_load(&s, c, path, NULL));
    OK(rc_context_get_memory(c, NULL, &peak));
    assert_true(peak < size + size / 2);
    rci_session_free(s);
    test_context_done(c);
    remove(path);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(parts_of_a_batch_give_what_the_batch_gives),
        CASE(small_networks_run_in_parts),
        CASE(parts_divide_the_batch_or_nearly),
        CASE(sessions_take_the_part_that_is_chosen),
        CASE(larger_caches_have_larger_parts),
        CASE(bf16_counts_half_the_bytes),
        CASE(a_slice_of_the_batch_keeps_it_together),
        CASE(images_that_depend_on_each_other_stay_together),
        CASE(a_session_and_its_graph_do_not_change_each_other),
        CASE(sessions_of_one_graph_hold_weights_once),
        CASE(sessions_come_and_go_in_many_threads),
        CASE(loading_and_compiling_hold_weights_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
