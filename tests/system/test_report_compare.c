/* Saved reports are read back as they were, others are refused with one line, and two of them make
 * one that says what each ended with. */
#include "base/json.h"
#include "check.h"
#include "files.h"

#include <rescomp/rescomp.h>
#include <stdlib.h>
#include <string.h>

static rc_context *context;
static const char *folder;

static int setup(void **state)
{
    (void) state;
    context = test_context();
    folder = scratch_folder();
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    scratch_remove(folder);
    test_context_done(context);
    return 0;
}

/* A run that kept `width` of ResNet-8's channels. */
static rc_report *run_of(const char *title, double width, double top1)
{
    rc_report *r;
    rc_graph *before, *after;
    rc_report_step s = RC_REPORT_STEP_INIT;
    rc_network_options o = RC_NETWORK_OPTIONS_INIT;
    OK(rc_graph_new_network(&before, context, "resnet8", NULL));
    o.multiplier = width;
    OK(rc_graph_new_network(&after, context, "resnet8", &o));
    OK(rc_report_new(&r, context, title));
    OK(rc_report_set_fact(r, "processor", "the \"same\""));
    OK(rc_report_set_fact(r, "title", title));
    OK(rc_report_set_layers(r, before, after));
    s.name = "original";
    s.top1 = 90;
    s.macs = 12000000;
    OK(rc_report_add_step(r, &s));
    s.name = "pruned";
    s.top1 = top1;
    s.top1_on = "test images";
    s.median_ms = 0.25;
    s.file_bytes = 123456;
    s.seconds = 1.5;
    s.note = "a note";
    s.kept = 1;
    OK(rc_report_add_step(r, &s));
    rc_graph_free(&before);
    rc_graph_free(&after);
    return r;
}

/* The text of `r`, copied. */
static char *json_of(rc_report *r)
{
    const char *text;
    OK(rc_report_get_json(r, &text));
    return strdup(text);
}

static void what_was_saved_is_read_back(void **state)
{
    (void) state;
    rc_report *r = run_of("a run", 0.5, RC_ZERO_REAL), *back, *from_file;
    const char *path = scratch_path(folder, "out");
    OK(rc_report_save(r, path));
    OK(rc_report_load(&back, context, path));
    OK(rc_report_load(&from_file, context, scratch_path(folder, "out/report.json")));
    char *first = json_of(r), *second = json_of(back), *third = json_of(from_file);
    assert_string_equal(first, second);
    assert_string_equal(first, third);
    assert_non_null(strstr(first, "\"schema\": 1"));
    const char *page;
    OK(rc_report_get_html(back, &page));
    assert_non_null(strstr(page, "a run"));
    free(first);
    free(second);
    free(third);
    rc_report_free(&r);
    rc_report_free(&back);
    rc_report_free(&from_file);
}

static void refused(const char *text, rc_status status, const char *said)
{
    rc_report *r;
    const char *path = scratch_write(folder, "x.json", text, strlen(text));
    REFUSED(rc_report_load(&r, context, path), status, said);
    assert_null(r);
    assert_null(strchr(rc_last_error(), '\n'));
    assert_non_null(strstr(rc_last_error(), "x.json"));
}

static void what_is_no_report_is_refused_with_one_line(void **state)
{
    (void) state;
    rc_report *r;
    refused("{}", RC_ERR_FORMAT, "\"title\" is missing");
    refused("{\"title\": \"a\"}", RC_ERR_FORMAT, "\"schema\" is missing");
    refused("{\"title\": \"a\", \"schema\": 7}", RC_ERR_UNSUPPORTED,
            "a report of schema 7, this version reads 1");
    refused("[1]", RC_ERR_FORMAT, "a report");
    refused("{\"title\": \"a\", \"schema\": 1, \"steps\": 3}", RC_ERR_FORMAT, "steps");
    refused("{\"title\": \"a\", \"schema\": 1, \"steps\": [{}]}", RC_ERR_FORMAT, "no name");
    refused("{\"title\": \"a\", \"schema\": 1, \"steps\": [{\"name\": \"b\", \"top1\": 101}]}",
            RC_ERR_FORMAT, "top1");
    refused("{\"title\": \"a\", \"schema\": 1, \"facts\": {\"x\": 1}}", RC_ERR_FORMAT, "x");
    refused("{\"title\": \"a\", \"schema\": 1, \"layers\": [{\"width_after\": -1}]}", RC_ERR_FORMAT,
            "width_after");
    refused("{\"title\": ", RC_ERR_FORMAT, "x.json");
    REFUSED(rc_report_load(&r, context, "/no/such/report"), RC_ERR_PATH, "/no/such/report");
    REFUSED(rc_report_load(&r, context, NULL), RC_ERR_ARG, "path is NULL");
    REFUSED(rc_report_compare(&r, NULL, NULL), RC_ERR_ARG, "a is");
}

