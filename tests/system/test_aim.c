/* Goals that are reached for: met, missed by how much, impossible, contradictory; points, resuming
 * and stopping. */
#include "base/json.h"
#include "check.h"
#include "files.h"
#include "search/widths.h"
#include "tiny.h"

#include <rescomp/rescomp.h>
#include <stdlib.h>

struct scene {
    rc_context *c;
    rc_graph *g, *out;
    rc_dataset *train, *calib;
    rc_report *report;
    rc_compress_options o;
    rc_compress_result r;
};

static int32_t stop_now;

static int32_t asked_to_stop(void *user)
{
    (void) user;
    return stop_now;
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    rc_context_options co = RC_CONTEXT_OPTIONS_INIT;
    co.cancel = asked_to_stop;
    stop_now = 0;
    OK(rc_context_new(&s->c, &co));
    s->g = tiny_network(s->c, 0, 5);
    s->train = tiny_dataset(s->c, 256);
    s->calib = tiny_dataset(s->c, 96);
    OK(rc_report_new(&s->report, s->c, "tiny"));
    s->o = (rc_compress_options) RC_COMPRESS_OPTIONS_INIT;
    s->r = (rc_compress_result) RC_COMPRESS_RESULT_INIT;
    s->o.train = s->train;
    s->o.calib = s->calib;
    s->o.max_drop = 100;
    s->o.minutes = 0.2;
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    rc_report_free(&s->report);
    rc_graph_free(&s->out);
    rc_graph_free(&s->g);
    rc_dataset_free(&s->train);
    rc_dataset_free(&s->calib);
    rc_context_free(&s->c);
    free(s);
    return 0;
}

static rc_status run(struct scene *s)
{
    rc_graph_free(&s->out);
    return rc_compress(&s->out, s->g, &s->o, &s->r);
}

static double left(uint64_t after, uint64_t before)
{
    return (double) after / (double) before;
}

static void a_goal_of_multiply_adds_is_just_met(void **state)
{
    struct scene *s = *state;
    s->o.macs_ratio = 0.6;
    OK(run(s));
    const double kept = left(s->r.macs_after, s->r.macs_before);
    assert_true(kept <= 0.6);
    assert_true(kept > 0.4); /* and no more was cut than steps of widths make */
    assert_true(s->r.calib_top1_after >= 0 && s->r.joules_after > 0);
}

static void a_goal_of_size_is_met_by_file_bytes(void **state)
{
    struct scene *s = *state;
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    const char *folder = scratch_folder(), *path = scratch_path(folder, "out.onnx");
    s->o.size_ratio = 0.5;
    OK(run(s));
    OK(rc_graph_save(s->out, path));
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    assert_int_equal(ftell(f), s->r.file_bytes_after);
    fclose(f);
    scratch_remove(folder);
    assert_true(left(s->r.file_bytes_after, s->r.file_bytes_before) <= 0.5);
    OK(rc_graph_get_info(s->out, &info));
    assert_int_equal(info.macs, s->r.macs_after);
}

static void what_cannot_be_reached_is_said_before_training(void **state)
{
    struct scene *s = *state;
    s->o.macs_ratio = 0.001;
    REFUSED(run(s), RC_ERR_ARG, "multiply-adds 0.001 cannot be reached");
    assert_null(s->out);
    s->o.macs_ratio = 0;
    s->o.size_ratio = 0.001;
    REFUSED(run(s), RC_ERR_ARG, "size 0.001 cannot be reached");
}

static void options_that_contradict_are_refused(void **state)
{
    struct scene *s = *state;
    s->o.recipe = rc_recipe_get_default();
    REFUSED(run(s), RC_ERR_ARG, "minutes is for goals");
    s->o.recipe = NULL;
    s->o.cost_ratio = 0.5;
    REFUSED(run(s), RC_ERR_ARG, "cost and cost_ratio go together");
    s->o.cost_ratio = 0;
    s->o.macs_ratio = 1.5;
    REFUSED(run(s), RC_ERR_ARG, "macs_ratio is 1.5");
}

