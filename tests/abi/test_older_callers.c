/* A program compiled against other headers than the library's works with it. Links the shared
 * library; what follows a struct of the caller is never written. */
#include "older.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WORKS(call)                                     \
    do {                                                \
        if ((call) != OK_STATUS)                        \
            fail_msg("%s: %s", #call, rc_last_error()); \
    } while (0)

/* A struct of the caller and what it has behind it in memory. */
#define GUARDED(type)  \
    struct {           \
        type of;       \
        uint64_t left; \
    }
#define GUARD UINT64_C(0x5555aaaa5555aaaa)
#define MAKE(type)                                  \
    {                                               \
        .of = {.size = sizeof(type)}, .left = GUARD \
    }

enum { SIDE = 8, PIXELS = 3 * SIDE * SIDE, CLASSES = 4 };

static rc_context *context;
static rc_graph *graph;
static rc_dataset *images;

static int32_t get_image(void *user, uint64_t index, void *image, int32_t *label)
{
    (void) user;
    *label = (int32_t) (index % CLASSES);
    for (int i = 0; image && i < PIXELS; i++)
        ((uint8_t *) image)[i] = (uint8_t) (index * 31 + (uint64_t) i * (index % CLASSES + 3));
    return 0;
}

static int setup(void **state)
{
    (void) state;
    const struct old_context_options c = {.size = sizeof(c), .threads = 1};
    const struct old_network_options n = {
        .size = sizeof(n), .classes = CLASSES, .height = SIDE, .width = SIDE, .multiplier = 0.25};
    const struct old_dataset_source s = {sizeof(s), get_image, NULL, 64, CLASSES, 3, SIDE, SIDE, 0};
    const struct old_dataset_options o = {sizeof(o), "test"};
    WORKS(rc_context_new(&context, &c));
    WORKS(rc_graph_new_network(&graph, context, "resnet8", &n));
    WORKS(rc_dataset_new_callback(&images, context, &s, &o));
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    rc_dataset_free(&images);
    rc_graph_free(&graph);
    rc_context_free(&context);
    return 0;
}

static void open_sessions(rc_session *s[3])
{
    const struct old_session_options old = {sizeof(old), 2};
    const struct new_session_options newer = {.size = sizeof(newer), .batch = 2};
    for (int i = 0; i < 3; i++)
        WORKS(rc_session_new(&s[i], graph, i ? (const void *) &old : &newer));
}

static void close_sessions(rc_session *s[3])
{
    for (int i = 0; i < 3; i++)
        rc_session_free(&s[i]);
}

static void an_array_of_results_has_the_stride_of_an_older_caller(void **state)
{
    (void) state;
    rc_session *s[3];
    const struct old_latency_options o = {sizeof(o), 0.001, 2, 2};
    struct old_latency r[4];
    for (int i = 0; i < 4; i++)
        r[i] = (struct old_latency){sizeof(r[i]), 77, -1};
    open_sessions(s);
    WORKS(rc_measure_latency(context, s, 3, &o, r));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(r[i].size, sizeof(r[i]));
        assert_int_equal(r[i].runs, 2);
        assert_true(r[i].min_ms > 0 && r[i].min_ms < 1e4);
    }
    assert_int_equal(r[3].size, sizeof(r[3]));
    assert_int_equal(r[3].runs, 77);
    assert_true(r[3].min_ms == -1);
    close_sessions(s);
}

static void an_array_of_results_has_the_stride_of_a_newer_caller(void **state)
{
    (void) state;
    rc_session *s[3];
    const struct old_latency_options o = {sizeof(o), 0.001, 2, 2};
    struct new_latency r[3];
    open_sessions(s);
    for (int i = 0; i < 3; i++)
        r[i] = (struct new_latency){.size = sizeof(r[i]), .of_later = {1, 2, 3}};
    WORKS(rc_measure_latency(context, s, 3, &o, r));
    for (int i = 0; i < 3; i++) {
        assert_true(r[i].median_ms >= r[i].min_ms && r[i].images_per_second > 0);
        for (int k = 0; k < 3; k++)
            assert_int_equal(r[i].of_later[k], 0);
    }
    r[2].size -= sizeof(uint64_t);
    assert_int_equal(rc_measure_latency(context, s, 3, &o, r), ERR_ABI);
    assert_non_null(strstr(rc_last_error(), "results[2]"));
    close_sessions(s);
}

static void descriptions_fit_an_older_caller(void **state)
{
    (void) state;
    rc_session *s[3];
    GUARDED(struct old_graph_info) g = MAKE(struct old_graph_info);
    GUARDED(struct old_node_info) n = MAKE(struct old_node_info);
    GUARDED(struct old_session_io_info) io = MAKE(struct old_session_io_info);
    GUARDED(struct old_session_step_info) step = MAKE(struct old_session_step_info);
    GUARDED(struct old_system_info) system = MAKE(struct old_system_info);
    open_sessions(s);
    WORKS(rc_graph_get_info(graph, &g));
    WORKS(rc_graph_get_node(graph, 0, &n));
    WORKS(rc_session_get_input(s[0], 0, &io));
    WORKS(rc_session_get_step(s[0], 0, &step));
    WORKS(rc_system_get_info(context, &system));
    assert_true(g.of.nodes > 10 && g.of.parameters > 1000);
    assert_string_equal(n.of.name, "conv1");
    assert_string_equal(io.of.name, "input");
    assert_int_equal(io.of.rank, 4);
    assert_non_null(step.of.name);
    assert_true(system.of.version[0] >= '0' && system.of.version[0] <= '9');
    assert_true(g.left == GUARD && n.left == GUARD && io.left == GUARD && step.left == GUARD &&
                system.left == GUARD);
    close_sessions(s);
}

