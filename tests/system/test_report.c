/* Reports: JSON that our own parser reads, HTML that an XML parser reads, figures that are there.
 */
#include "base/json.h"
#include "check.h"
#include "files.h"
#include "graph/graph.h"

#include <rescomp/rescomp.h>
#include <stdlib.h>

static rc_context *context;

static int setup(void **state)
{
    (void) state;
    context = test_context();
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    test_context_done(context);
    return 0;
}

static rc_report *example(const char *name)
{
    rc_report *r;
    rc_report_step s = RC_REPORT_STEP_INIT;
    OK(rc_report_new(&r, context, "ResNet-20 <CIFAR> & \"friends\""));
    OK(rc_report_set_fact(r, "processor", "old"));
    OK(rc_report_set_fact(r, "processor", "AMD <EPYC>"));
    OK(rc_report_set_fact(r, "seed", "0"));
    s.name = "original";
    s.top1 = 91.73;
    s.median_ms = 1.25;
    s.macs = 40813000;
    s.parameters = 269722;
    s.file_bytes = 1094781;
    s.weight_bytes = 1078888;
    OK(rc_report_add_step(r, &s));
    s.name = name;
    s.top1 = 91.25;
    s.median_ms = 0.75;
    s.macs = 20400000;
    s.parameters = 140000;
    s.file_bytes = 570000;
    s.kept = 1;
    s.seconds = 12.5;
    OK(rc_report_add_step(r, &s));
    s.name = "quantize, 4 bit";
    s.top1 = 80.5;
    s.kept = 0;
    s.note = "lost 11 points & was given up";
    OK(rc_report_add_step(r, &s));
    return r;
}

/* A control character, not UTF-8, U+FFFF, markup, an umlaut. */
static const char strange[] = "pr\x01une \xFF \xEF\xBF\xBF <b>&amp;'\" \xC3\xA4";

static void json_has_every_figure(void **state)
{
    (void) state;
    const char *text;
    struct rci_json *j;
    rc_report *r = example("prune");
    OK(rc_report_get_json(r, &text));
    OK(rci_json_parse(&j, context, text, strlen(text), "report"));
    const struct rci_json_value *root = rci_json_root(j), *facts = rci_json_get(root, "facts");
    assert_string_equal(rci_json_get(facts, "processor")->text, "AMD <EPYC>");
    assert_int_equal(facts->count, 2);
    const struct rci_json_value *before = rci_json_get(root, "before");
    const struct rci_json_value *after = rci_json_get(root, "after");
    assert_true(rci_json_get(before, "top1")->number == 91.73);
    assert_true(rci_json_get(before, "file_bytes")->number == 1094781);
    assert_string_equal(rci_json_get(after, "step")->text, "prune"); /* the last one was not kept */
    assert_true(rci_json_get(after, "macs")->number == 20400000);
    const struct rci_json_value *steps = rci_json_get(root, "steps");
    assert_int_equal(steps->count, 3);
    assert_int_equal(rci_json_get(rci_json_at(steps, 0), "seconds")->type, RC_JSON_NULL);
    assert_true(rci_json_get(rci_json_at(steps, 2), "kept")->number == 0);
    assert_string_equal(rci_json_get(rci_json_at(steps, 2), "note")->text,
                        "lost 11 points & was given up");
    rci_json_free(&j);
    rc_report_free(&r);
    assert_null(r);
}

static void summary_takes_the_place_of_first_and_last_step(void **state)
{
    (void) state;
    const char *text;
    struct rci_json *j;
    rc_report *r = example("prune");
    rc_report_step s = RC_REPORT_STEP_INIT;
    REFUSED(rc_report_set_summary(r, RC_REPORT_AFTER, &s), RC_ERR_ARG, "step.name is NULL");
    s.name = "result";
    REFUSED(rc_report_set_summary(r, 2, &s), RC_ERR_ARG, "which is 2");
    s.top1 = 50;
    s.top1_on = "other images";
    OK(rc_report_set_summary(r, RC_REPORT_AFTER, &s));
    s.top1 = 89.5;
    s.top1_on = "test <images>";
    OK(rc_report_set_summary(r, RC_REPORT_AFTER, &s)); /* replaces the one before */
    OK(rc_report_get_json(r, &text));
    OK(rci_json_parse(&j, context, text, strlen(text), "report"));
    const struct rci_json_value *root = rci_json_root(j), *after = rci_json_get(root, "after");
    assert_string_equal(rci_json_get(after, "step")->text, "result");
    assert_true(rci_json_get(after, "top1")->number == 89.5);
    assert_string_equal(rci_json_get(after, "top1_on")->text, "test <images>");
    const struct rci_json_value *before = rci_json_get(root, "before");
    assert_true(rci_json_get(before, "top1")->number == 91.73);
    assert_int_equal(rci_json_get(before, "top1_on")->type, RC_JSON_NULL);
    assert_int_equal(rci_json_get(root, "steps")->count, 3);
    rci_json_free(&j);
    OK(rc_report_get_html(r, &text));
    assert_non_null(strstr(text, "Top-1 accuracy (test &lt;images&gt;)"));
    assert_null(strstr(text, "other images"));
    rc_report_free(&r);
}

