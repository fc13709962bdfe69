/* The border: handles of the wrong kind, freeing, flags, zeros that are meant, versions. */
#include "check.h"
#include "tiny.h"

#include <pthread.h>
#include <rescomp/rescomp.h>
#include <stdlib.h>

enum kind {
    CONTEXT,
    GRAPH,
    SESSION,
    DATASET,
    TRAINER,
    DISTILLER,
    PRUNER,
    QUANTIZER,
    REPORT,
    KINDS
};

struct all {
    void *handle[KINDS];
};

static void make_all(struct all *a)
{
    rc_context *c = test_context();
    a->handle[CONTEXT] = c;
    a->handle[GRAPH] = tiny_network(c, 0, 1);
    a->handle[DATASET] = tiny_dataset(c, 64);
    OK(rc_session_new((rc_session **) &a->handle[SESSION], a->handle[GRAPH], NULL));
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    o.batch = 16;
    OK(rc_trainer_new((rc_trainer **) &a->handle[TRAINER], a->handle[GRAPH], a->handle[DATASET],
                      &o));
    OK(rc_distiller_new((rc_distiller **) &a->handle[DISTILLER], a->handle[GRAPH], NULL));
    OK(rc_pruner_new((rc_pruner **) &a->handle[PRUNER], a->handle[GRAPH], NULL));
    OK(rc_quantizer_new((rc_quantizer **) &a->handle[QUANTIZER], a->handle[GRAPH], NULL));
    OK(rc_report_new((rc_report **) &a->handle[REPORT], c, "border"));
}

/* rc_x_free() of every kind, in an order in which owners outlive what they own. */
static void free_handle(enum kind as, void **handle)
{
    switch (as) {
    case CONTEXT:
        rc_context_free((rc_context **) handle);
        break;
    case GRAPH:
        rc_graph_free((rc_graph **) handle);
        break;
    case SESSION:
        rc_session_free((rc_session **) handle);
        break;
    case DATASET:
        rc_dataset_free((rc_dataset **) handle);
        break;
    case TRAINER:
        rc_trainer_free((rc_trainer **) handle);
        break;
    case DISTILLER:
        rc_distiller_free((rc_distiller **) handle);
        break;
    case PRUNER:
        rc_pruner_free((rc_pruner **) handle);
        break;
    case QUANTIZER:
        rc_quantizer_free((rc_quantizer **) handle);
        break;
    default:
        rc_report_free((rc_report **) handle);
    }
}

static void free_all(struct all *a)
{
    for (int k = KINDS - 1; k > CONTEXT; k--)
        if (k != GRAPH && k != DATASET)
            free_handle((enum kind) k, &a->handle[k]);
    free_handle(DATASET, &a->handle[DATASET]);
    free_handle(GRAPH, &a->handle[GRAPH]);
    test_context_done(a->handle[CONTEXT]);
}

static const char *const not_a[KINDS] = {
    "is not a context", "is not a graph",     "is not a session",
    "is not a dataset", "is not a trainer",   "is not a distiller",
    "is not a pruner",  "is not a quantizer", "is not a report",
};

/* Every function that takes a handle of kind `k` first, with `h` for it. */
static void call_with_context(void *h, rc_status st, const char *text)
{
    rc_graph *g;
    rc_dataset *d;
    rc_session *s;
    rc_report *r;
    rc_survey *survey;
    uint64_t n;
    int64_t dims[8];
    rc_system_info info = RC_SYSTEM_INFO_INIT;
    REFUSED(rc_context_get_memory(h, &n, &n), st, text);
    REFUSED(rc_system_get_info(h, &info), st, text);
    REFUSED(rc_graph_load(&g, h, "x"), st, text);
    REFUSED(rc_graph_load_memory(&g, h, "x", 1), st, text);
    REFUSED(rc_graph_load_with(&g, h, "x", NULL), st, text);
    REFUSED(rc_survey_new(&survey, h, "x"), st, text);
    REFUSED(rc_graph_new_network(&g, h, "resnet8", NULL), st, text);
    REFUSED(rc_session_load(&s, h, "x", NULL), st, text);
    REFUSED(rc_dataset_open(&d, h, "idx:x", NULL), st, text);
    REFUSED(rc_npy_read_shape(h, "x", dims, &n), st, text);
    REFUSED(rc_npy_read(h, "x", NULL, 0), st, text);
    REFUSED(rc_npy_write(h, "x", NULL, NULL, 0), st, text);
    REFUSED(rc_report_new(&r, h, "x"), st, text);
    REFUSED(rc_recipe_check(h, "x"), st, text);
}