static void two_runs_stand_side_by_side(void **state)
{
    (void) state;
    rc_report *a = run_of("run <a>", 0.5, 88.5), *b = run_of("run b", 0.25, 87), *both;
    OK(rc_report_compare(&both, a, b));
    rc_report_free(&a);
    rc_report_free(&b);
    char *text = json_of(both);
    struct rci_json *j;
    OK(rci_json_parse(&j, context, text, strlen(text), "comparison"));
    const struct rci_json_value *root = rci_json_root(j), *facts = rci_json_get(root, "facts");
    assert_string_equal(rci_json_get(root, "title")->text, "run <a> against run b");
    assert_string_equal(rci_json_get(facts, "processor")->text, "the \"same\"");
    assert_string_equal(rci_json_get(facts, "title")->text, "A: run <a>; B: run b");
    assert_true(rci_json_get(rci_json_get(root, "before"), "top1")->number == 88.5);
    assert_true(rci_json_get(rci_json_get(root, "after"), "top1")->number == 87);
    const struct rci_json_value *steps = rci_json_get(root, "steps");
    assert_int_equal(steps->count, 4);
    assert_string_equal(rci_json_get(rci_json_at(steps, 2), "name")->text, "B: original");
    assert_true(rci_json_get(rci_json_at(steps, 2), "kept")->number == 1);
    const struct rci_json_value *layers = rci_json_get(root, "layers");
    assert_true(layers->count > 5);
    for (const struct rci_json_value *l = layers->first; l; l = l->next)
        if (strcmp(rci_json_get(l, "op")->text, "Conv") == 0)
            assert_true(rci_json_get(l, "width_before")->number ==
                        2 * rci_json_get(l, "width_after")->number);
    const char *page;
    OK(rc_report_get_html(both, &page));
    assert_non_null(strstr(page, "<h2>A and B</h2>"));
    assert_non_null(strstr(page, "Channels B</th>"));
    assert_null(strstr(page, "Before"));
    rci_json_free(&j);
    free(text);
    rc_report_free(&both);
}

static rc_status load_and_compare(rc_context *c, const char *path)
{
    rc_report *r = NULL, *both = NULL;
    rc_status st = rc_report_load(&r, c, path);
    if (st == RC_OK)
        st = rc_report_compare(&both, r, r);
    rc_report_free(&both);
    rc_report_free(&r);
    return st;
}

static void any_memory_cap_fails_cleanly(void **state)
{
    (void) state;
    rc_report *r = run_of("a run", 0.5, 80);
    const char *path = scratch_path(folder, "out");
    OK(rc_report_save(r, path));
    rc_report_free(&r);
    rc_status st = RC_ERR_MEMORY;
    for (uint64_t cap = 256; st != RC_OK && cap < 1 << 20; cap += 256) {
        rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
        rc_context *c;
        o.max_memory = cap;
        OK(rc_context_new(&c, &o));
        st = load_and_compare(c, path);
        assert_true(st == RC_OK || st == RC_ERR_MEMORY);
        test_context_done(c);
    }
    assert_int_equal(st, RC_OK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_was_saved_is_read_back),
        T(what_is_no_report_is_refused_with_one_line),
        T(two_runs_stand_side_by_side),
        T(any_memory_cap_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
