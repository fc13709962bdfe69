/* Tables of times: made here, written, read, refused, and what they predict. */
#include "check.h"
#include "exec/energy.h"
#include "files.h"
#include "search/device.h"
#include "tiny.h"

#include <rescomp/rescomp.h>

static rc_graph *network(rc_context *c)
{
    return tiny_network(c, 0, 3);
}

static rc_device *profile(rc_context *c, const rc_graph *g)
{
    rc_device *d;
    rc_device_options o = RC_DEVICE_OPTIONS_INIT;
    o.cuts = 4;
    o.seconds = 0.005;
    o.name = "here";
    OK(rc_device_profile(&d, c, &g, 1, &o));
    return d;
}

static rc_device_prediction predict(const rc_device *d, const rc_graph *g)
{
    rc_device_prediction p = RC_DEVICE_PREDICTION_INIT;
    OK(rc_device_predict(d, g, &p));
    return p;
}

static rc_device *from_text(rc_context *c, const char *text)
{
    rc_device *d;
    const char *folder = scratch_folder();
    OK(rc_device_load(&d, c, scratch_write(folder, "table.json", text, strlen(text))));
    scratch_remove(folder);
    return d;
}

static void a_table_made_here_knows_every_layer(void **state)
{
    rc_graph *g = network(*state);
    rc_device *d = profile(*state, g);
    rc_device_info info = RC_DEVICE_INFO_INIT;
    OK(rc_device_get_info(d, &info));
    assert_string_equal(info.name, "here");
    assert_int_equal(info.batch, 1);
    assert_true(info.watts > 0 && info.energy[0]);
    const rc_device_prediction p = predict(d, g);
    assert_int_equal(p.layers, 10); /* 7 in blocks and the first, 2 shortcuts are of option A */
    assert_int_equal(p.exact, p.layers);
    assert_int_equal(info.times, 2 * 5 * p.layers); /* precisions, the network and 4 cuts */
    assert_true(p.latency_ms > 0 && p.joules > 0);
    rc_device_free(&d);
    assert_null(d);
    rc_graph_free(&g);
}

static void a_table_that_was_written_predicts_the_same(void **state)
{
    const char *folder = scratch_folder(), *path = scratch_path(folder, "device.json");
    rc_device *again;
    rc_graph *g = network(*state);
    rc_device *d = profile(*state, g);
    OK(rc_device_save(d, path));
    OK(rc_device_load(&again, *state, path));
    assert_near(predict(again, g).latency_ms, predict(d, g).latency_ms, 1e-12);
    assert_near(predict(again, g).joules, predict(d, g).joules, 1e-12);
    scratch_remove(folder);
    rc_device_free(&again);
    rc_device_free(&d);
    rc_graph_free(&g);
}

static struct rci_layer_key key_3x3(void)
{
    return (struct rci_layer_key){
        .op = "Conv", .kernel = {3, 3}, .stride = {1, 1}, .input = {8, 8}, .groups = 1};
}

static void times_between_points_lie_between_them(void **state)
{
    static const char text[] =
        "{\"rescomp_device\": 1, \"watts\": 2, \"layers\": [{\"op\": \"Conv\", \"kernel\": [3, 3],"
        "\"input\": [8, 8], \"points\": [[16, 16, 1], [64, 64, 10, 50]]}]}";
    rc_device *d = from_text(*state, text);
    const struct rci_layer_key key = key_3x3();
    struct rci_device_time t;
    double before = 0;
    OK(rci_device_time_of(d, &key, 16, 16, "n", &t));
    assert_near(t.ms, 1, 1e-12);
    assert_near(t.joules, 0.002, 1e-12); /* 1 ms at 2 W */
    OK(rci_device_time_of(d, &key, 64, 64, "n", &t));
    assert_near(t.joules, 0.05, 1e-12); /* as the table says */
    assert_true(t.exact);
    for (int64_t width = 16; width <= 64; width += 8) {
        OK(rci_device_time_of(d, &key, width, width, "n", &t));
        assert_true(t.ms > before);
        assert_true(t.ms <= 10 + 1e-9);
        before = t.ms;
    }
    OK(rci_device_time_of(d, &key, 32, 32, "n", &t));
    assert_false(t.exact);
    rc_device_free(&d);
}

static void missing_work_is_named(void **state)
{
    static const char text[] = "{\"rescomp_device\": 1, \"name\": \"phone\", \"layers\": [{\"op\": "
                               "\"Conv\", \"kernel\": [3, 3], \"input\": [8, 8], \"points\": "
                               "[[3, 8, 1]]}]}";
    rc_graph *g = network(*state);
    rc_device *d = from_text(*state, text);
    rc_device_prediction p = RC_DEVICE_PREDICTION_INIT;
    REFUSED(rc_device_predict(d, g, &p), RC_ERR_DATA,
            "the table of \"phone\" has no times of Conv 3x3, stride 2, at 8x8, f32 (layer \"");
    rc_device_free(&d);
    rc_graph_free(&g);
}

static void integer_layers_are_asked_for_as_such(void **state)
{
    static const char text[] =
        "{\"rescomp_device\": 1, \"layers\": [{\"op\": \"Conv\", \"kernel\": "
        "[3, 3], \"input\": [8, 8], \"points\": [[3, 8, 1]]}]}";
    rc_graph *g = network(*state), *q;
    rc_device *d = from_text(*state, text);
    rc_device_prediction p = RC_DEVICE_PREDICTION_INIT;
    OK(rci_device_quantize(&q, g, 1));
    REFUSED(rc_device_predict(d, q, &p), RC_ERR_DATA, "at 8x8, int8");
    rc_graph_free(&q);
    rc_device_free(&d);
    rc_graph_free(&g);
}