static void call_with_graph(const struct all *a, void *h, rc_status st, const char *text)
{
    rc_graph *g;
    rc_session *s;
    rc_trainer *t;
    rc_distiller *d;
    rc_pruner *p;
    rc_quantizer *q;
    const char *value;
    const float *data;
    uint64_t rank;
    int64_t dims[8];
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    rc_node_info node = RC_NODE_INFO_INIT;
    rc_evaluate_result e = RC_EVALUATE_RESULT_INIT;
    REFUSED(rc_graph_save(h, "x"), st, text);
    REFUSED(rc_graph_save_with(h, "x", NULL), st, text);
    REFUSED(rc_graph_get_operand(h, 0, 0, &value, NULL), st, text);
    REFUSED(rc_graph_get_result(h, 0, 0, &value), st, text);
    REFUSED(rc_graph_clone(&g, h), st, text);
    REFUSED(rc_graph_get_info(h, &info), st, text);
    REFUSED(rc_graph_get_node(h, 0, &node), st, text);
    REFUSED(rc_graph_get_weight(h, "x", &data, dims, &rank), st, text);
    REFUSED(rc_graph_get_metadata(h, "x", &value), st, text);
    REFUSED(rc_graph_set_metadata(h, "x", "y"), st, text);
    REFUSED(rc_graph_fuse(h), st, text);
    REFUSED(rc_graph_reestimate_bn(h, a->handle[DATASET], 0, 0), st, text);
    REFUSED(rc_session_new(&s, h, NULL), st, text);
    REFUSED(rc_evaluate(h, a->handle[DATASET], NULL, &e), st, text);
    REFUSED(rc_trainer_new(&t, h, a->handle[DATASET], NULL), st, text);
    REFUSED(rc_distiller_new(&d, h, NULL), st, text);
    REFUSED(rc_pruner_new(&p, h, NULL), st, text);
    REFUSED(rc_quantizer_new(&q, h, NULL), st, text);
    REFUSED(rc_quantizer_finish(&g, h), st, text);
    REFUSED(rc_compress(&g, h, NULL, NULL), st, text);
    REFUSED(rc_report_set_layers(a->handle[REPORT], h, a->handle[GRAPH]), st, text);
    REFUSED(rc_report_set_layers(a->handle[REPORT], a->handle[GRAPH], h), st, text);
}

static void call_with_session(const struct all *a, void *h, rc_status st, const char *text)
{
    rc_session_io_info io = RC_SESSION_IO_INFO_INIT;
    rc_session_step_info step = RC_SESSION_STEP_INFO_INIT;
    rc_session *s = h;
    rc_latency r = RC_LATENCY_INIT;
    uint64_t n;
    REFUSED(rc_session_run(h, 1, NULL, NULL), st, text);
    REFUSED(rc_session_get_input(h, 0, &io), st, text);
    REFUSED(rc_session_get_output(h, 0, &io), st, text);
    REFUSED(rc_session_get_step(h, 0, &step), st, text);
    REFUSED(rc_session_get_memory(h, &n, &n), st, text);
    REFUSED(rc_report_set_times(a->handle[REPORT], RC_REPORT_AFTER, h), st, text);
    REFUSED(rc_measure_latency(a->handle[CONTEXT], &s, 1, NULL, &r), st, "session");
    assert_int_equal(rc_session_count_inputs(h), 0);
    assert_int_equal(rc_session_count_outputs(h), 0);
    assert_int_equal(rc_session_count_steps(h), 0);
}

static void call_with_dataset(const struct all *a, void *h, rc_status st, const char *text)
{
    rc_evaluate_result e = RC_EVALUATE_RESULT_INIT;
    rc_trainer *t;
    int64_t chw[3];
    int32_t label;
    REFUSED(rc_dataset_get_shape(h, chw), st, text);
    REFUSED(rc_dataset_get_label(h, 0, &label), st, text);
    REFUSED(rc_dataset_read(h, 0, 1, NULL, NULL), st, text);
    REFUSED(rc_evaluate(a->handle[GRAPH], h, NULL, &e), st, text);
    REFUSED(rc_trainer_new(&t, a->handle[GRAPH], h, NULL), st, text);
    REFUSED(rc_graph_reestimate_bn(a->handle[GRAPH], h, 0, 0), st, text);
    REFUSED(rc_quantizer_calibrate(a->handle[QUANTIZER], h), st, text);
    assert_int_equal(rc_dataset_count_images(h), 0);
    assert_int_equal(rc_dataset_count_classes(h), 0);
    assert_null(rc_dataset_get_class_name(h, 0));
    assert_null(rc_dataset_get_preprocess(h));
}