static void empty_report_is_whole(void **state)
{
    (void) state;
    const char *text;
    rc_report *r;
    OK(rc_report_new(&r, context, "nothing yet"));
    OK(rc_report_get_json(r, &text));
    assert_non_null(strstr(text, "\"before\": null"));
    OK(rc_report_get_html(r, &text));
    assert_non_null(strstr(text, "<h1>nothing yet</h1>"));
    assert_null(strstr(text, "<svg"));
    rc_report_free(&r);
}

static void wrong_figures_are_refused(void **state)
{
    (void) state;
    rc_report *r = example("prune");
    rc_report_step s = RC_REPORT_STEP_INIT;
    REFUSED(rc_report_add_step(r, &s), RC_ERR_ARG, "step.name is NULL");
    s.name = "x";
    s.top1 = 100.5;
    REFUSED(rc_report_add_step(r, &s), RC_ERR_ARG, "top1 is 100.5, must be 0..100");
    s.top1 = 0;
    s.median_ms = NAN;
    REFUSED(rc_report_add_step(r, &s), RC_ERR_ARG, "median_ms is");
    s.size = 4;
    REFUSED(rc_report_add_step(r, &s), RC_ERR_ABI, "rc_report_step.size");
    REFUSED(rc_report_set_times(r, 2, NULL), RC_ERR_ARG, "which is 2");
    REFUSED(rc_report_set_fact(r, "a", NULL), RC_ERR_ARG, "value is NULL");
    REFUSED(rc_report_save(r, "/nowhere/at/all"), RC_ERR_PATH, "cannot make the folder");
    rc_report_free(&r);
}

static rc_graph *network(uint64_t width_percent)
{
    rc_graph *g;
    rc_network_options o = RC_NETWORK_OPTIONS_INIT;
    o.multiplier = (double) width_percent / 100;
    OK(rc_graph_new_network(&g, context, "resnet8", &o));
    return g;
}

static void set_times(rc_report *r, int32_t which, const rc_graph *g)
{
    rc_session *s;
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    float *x = calloc(3 * 32 * 32, sizeof(float)), y[10];
    o.flags = RC_SESSION_PROFILE;
    OK(rc_session_new(&s, g, &o));
    for (int i = 0; i < 3; i++)
        OK(rc_session_run(s, 1, (const float *[]){x}, (float *[]){y}));
    OK(rc_report_set_times(r, which, s));
    rc_session_free(&s);
    free(x);
}

