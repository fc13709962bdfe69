/* Adding a method is one file and one entry of a list: this program is linked with the library's
 * own tables and one more entry in each, for methods that lib/ has never heard of. They are found
 * by name, listed with their parameters, and used. */
#include "files.h"
#include "outside.h"
#include "test.h"
#include "tiny.h"

#include <rescomp/rescomp.h>

unsigned outside_calls[OUTSIDE_KINDS];

static void every_kind_lists_it(void **state)
{
    (void) state;
    static const char *const kinds[OUTSIDE_KINDS] = {[OUTSIDE_ALLOCATION] = "allocation",
                                                     [OUTSIDE_AUGMENTATION] = "augmentation",
                                                     [OUTSIDE_CRITERION] = "criterion",
                                                     [OUTSIDE_DISTILL_LOSS] = "distill-loss",
                                                     [OUTSIDE_LOSS] = "loss",
                                                     [OUTSIDE_OBSERVER] = "observer",
                                                     [OUTSIDE_OPTIMIZER] = "optimizer",
                                                     [OUTSIDE_QAT] = "qat",
                                                     [OUTSIDE_RATE] = "rate",
                                                     [OUTSIDE_REGULARIZER] = "regularizer",
                                                     [OUTSIDE_REPAIR] = "repair",
                                                     [OUTSIDE_ROUNDING] = "rounding",
                                                     [OUTSIDE_SCHEDULE] = "schedule",
                                                     [OUTSIDE_SEARCHER] = "searcher",
                                                     [OUTSIDE_TABLE_FORMAT] = "table-format",
                                                     [OUTSIDE_TARGET] = "target"};
    for (int k = 0; k < OUTSIDE_KINDS; k++) {
        rc_method_info m = RC_METHOD_INFO_INIT;
        uint64_t found = 0;
        for (uint64_t i = 0; rc_method_get(kinds[k], i, &m) == RC_OK; i++)
            found += !strcmp(m.name, "outside");
        assert_int_equal(found, 1);
    }
}

static void training_uses_it(void **state)
{
    struct rc_context *c = *state;
    rc_dataset *d = tiny_dataset(c, 16);
    rc_graph *g = tiny_network(c, 0, 1);
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    rc_trainer *t;
    o.batch = 8;
    o.loss = o.optimizer = o.augmentation = "outside";
    o.rate = "outside:warmup=0";
    OK(rc_trainer_new(&t, g, d, &o));
    rc_sparsifier *by;
    rc_sparsify_options penalty = RC_SPARSIFY_OPTIONS_INIT;
    penalty.method = "outside";
    OK(rc_sparsifier_new(&by, t, &penalty));
    OK(rc_trainer_run(t, NULL));
    rc_trainer_free(&t);
    rc_sparsifier_free(&by);
    assert_true(outside_calls[OUTSIDE_REGULARIZER] >= 2);
    assert_int_equal(outside_calls[OUTSIDE_LOSS], 2); /* one per step */
    assert_int_equal(outside_calls[OUTSIDE_RATE], 2);
    assert_int_equal(outside_calls[OUTSIDE_AUGMENTATION], 16);
    assert_true(outside_calls[OUTSIDE_OPTIMIZER] > 2);
    rc_graph_free(&g);
    rc_dataset_free(&d);
}

static void distillation_uses_it(void **state)
{
    struct rc_context *c = *state;
    rc_dataset *d = tiny_dataset(c, 16);
    rc_graph *g = tiny_network(c, 0, 1), *teacher = tiny_network(c, 0, 2);
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    rc_distill_options distill = RC_DISTILL_OPTIONS_INIT;
    rc_distiller *by;
    rc_trainer *t;
    o.batch = 8;
    distill.loss = "outside";
    OK(rc_trainer_new(&t, g, d, &o));
    OK(rc_distiller_new(&by, teacher, &distill));
    OK(rc_distiller_attach(by, t));
    OK(rc_trainer_run(t, NULL));
    assert_int_equal(outside_calls[OUTSIDE_DISTILL_LOSS], 2);
    rc_trainer_free(&t);
    rc_distiller_free(&by);
    rc_graph_free(&g);
    rc_graph_free(&teacher);
    rc_dataset_free(&d);
}