static void a_missed_goal_is_named_with_its_distance(void **state)
{
    struct scene *s = *state;
    s->o.macs_ratio = 0.3;
    s->o.max_drop = RC_ZERO_REAL;
    s->o.minutes = 0.001; /* nothing can be trained in it */
    const rc_status st = run(s);
    if (st == RC_OK) /* fresh weights may lose nothing */
        return;
    assert_int_equal(st, RC_ERR_GOAL);
    assert_non_null(strstr(rc_last_error(), "points of top-1 lost, the goal was 0.00"));
    assert_non_null(s->out);
    assert_true(left(s->r.macs_after, s->r.macs_before) <= 0.3);
}

static int32_t count_calls(void *user, const rc_graph *graph, double *cost)
{
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    ++*(int *) user;
    if (rc_graph_get_info(graph, &info) != RC_OK)
        return 1;
    *cost = 5 + (double) info.parameters;
    return 0;
}

static int32_t bad_cost(void *user, const rc_graph *graph, double *cost)
{
    (void) user;
    (void) graph;
    *cost = -1;
    return 0;
}

static void a_cost_of_the_callers_own_is_a_goal(void **state)
{
    struct scene *s = *state;
    int calls = 0;
    s->o.cost = count_calls;
    s->o.cost_user = &calls;
    s->o.cost_ratio = 0.7;
    OK(run(s));
    assert_true(calls >= 3);
    assert_true((5 + (double) s->r.parameters_after) / (5 + (double) s->r.parameters_before) <=
                0.7);
    s->o.cost = bad_cost;
    REFUSED(run(s), RC_ERR_DATA, "the caller's cost is -1");
}

static void a_table_of_another_device_decides(void **state)
{
    static const char text[] =
        "{\"rescomp_device\": 1, \"name\": \"phone\", \"watts\": 2, \"layers\": [{\"op\": "
        "\"Conv\", \"kernel\": [5, 5], \"input\": [8, 8], \"points\": [[3, 8, 1]]}]}";
    struct scene *s = *state;
    rc_device *d;
    rc_device_options o = RC_DEVICE_OPTIONS_INIT;
    const char *folder = scratch_folder();
    OK(rc_device_load(&d, s->c, scratch_write(folder, "phone.json", text, strlen(text))));
    scratch_remove(folder);
    s->o.device = d;
    s->o.latency_ratio = 0.9;
    REFUSED(run(s), RC_ERR_DATA, "the table of \"phone\" has no times of Conv 3x3");
    rc_device_free(&d);
    o.cuts = 2;
    o.seconds = 0.01;
    OK(rc_device_profile(&d, s->c, (const rc_graph *const *) &s->g, 1, &o));
    s->o.device = d;
    s->o.latency_ratio = 1;
    const rc_status st = run(s);
    assert_true(st == RC_OK || st == RC_ERR_GOAL);
    rc_device_prediction p = RC_DEVICE_PREDICTION_INIT;
    OK(rc_device_predict(d, s->out, &p));
    assert_near(s->r.median_ms_after, p.latency_ms, 1e-9);
    rc_device_free(&d);
}

static void every_point_is_in_the_report_and_in_its_folder(void **state)
{
    struct scene *s = *state;
    const char *text, *folder = scratch_folder();
    struct rci_json *j;
    rc_graph *point;
    s->o.points = folder;
    s->o.report = s->report;
    s->o.macs_ratio = 0.7;
    OK(run(s));
    OK(rc_report_get_json(s->report, &text));
    OK(rci_json_parse(&j, s->c, text, strlen(text), "report"));
    const struct rci_json_value *steps = rci_json_get(rci_json_root(j), "steps");
    assert_int_equal(steps->count, s->r.attempts + 1);
    assert_non_null(rci_json_get(rci_json_at(steps, 1), "front"));
    rci_json_free(&j);
    OK(rc_graph_load(&point, s->c, scratch_path(folder, "point-1.onnx")));
    rc_graph_free(&point);
    scratch_remove(folder);
}