static void an_older_caller_trains_and_evaluates(void **state)
{
    (void) state;
    rc_trainer *t;
    const struct old_train_options o = {sizeof(o), 2, 16};
    const struct old_evaluate_options e = {sizeof(e), 32};
    GUARDED(struct old_train_result) r = MAKE(struct old_train_result);
    GUARDED(struct old_evaluate_result) found = MAKE(struct old_evaluate_result);
    WORKS(rc_trainer_new(&t, graph, images, &o));
    WORKS(rc_trainer_run(t, &r));
    rc_trainer_free(&t);
    assert_int_equal(r.of.epochs, 2);
    assert_int_equal(r.of.steps, 8);
    WORKS(rc_evaluate(graph, images, &e, &found));
    assert_int_equal(found.of.images, 64);
    assert_true(r.left == GUARD && found.left == GUARD);
}

static void an_older_caller_prunes(void **state)
{
    (void) state;
    rc_pruner *p;
    rc_graph *out;
    const struct old_prune_options o = {sizeof(o), "l1"};
    GUARDED(struct old_prune_group_info) group = MAKE(struct old_prune_group_info);
    GUARDED(struct old_prune_result) r = MAKE(struct old_prune_result);
    WORKS(rc_pruner_new(&p, graph, &o));
    WORKS(rc_pruner_get_group(p, 0, &group));
    WORKS(rc_pruner_apply(&out, p, &r));
    assert_true(group.of.channels > 0 && r.of.macs_after < r.of.macs_before);
    assert_true(group.left == GUARD && r.left == GUARD);
    rc_graph_free(&out);
    rc_pruner_free(&p);
}

static void an_older_caller_quantizes(void **state)
{
    (void) state;
    rc_quantizer *q;
    rc_graph *out;
    const struct old_quantize_options o = {sizeof(o), "minmax", 32};
    GUARDED(struct old_quantize_entry_info) entry = MAKE(struct old_quantize_entry_info);
    WORKS(rc_quantizer_new(&q, graph, &o));
    WORKS(rc_quantizer_calibrate(q, images));
    WORKS(rc_quantizer_get_entry(q, 0, &entry));
    WORKS(rc_quantizer_apply(&out, q));
    assert_non_null(entry.of.name);
    assert_true(entry.left == GUARD);
    rc_graph_free(&out);
    rc_quantizer_free(&q);
}

static void an_older_caller_compresses(void **state)
{
    (void) state;
    rc_graph *out;
    const struct old_compress_options o = {
        sizeof(o), "{\"schema\": 1, \"steps\": [{\"step\": \"fuse\"}]}", images, images};
    GUARDED(struct old_compress_result) r = MAKE(struct old_compress_result);
    WORKS(rc_compress(&out, graph, &o, &r));
    assert_true(r.of.top1_before >= 0 && r.of.top1_before <= 100);
    assert_true(r.of.top1_after >= 0 && r.of.top1_after <= 100);
    assert_true(r.left == GUARD);
    rc_graph_free(&out);
}

static void what_a_newer_caller_asks_for_is_refused_not_ignored(void **state)
{
    (void) state;
    rc_session *s = NULL;
    const struct new_session_options o = {.size = sizeof(o), .batch = 1, .of_later = {0, 1}};
    assert_int_equal(rc_session_new(&s, graph, &o), ERR_ABI);
    assert_null(s);
    assert_non_null(strstr(rc_last_error(), "does not know"));
}

static void sizes_that_no_struct_has_are_refused(void **state)
{
    (void) state;
    const size_t wrong[] = {0, 3, sizeof(size_t), 20, 5000};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        rc_graph *g = NULL;
        struct old_graph_info info = {.size = wrong[i]};
        const struct old_network_options n = {.size = wrong[i]};
        assert_int_equal(rc_graph_get_info(graph, &info), ERR_ABI);
        assert_int_equal(rc_graph_new_network(&g, context, "resnet8", &n), ERR_ABI);
        assert_null(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_of_results_has_the_stride_of_an_older_caller),
        cmocka_unit_test(an_array_of_results_has_the_stride_of_a_newer_caller),
        cmocka_unit_test(descriptions_fit_an_older_caller),
        cmocka_unit_test(an_older_caller_trains_and_evaluates),
        cmocka_unit_test(an_older_caller_prunes),
        cmocka_unit_test(an_older_caller_quantizes),
        cmocka_unit_test(an_older_caller_compresses),
        cmocka_unit_test(what_a_newer_caller_asks_for_is_refused_not_ignored),
        cmocka_unit_test(sizes_that_no_struct_has_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