static void call_with_method(const struct all *a, enum kind k, void *h, rc_status st,
                             const char *text)
{
    rc_graph *g;
    const double *scores;
    rc_prune_group_info group = RC_PRUNE_GROUP_INFO_INIT;
    rc_prune_member_info member = RC_PRUNE_MEMBER_INFO_INIT;
    rc_quantize_entry_info entry = RC_QUANTIZE_ENTRY_INFO_INIT;
    if (k == TRAINER) {
        REFUSED(rc_trainer_run(h, NULL), st, text);
        REFUSED(rc_distiller_attach(a->handle[DISTILLER], h), st, text);
    } else if (k == DISTILLER) {
        REFUSED(rc_distiller_attach(h, a->handle[TRAINER]), st, text);
    } else if (k == PRUNER) {
        REFUSED(rc_pruner_get_group(h, 0, &group), st, text);
        REFUSED(rc_pruner_get_member(h, 0, 0, &member), st, text);
        REFUSED(rc_pruner_get_scores(h, 0, &scores, NULL), st, text);
        REFUSED(rc_pruner_plan(h, NULL), st, text);
        REFUSED(rc_pruner_set_kept(h, 0, 1), st, text);
        REFUSED(rc_pruner_apply(&g, h, NULL), st, text);
        assert_int_equal(rc_pruner_count_groups(h), 0);
    } else {
        REFUSED(rc_quantizer_calibrate(h, a->handle[DATASET]), st, text);
        REFUSED(rc_quantizer_save_table(h, "x", 0), st, text);
        REFUSED(rc_quantizer_load_table(h, "x", 0), st, text);
        REFUSED(rc_quantizer_apply(&g, h), st, text);
        REFUSED(rc_quantizer_get_entry(h, 0, &entry), st, text);
        assert_int_equal(rc_quantizer_count_entries(h), 0);
    }
}

static void call_with_report(const struct all *a, void *h, rc_status st, const char *text)
{
    const char *out;
    rc_report_step step = RC_REPORT_STEP_INIT;
    step.name = "x";
    REFUSED(rc_report_set_fact(h, "x", "y"), st, text);
    REFUSED(rc_report_add_step(h, &step), st, text);
    REFUSED(rc_report_set_summary(h, RC_REPORT_AFTER, &step), st, text);
    REFUSED(rc_report_set_layers(h, a->handle[GRAPH], a->handle[GRAPH]), st, text);
    REFUSED(rc_report_set_times(h, RC_REPORT_AFTER, a->handle[SESSION]), st, text);
    REFUSED(rc_report_get_json(h, &out), st, text);
    REFUSED(rc_report_get_html(h, &out), st, text);
    REFUSED(rc_report_save(h, "x"), st, text);
}

static void call_all(const struct all *a, enum kind k, void *h, const char *text)
{
    const rc_status st = RC_ERR_ARG;
    if (k == CONTEXT)
        call_with_context(h, st, text);
    else if (k == GRAPH)
        call_with_graph(a, h, st, text);
    else if (k == SESSION)
        call_with_session(a, h, st, text);
    else if (k == DATASET)
        call_with_dataset(a, h, st, text);
    else if (k == REPORT)
        call_with_report(a, h, st, text);
    else
        call_with_method(a, k, h, st, text);
}

static void handles_of_another_kind_are_refused_everywhere(void **state)
{
    (void) state;
    struct all a;
    make_all(&a);
    for (int k = 0; k < KINDS; k++) {
        call_all(&a, (enum kind) k, NULL, "is NULL");
        for (int other = 0; other < KINDS; other++)
            if (other != k)
                call_all(&a, (enum kind) k, a.handle[other], not_a[k]);
    }
    free_all(&a);
}

static void options_with_a_wrong_handle_are_refused(void **state)
{
    (void) state;
    struct all a;
    make_all(&a);
    rc_trainer *t;
    rc_pruner *p;
    rc_graph *g;
    rc_train_options train = RC_TRAIN_OPTIONS_INIT;
    rc_prune_options prune = RC_PRUNE_OPTIONS_INIT;
    rc_compress_options o = RC_COMPRESS_OPTIONS_INIT;
    train.validation = (const rc_dataset *) a.handle[GRAPH];
    prune.dataset = (const rc_dataset *) a.handle[GRAPH];
    REFUSED(rc_trainer_new(&t, a.handle[GRAPH], a.handle[DATASET], &train), RC_ERR_ARG,
            "validation is not a dataset");
    REFUSED(rc_pruner_new(&p, a.handle[GRAPH], &prune), RC_ERR_ARG, "dataset is not a dataset");
    o.train = (const rc_dataset *) a.handle[GRAPH];
    o.calib = a.handle[DATASET];
    REFUSED(rc_compress(&g, a.handle[GRAPH], &o, NULL), RC_ERR_ARG, "train is not a dataset");
    o.train = a.handle[DATASET];
    o.teacher = (const rc_graph *) a.handle[DATASET];
    REFUSED(rc_compress(&g, a.handle[GRAPH], &o, NULL), RC_ERR_ARG, "teacher is not a graph");
    o.teacher = NULL;
    o.report = (rc_report *) a.handle[GRAPH];
    REFUSED(rc_compress(&g, a.handle[GRAPH], &o, NULL), RC_ERR_ARG, "report is not a report");
    free_all(&a);
}