static void a_run_goes_on_where_it_ended(void **state)
{
    struct scene *s = *state;
    const char *folder = scratch_folder();
    s->o.folder = folder;
    s->o.macs_ratio = 0.7;
    OK(run(s));
    const uint64_t macs = s->r.macs_after;
    s->o.resume = 1;
    OK(run(s));
    assert_int_equal(s->r.macs_after, macs);
    assert_int_equal(s->r.attempts, 1); /* nothing new was to be measured */
    s->o.macs_ratio = 0.5;
    REFUSED(run(s), RC_ERR_ARG, "for the goal \"macs\", asked for is 0.5");
    s->o.macs_ratio = 0.7;
    rc_graph *other = tiny_network(s->c, 0, 6), *mine = s->g;
    s->g = other;
    REFUSED(run(s), RC_ERR_ARG, "belongs to another model");
    s->g = mine;
    rc_graph_free(&other);
    scratch_remove(folder);
}

static void stop_in_training(void *user, const rc_compress_progress *p)
{
    (void) user;
    if (strstr(p->detail, "epoch"))
        stop_now = 1;
}

static void a_stopped_run_gives_the_best_so_far(void **state)
{
    struct scene *s = *state;
    s->o.macs_ratio = 0.3;
    s->o.max_drop = RC_ZERO_REAL;
    s->o.progress = stop_in_training;
    s->o.minutes = 0.6;
    const rc_status st = run(s);
    if (st == RC_OK || st == RC_ERR_GOAL) /* nothing was trained: fresh weights lost nothing */
        return;
    assert_int_equal(st, RC_ERR_CANCELLED);
    assert_non_null(s->out);
    assert_true(left(s->r.macs_after, s->r.macs_before) <= 0.3);
}

static void without_a_goal_of_cost_the_smallest_is_looked_for(void **state)
{
    struct scene *s = *state;
    s->o.minutes = 2; /* no more than it needs: nothing is trained where nothing is missed */
    OK(run(s));
    assert_true(left(s->r.macs_after, s->r.macs_before) < 0.6); /* all is allowed to be lost */
}

static void narrower_networks_lose_more_and_cost_less(void **state)
{
    struct scene *s = *state;
    const struct rci_width_limits limits = {.max_cut = 0.9, .round_to = 1};
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    struct rci_widths *w;
    double loss = -1, budget[RC_WIDTH_COSTS] = {0};
    bool met;
    o.criterion = "l2";
    OK(rc_pruner_new(&p, s->g, &o));
    OK(rci_widths_new(&w, p, NULL, &limits));
    const double all = w->cost[RC_WIDTH_MACS];
    for (double share = 1; share > 0.5; share -= 0.1) {
        budget[RC_WIDTH_MACS] = share * all;
        OK(rci_widths_solve(w, budget, &met));
        assert_true(met);
        assert_true(w->cost[RC_WIDTH_MACS] <= share * all * (1 + 1e-6));
        assert_true(rci_widths_loss(w) >= loss);
        loss = rci_widths_loss(w);
    }
    /* none can become wider within the budget */
    for (uint32_t i = 0; i < w->n_groups; i++) {
        struct rci_width_group *g = &w->group[i];
        if (!g->may_cut || g->kept == g->n)
            continue;
        g->kept++;
        OK(rci_widths_set_bits(w, 32, false));
        assert_true(w->cost[RC_WIDTH_MACS] > budget[RC_WIDTH_MACS]);
        g->kept--;
    }
    budget[RC_WIDTH_MACS] = 1e-3 * all;
    OK(rci_widths_solve(w, budget, &met));
    assert_false(met);
    rci_widths_free(w);
    rc_pruner_free(&p);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_goal_of_multiply_adds_is_just_met),
        TEST(a_goal_of_size_is_met_by_file_bytes),
        TEST(what_cannot_be_reached_is_said_before_training),
        TEST(options_that_contradict_are_refused),
        TEST(a_missed_goal_is_named_with_its_distance),
        TEST(a_cost_of_the_callers_own_is_a_goal),
        TEST(a_table_of_another_device_decides),
        TEST(every_point_is_in_the_report_and_in_its_folder),
        TEST(a_run_goes_on_where_it_ended),
        TEST(a_stopped_run_gives_the_best_so_far),
        TEST(without_a_goal_of_cost_the_smallest_is_looked_for),
        TEST(narrower_networks_lose_more_and_cost_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