static void pruning_uses_it(void **state)
{
    struct rc_context *c = *state;
    rc_graph *g = tiny_network(c, 0, 1), *small;
    rc_prune_options o = RC_PRUNE_OPTIONS_INIT;
    rc_pruner *p;
    o.criterion = o.allocation = o.repair = o.schedule = "outside";
    o.macs = 0.6;
    OK(rc_pruner_new(&p, g, &o));
    OK(rc_pruner_plan(p, NULL));
    OK(rc_pruner_apply(&small, p, NULL));
    assert_true(outside_calls[OUTSIDE_CRITERION] > 0);
    assert_true(outside_calls[OUTSIDE_ALLOCATION] > 0);
    assert_true(outside_calls[OUTSIDE_SCHEDULE] >= 2);
    assert_int_equal(outside_calls[OUTSIDE_REPAIR], 2); /* after each of the two rounds */
    rc_pruner_free(&p);
    rc_graph_free(&small);
    rc_graph_free(&g);
}

static void calibration_uses_it_with_its_parameters(void **state)
{
    struct rc_context *c = *state;
    rc_graph *g = tiny_network(c, 0, 1);
    rc_dataset *d = tiny_dataset(c, 16);
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    rc_quantizer *q;
    o.observer = "outside:factor=2";
    REFUSED(rc_quantizer_new(&q, g, &o), RC_ERR_ARG, "allowed is a number in [0.1, 1]");
    o.observer = "outside:factor=0.25";
    o.rounding = "outside";
    OK(rc_quantizer_new(&q, g, &o));
    OK(rc_quantizer_calibrate(q, d));
    assert_true(outside_calls[OUTSIDE_OBSERVER] > 5); /* once per value */
    assert_true(outside_calls[OUTSIDE_ROUNDING] > 1); /* once per layer */
    const char *folder = scratch_folder(), *path = scratch_path(folder, "table");
    rc_quantize_entry_info e = RC_QUANTIZE_ENTRY_INFO_INIT;
    OK(rc_quantizer_save_table(q, path, "outside"));
    OK(rc_quantizer_load_table(q, path, "outside"));
    OK(rc_quantizer_get_entry(q, 0, &e));
    assert_true(outside_calls[OUTSIDE_TABLE_FORMAT] == 2 && e.amax == 2);
    scratch_remove(folder);
    rc_quantizer_free(&q);
    rc_dataset_free(&d);
    rc_graph_free(&g);
}

static void quantized_training_uses_it(void **state)
{
    struct rc_context *c = *state;
    rc_dataset *d = tiny_dataset(c, 16);
    rc_graph *g = tiny_network(c, 0, 1), *trainable, *done;
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    rc_train_options train = RC_TRAIN_OPTIONS_INIT;
    rc_quantizer *q;
    rc_trainer *t;
    o.qat = "outside";
    train.batch = 8;
    OK(rc_quantizer_new(&q, g, &o));
    OK(rc_quantizer_calibrate(q, d));
    OK(rc_quantizer_apply(&trainable, q));
    OK(rc_trainer_new(&t, trainable, d, &train));
    OK(rc_quantizer_attach(q, t));
    OK(rc_trainer_run(t, NULL));
    assert_true(outside_calls[OUTSIDE_QAT] > 4);
    OK(rc_quantizer_finish(&done, trainable));
    rc_trainer_free(&t);
    rc_quantizer_free(&q);
    rc_graph_free(&done);
    rc_graph_free(&trainable);
    rc_graph_free(&g);
    rc_dataset_free(&d);
}

static void compressing_uses_it(void **state)
{
    struct rc_context *c = *state;
    rc_graph *g = tiny_network(c, 0, 1), *small;
    rc_dataset *d = tiny_dataset(c, 64);
    rc_compress_options o = RC_COMPRESS_OPTIONS_INIT;
    o.train = o.calib = d;
    o.macs_ratio = 0.7;
    o.max_drop = 100;
    o.minutes = 0.5;
    o.search = "outside";
    o.evaluations = 3;
    OK(rc_compress(&small, g, &o, NULL));
    assert_int_equal(outside_calls[OUTSIDE_SEARCHER], 2); /* the first policy is the middle */
    rc_graph_free(&small);
    rc_dataset_free(&d);
    rc_graph_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_lists_it),
        cmocka_unit_test_setup_teardown(training_uses_it, context_setup, context_teardown),
        cmocka_unit_test_setup_teardown(distillation_uses_it, context_setup, context_teardown),
        cmocka_unit_test_setup_teardown(compressing_uses_it, context_setup, context_teardown),
        cmocka_unit_test_setup_teardown(pruning_uses_it, context_setup, context_teardown),
        cmocka_unit_test_setup_teardown(quantized_training_uses_it, context_setup,
                                        context_teardown),
        cmocka_unit_test_setup_teardown(calibration_uses_it_with_its_parameters, context_setup,
                                        context_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