static void page_is_xml_with_everything_in_it(void **state)
{
    (void) state;
    const char *folder = scratch_folder();
    rc_report *r = example(strange);
    rc_graph *before = network(100), *after = network(50);
    OK(rc_report_set_layers(r, before, after));
    set_times(r, RC_REPORT_BEFORE, before);
    set_times(r, RC_REPORT_AFTER, after);
    OK(rc_report_save(r, scratch_path(folder, "out")));
    OK(rc_report_save(r, scratch_path(folder, "out"))); /* again, over the old files */
    static const char check[] =
        "import sys, json, xml.etree.ElementTree as E\n"
        "f = sys.argv[1] + '/out/report.'\n"
        "j = json.load(open(f + 'json'))\n"
        "page = open(f + 'html', encoding='utf-8').read()\n"
        "root = E.fromstring(page.replace('<!DOCTYPE html>', '', 1))\n"
        "n = '{http://www.w3.org/1999/xhtml}'; s = '{http://www.w3.org/2000/svg}'\n"
        "text = ''.join(root.itertext())\n"
        "for word in ('ResNet-20 <CIFAR> & \"friends\"', 'AMD <EPYC>', '91.73 %', '1.09 MB',\n"
        "             '40.8 M', '1.92\\u00d7 less', '1.67\\u00d7 faster', '\\u22120.48 points',\n"
        "             'pr\\ufffdune \\ufffd \\ufffd <b>&amp;\\'\" \\u00e4', '12.5 s',\n"
        "             'lost 11 points & was given up'):\n"
        "    assert word in text, word\n"
        "assert len(root.findall(f'.//{s}svg')) == 5\n"
        "graph = [v for v in root.iter(s + 'svg') if v.get('class') == 'graph'][0]\n"
        "boxes = [v for v in graph.iter(s + 'rect') if v.get('class').startswith('box')]\n"
        "texts = [''.join(v.itertext()) for v in graph.iter(s + 'text')]\n"
        "wires = [v for v in graph.iter(s + 'path') if v.get('class') == 'wire']\n"
        "convs = [l for l in j['layers'] if l['width_after'] and l['op'] == 'Conv']\n"
        "assert sum(t.startswith('Conv') for t in texts) == len(convs)\n"
        "assert len(boxes) <= len(wires) + 1 and any('Relu' in t for t in texts)\n"
        "places = {(v.get('x'), v.get('y')) for v in boxes}\n"
        "assert len(places) == len(boxes)\n"
        "assert len(root.findall(f'.//{s}circle')) == 6\n"
        "assert sum(c.get('class') == 'dropped' for c in root.iter(s + 'circle')) == 2\n"
        "for v in root.iter(s + 'rect'):\n"
        "    assert 0 <= float(v.get('width')) <= 760\n"
        "for bad in ('http://', 'https://', 'src=', 'url(', '@import', '<script ', 'nan', "
        "'inf\"', 'fetch(', 'XMLHttp', 'import('):\n"
        "    for line in page.splitlines():\n"
        "        assert bad not in line.replace('http://www.w3.org/', ''), (bad, line)\n"
        "rows = [l for l in j['layers'] if l['width_before'] and l['op'] == 'Conv']\n"
        "assert rows and all(l['macs_before'] and l['macs_after'] for l in rows)\n"
        "assert any(l['width_after'] * 2 == l['width_before'] for l in rows)\n"
        "assert sum(l['ms_before'] or 0 for l in j['layers']) > 0\n"
        "assert any(l['ms_after'] for l in rows)\n"
        "assert j['steps'][1]['name'].startswith('pr\\x01une \\ufffd')\n";
    assert_int_equal(scratch_python(check, folder), 0);
    rc_graph_free(&before);
    rc_graph_free(&after);
    rc_report_free(&r);
    if (!getenv("RESCOMP_KEEP"))
        scratch_remove(folder);
    else
        print_message("kept: %s/out/report.html\n", folder);
}

static rc_status fill(rc_context *c)
{
    rc_report *r;
    const char *text;
    rc_report_step step = RC_REPORT_STEP_INIT;
    step.name = "a";
    step.top1 = 50;
    step.macs = 1000;
    rc_status st = rc_report_new(&r, c, "title");
    if (st == RC_OK)
        st = rc_report_set_fact(r, "name", "value");
    if (st == RC_OK)
        st = rc_report_set_fact(r, "name", "other value");
    if (st == RC_OK)
        st = rc_report_add_step(r, &step);
    if (st == RC_OK)
        st = rc_report_set_summary(r, RC_REPORT_BEFORE, &step);
    if (st == RC_OK)
        st = rc_report_get_json(r, &text);
    if (st == RC_OK)
        st = rc_report_get_html(r, &text);
    rc_report_free(&r);
    return st;
}

static void any_memory_cap_fails_cleanly(void **state)
{
    (void) state;
    rc_status st = RC_ERR_MEMORY;
    for (uint64_t cap = 64; st != RC_OK && cap < 1 << 20; cap += 64) {
        rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
        rc_context *c;
        o.max_memory = cap;
        OK(rc_context_new(&c, &o));
        st = fill(c);
        assert_true(st == RC_OK || st == RC_ERR_MEMORY);
        test_context_done(c);
    }
    assert_int_equal(st, RC_OK);
}

static void times_need_layers(void **state)
{
    (void) state;
    rc_report *r = example("prune");
    rc_graph *g = network(50);
    rc_session *s;
    OK(rc_session_new(&s, g, NULL));
    REFUSED(rc_report_set_times(r, 0, s), RC_ERR_STATE, "rc_report_set_layers first");
    rc_session_free(&s);
    rc_graph_free(&g);
    rc_report_free(&r);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(json_has_every_figure),
        T(summary_takes_the_place_of_first_and_last_step),
        T(empty_report_is_whole),
        T(wrong_figures_are_refused),
        T(page_is_xml_with_everything_in_it),
        T(times_need_layers),
        T(any_memory_cap_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