static void freeing_behaves_the_same_for_every_handle(void **state)
{
    (void) state;
    struct all a;
    make_all(&a);
    for (int k = 0; k < KINDS; k++) {
        void *none = NULL;
        free_handle((enum kind) k, NULL);
        free_handle((enum kind) k, &none);
        assert_null(none);
        for (int other = 0; other < KINDS; other++) {
            void *foreign = a.handle[other];
            if (other == k)
                continue;
            free_handle((enum kind) k, &foreign);
            assert_null(foreign);
        }
    }
    for (int k = 0; k < KINDS; k++) /* and all are still whole */
        call_all(&a, (enum kind) k, NULL, "is NULL");
    assert_int_equal(rc_session_count_inputs(a.handle[SESSION]), 1);
    assert_int_equal(rc_dataset_count_images(a.handle[DATASET]), 64);
    free_all(&a);
}

static void unknown_flags_are_refused_alike(void **state)
{
    (void) state;
    const uint64_t unknown = UINT64_C(1) << 40;
    struct all a;
    make_all(&a);
    rc_context_options context = RC_CONTEXT_OPTIONS_INIT;
    rc_session_options session = RC_SESSION_OPTIONS_INIT;
    rc_evaluate_options evaluate = RC_EVALUATE_OPTIONS_INIT;
    rc_train_options train = RC_TRAIN_OPTIONS_INIT;
    rc_prune_options prune = RC_PRUNE_OPTIONS_INIT;
    rc_quantize_options quantize = RC_QUANTIZE_OPTIONS_INIT;
    rc_evaluate_result r = RC_EVALUATE_RESULT_INIT;
    void *out;
    context.flags = session.flags = evaluate.flags = train.flags = prune.flags = quantize.flags =
        unknown;
    REFUSED(rc_context_new((rc_context **) &out, &context), RC_ERR_ABI, "flags is 0x10000000000");
    REFUSED(rc_session_new((rc_session **) &out, a.handle[GRAPH], &session), RC_ERR_ABI,
            "flags is 0x10000000000");
    REFUSED(rc_evaluate(a.handle[GRAPH], a.handle[DATASET], &evaluate, &r), RC_ERR_ABI,
            "flags is 0x10000000000");
    REFUSED(rc_trainer_new((rc_trainer **) &out, a.handle[GRAPH], a.handle[DATASET], &train),
            RC_ERR_ABI, "flags is 0x10000000000");
    REFUSED(rc_pruner_new((rc_pruner **) &out, a.handle[GRAPH], &prune), RC_ERR_ABI,
            "flags is 0x10000000000");
    REFUSED(rc_quantizer_new((rc_quantizer **) &out, a.handle[GRAPH], &quantize), RC_ERR_ABI,
            "flags is 0x10000000000");
    free_all(&a);
}

static uint64_t runs_of(rc_context *c, const rc_graph *g, uint64_t warmup)
{
    rc_session *s;
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    rc_latency_options l = RC_LATENCY_OPTIONS_INIT;
    rc_latency r = RC_LATENCY_INIT;
    rc_session_step_info step = RC_SESSION_STEP_INFO_INIT;
    o.flags = RC_SESSION_PROFILE;
    l.min_runs = l.max_runs = 2;
    l.warmup = warmup;
    OK(rc_session_new(&s, g, &o));
    OK(rc_measure_latency(c, &s, 1, &l, &r));
    OK(rc_session_get_step(s, 0, &step));
    rc_session_free(&s);
    return step.runs;
}