static void bad_tables_are_refused_in_one_line(void **state)
{
#define TABLE(layer) "{\"rescomp_device\": 1, \"layers\": [{" layer "}]}"
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"[]", "table of times"},
        {"{\"layers\": []}", "no \"rescomp_device\": 1"},
        {"{\"rescomp_device\": 2}", "rescomp_device"},
        {"{\"rescomp_device\": 1}", "no \"layers\""},
        {"{\"rescomp_device\": 1, \"layers\": [3]}", "an entry of layers"},
        {"{\"rescomp_device\": 1, \"wats\": 3, \"layers\": []}", "wats"},
        {TABLE("\"op\": \"Conv\""), "no \"points\""},
        {TABLE("\"points\": [[1, 2, 3]]"), "no \"op\""},
        {TABLE("\"op\": \"Conv\", \"points\": []"), "no \"points\""},
        {TABLE("\"op\": \"Conv\", \"points\": [[1, 2]]"), "has 2 numbers"},
        {TABLE("\"op\": \"Conv\", \"points\": [[1, 2, -3]]"), "ms is -3"},
        {TABLE("\"op\": \"Conv\", \"points\": [[0, 2, 3]]"), "channels in is 0"},
        {TABLE("\"op\": \"Conv\", \"points\": [[1, \"2\", 3]]"), "channels out"},
        {TABLE("\"op\": \"Conv\", \"kernel\": [3], \"points\": [[1, 2, 3]]"),
         "kernel has 1 numbers"},
        {TABLE("\"op\": \"Conv\", \"precision\": \"int4\", \"points\": [[1, 2, 3]]"),
         "precision is \"int4\""},
    };
    rc_device *d;
    const char *folder = scratch_folder();
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *path = scratch_write(folder, "bad.json", bad[i].text, strlen(bad[i].text));
        REFUSED(rc_device_load(&d, *state, path), RC_ERR_FORMAT, bad[i].message);
        assert_null(strchr(rc_last_error(), '\n'));
        assert_null(d);
    }
    scratch_remove(folder);
    REFUSED(rc_device_load(&d, *state, "/nowhere/table.json"), RC_ERR_PATH, "/nowhere");
}

static void bad_wishes_are_refused(void **state)
{
    rc_graph *g = network(*state);
    const rc_graph *none = NULL;
    rc_device *d;
    rc_device_options o = RC_DEVICE_OPTIONS_INIT;
    REFUSED(rc_device_profile(&d, *state, &none, 1, NULL), RC_ERR_ARG, "graphs[0]");
    REFUSED(rc_device_profile(&d, *state, (const rc_graph *const *) &g, 0, NULL), RC_ERR_ARG,
            "count is 0");
    o.precisions = "f32,int4";
    REFUSED(rc_device_profile(&d, *state, (const rc_graph *const *) &g, 1, &o), RC_ERR_ARG,
            "f32,int4");
    o.precisions = NULL;
    o.seconds = 61;
    REFUSED(rc_device_profile(&d, *state, (const rc_graph *const *) &g, 1, &o), RC_ERR_ARG,
            "seconds is 61");
    rc_graph_free(&g);
}

static void counters_of_energy_start_anew_behind_their_range(void **state)
{
    struct rci_energy e;
    const char *folder = scratch_folder();
    (void) state;
    scratch_write(folder, "intel-rapl:0/energy_uj", "9000000\n", 8);
    scratch_write(folder, "intel-rapl:0/max_energy_range_uj", "10000000\n", 9);
    rci_energy_open(&e, folder);
    assert_int_equal(e.n, 1);
    scratch_write(folder, "intel-rapl:0/energy_uj", "9500000\n", 8);
    assert_near(rci_energy_since(&e), 0.5, 1e-12);
    scratch_write(folder, "intel-rapl:0/energy_uj", "250000\n", 7);
    assert_near(rci_energy_since(&e), 0.75, 1e-12);
    scratch_remove(folder);
    rci_energy_open(&e, "/nowhere");
    assert_int_equal(e.n, 0);
    assert_true(rci_energy_since(&e) == 0);
}

static void latencies_say_what_energy_is_from(void **state)
{
    rc_graph *g = network(*state);
    rc_session *s;
    rc_latency r = RC_LATENCY_INIT;
    rc_latency_options o = RC_LATENCY_OPTIONS_INIT;
    o.seconds = 0.01;
    OK(rc_session_new(&s, g, NULL));
    OK(rc_measure_latency(*state, &s, 1, &o, &r));
    assert_true(r.joules_per_image > 0);
    assert_true(strlen(r.energy) > 3);
    rc_session_free(&s);
    rc_graph_free(&g);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_table_made_here_knows_every_layer),
        TEST(a_table_that_was_written_predicts_the_same),
        TEST(times_between_points_lie_between_them),
        TEST(missing_work_is_named),
        TEST(integer_layers_are_asked_for_as_such),
        TEST(bad_tables_are_refused_in_one_line),
        TEST(bad_wishes_are_refused),
        TEST(counters_of_energy_start_anew_behind_their_range),
        TEST(latencies_say_what_energy_is_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