static void zeros_that_are_meant_can_be_said(void **state)
{
    (void) state;
    struct all a;
    make_all(&a);
    const uint64_t plain = runs_of(a.handle[CONTEXT], a.handle[GRAPH], 0),
                   none = runs_of(a.handle[CONTEXT], a.handle[GRAPH], RC_ZERO),
                   one = runs_of(a.handle[CONTEXT], a.handle[GRAPH], 1);
    assert_int_equal(one - none, 1);
    assert_int_equal(plain - none, 3);
    rc_compress_options o = RC_COMPRESS_OPTIONS_INIT;
    rc_graph *out;
    const char *json;
    o.recipe = "{\"schema\": 1, \"steps\": [{\"step\": \"fuse\"}]}";
    o.train = o.calib = a.handle[DATASET];
    o.report = a.handle[REPORT];
    o.max_drop = RC_ZERO_REAL;
    OK(rc_compress(&out, a.handle[GRAPH], &o, NULL));
    rc_graph_free(&out);
    OK(rc_report_get_json(o.report, &json));
    assert_non_null(strstr(json, "allowed is 0.00"));
    o.max_drop = -0.5;
    REFUSED(rc_compress(&out, a.handle[GRAPH], &o, NULL), RC_ERR_ARG, "max_drop is -0.5");
    rc_report_step step = RC_REPORT_STEP_INIT;
    step.name = "all wrong";
    step.top1 = RC_ZERO_REAL;
    OK(rc_report_add_step(o.report, &step));
    OK(rc_report_get_json(o.report, &json));
    json = strstr(json, "\"all wrong\"");
    assert_non_null(json);
    json = strstr(json, "\"top1\"");
    assert_true(json && json[strcspn(json, "0n")] == '0');
    free_all(&a);
}

static void a_missed_goal_comes_with_the_best_there_is(void **state)
{
    (void) state;
    struct all a;
    make_all(&a);
    rc_pruner *p;
    rc_graph *g;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_prune_result r = RC_PRUNE_RESULT_INIT;
    o.macs = 0.001;
    OK(rc_pruner_new(&p, a.handle[GRAPH], &o));
    REFUSED(rc_pruner_apply(&g, p, &r), RC_ERR_GOAL, "asked");
    assert_non_null(g);
    assert_true(r.macs_after < r.macs_before);
    rc_graph_info info = RC_GRAPH_INFO_INIT;
    OK(rc_graph_get_info(g, &info));
    assert_int_equal(info.macs, r.macs_after);
    rc_graph_free(&g);
    OK(rc_pruner_apply(&g, p, NULL)); /* by the plan that is known now */
    rc_graph_free(&g);
    rc_pruner_free(&p);
    free_all(&a);
}

static void *ask_for_info(void *context)
{
    rc_system_info *info = calloc(1, sizeof(*info));
    info->size = sizeof(*info);
    for (int i = 0; i < 100; i++)
        if (rc_system_get_info(context, info) != RC_OK)
            return NULL;
    return info;
}

static void texts_about_the_machine_are_written_once(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    pthread_t thread[2];
    rc_system_info *info[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, ask_for_info, c), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], (void **) &info[i]);
    assert_true(info[0] && info[1]);
    assert_ptr_equal(info[0]->cpu, info[1]->cpu);
    assert_ptr_equal(info[0]->isa, info[1]->isa);
    assert_ptr_equal(info[0]->self_test_message, info[1]->self_test_message);
    free(info[0]);
    free(info[1]);
    test_context_done(c);
}

static void headers_and_library_agree_on_the_version(void **state)
{
    (void) state;
    char text[64];
    snprintf(text, sizeof(text), "%d.%d.%d", RC_VERSION_MAJOR, RC_VERSION_MINOR, RC_VERSION_PATCH);
    assert_string_equal(text, rc_version_string()); /* which is the one of the build file */
    assert_int_equal(rc_version_number(), RC_VERSION_NUMBER);
    assert_int_equal(RC_VERSION_NUMBER,
                     RC_VERSION_MAJOR * 1000000 + RC_VERSION_MINOR * 1000 + RC_VERSION_PATCH);
}

static void log_levels_rise_with_severity(void **state)
{
    (void) state;
    assert_true(RC_LOG_DEBUG < RC_LOG_INFO && RC_LOG_INFO < RC_LOG_WARNING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_of_another_kind_are_refused_everywhere),
        cmocka_unit_test(options_with_a_wrong_handle_are_refused),
        cmocka_unit_test(freeing_behaves_the_same_for_every_handle),
        cmocka_unit_test(unknown_flags_are_refused_alike),
        cmocka_unit_test(zeros_that_are_meant_can_be_said),
        cmocka_unit_test(a_missed_goal_comes_with_the_best_there_is),
        cmocka_unit_test(texts_about_the_machine_are_written_once),
        cmocka_unit_test(headers_and_library_agree_on_the_version),
        cmocka_unit_test(log_levels_rise_with_severity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
