/* Distillation: the student moves towards its teacher, and kept answers change nothing. */
#include "check.h"
#include "distill/distiller.h"
#include "distill/loss.h"
#include "graph/graph.h"
#include "tiny.h"

#include <rescomp/evaluate.h>
#include <rescomp/quantize.h>
#include <stdlib.h>

enum { IMAGES = 128, BATCH = 32, EPOCHS = 4 };

struct outcome {
    uint64_t computed, kept;
    double loss;
    float first[16]; /* some weights of the student */
};

static struct outcome distil_by(const char *loss, const char *hints, const char *augmentation,
                                uint64_t replays, uint64_t cache_bytes)
{
    struct rc_context *c = test_context();
    rc_dataset *d = tiny_dataset(c, IMAGES);
    rc_graph *teacher = tiny_network(c, 0, 1), *student = tiny_network(c, 0, 2);
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    rc_distill_options k = RC_DISTILL_OPTIONS_INIT;
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    struct outcome out = {0};
    o.epochs = EPOCHS;
    o.batch = BATCH;
    o.augmentation = augmentation;
    o.replays = replays;
    o.lr = loss ? 0.002 : 0;
    k.cache_bytes = cache_bytes;
    k.loss = loss;
    k.hints = &hints;
    k.hint_count = hints != NULL;
    rc_trainer *t;
    rc_distiller *q;
    OK(rc_trainer_new(&t, student, d, &o));
    OK(rc_distiller_new(&q, teacher, &k));
    rc_graph_free(&teacher); /* the distiller has its copy */
    OK(rc_distiller_attach(q, t));
    REFUSED(rc_distiller_attach(q, t), RC_ERR_STATE, "already");
    OK(rc_trainer_run(t, &r));
    rci_distiller_counts(q, &out.computed, &out.kept);
    out.loss = r.loss;
    for (rci_id i = 0; i < student->n_values; i++)
        if (rci_value_is_const(&student->values[i]) &&
            rci_shape_count(&student->values[i].tensor.shape) >= 16) {
            memcpy(out.first, student->values[i].tensor.data, sizeof(out.first));
            break;
        }
    rc_trainer_free(&t);
    rc_distiller_free(&q);
    rc_graph_free(&student);
    rc_dataset_free(&d);
    test_context_done(c);
    return out;
}

static struct outcome distil(const char *augmentation, uint64_t replays, uint64_t cache_bytes)
{
    return distil_by(NULL, NULL, augmentation, replays, cache_bytes);
}

static void answers_are_kept_when_images_come_again(void **state)
{
    (void) state;
    const struct outcome kept = distil(NULL, 0, 0), computed = distil(NULL, 0, 1);
    assert_int_equal(kept.computed, IMAGES / BATCH);
    assert_int_equal(kept.kept, (EPOCHS - 1) * IMAGES / BATCH);
    assert_int_equal(computed.computed, EPOCHS * IMAGES / BATCH);
    assert_int_equal(computed.kept, 0);
    assert_near(kept.loss, computed.loss, 1e-4);
}

static void augmented_answers_are_kept_only_in_replays(void **state)
{
    (void) state;
    const struct outcome fresh = distil("crop:pad=1+flip", 0, 0);
    assert_int_equal(fresh.computed, EPOCHS * IMAGES / BATCH);
    const struct outcome replayed = distil("crop:pad=1+flip", 2, 0);
    assert_int_equal(replayed.computed, 2 * IMAGES / BATCH);
    assert_int_equal(replayed.kept, 2 * IMAGES / BATCH);
    const struct outcome recomputed = distil("crop:pad=1+flip", 2, 1);
    assert_int_equal(recomputed.kept, 0);
    assert_memory_equal(replayed.first, recomputed.first, sizeof(replayed.first));
}

static void mixed_images_are_learned_from_the_teacher(void **state)
{
    (void) state;
    const struct outcome mixed = distil("crop:pad=1+mixup:alpha=1", 2, 0);
    const struct outcome again = distil("crop:pad=1+mixup:alpha=1", 2, 0);
    const struct outcome plain = distil("crop:pad=1", 2, 0);
    assert_memory_equal(mixed.first, again.first, sizeof(mixed.first));
    assert_memory_not_equal(mixed.first, plain.first, sizeof(mixed.first));
    assert_true(mixed.loss != plain.loss);
    assert_int_equal(mixed.kept, 2 * IMAGES / BATCH);
}

static void every_loss_trains_and_repeats(void **state)
{
    (void) state;
    const struct outcome plain = distil_by("hinton", NULL, "crop:pad=1", 2, 0);
    for (uint32_t i = 0; i < rci_kind_distill_loss.count; i++) {
        const char *name = rci_kind_distill_loss.table[i]->name;
        const struct outcome first = distil_by(name, NULL, "crop:pad=1", 2, 0);
        const struct outcome computed = distil_by(name, NULL, "crop:pad=1", 2, RC_ZERO);
        assert_memory_equal(first.first, computed.first, sizeof(first.first));
        assert_int_equal(first.kept, EPOCHS / 2 * IMAGES / BATCH);
        assert_int_equal(computed.kept, 0);
        assert_true(i == 0 || memcmp(first.first, plain.first, sizeof(plain.first)) != 0);
    }
}

/* A student that has its teacher's weights has its features. */
static void the_features_of_a_copy_are_at_no_distance(void **state)
{
    struct rc_context *c = *state;
    rc_dataset *d = tiny_dataset(c, BATCH);
    rc_graph *teacher = tiny_network(c, 0, 1), *student = tiny_network(c, 0, 1);
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    rc_distill_options k = RC_DISTILL_OPTIONS_INIT;
    rc_train_result plain = RC_TRAIN_RESULT_INIT, with = RC_TRAIN_RESULT_INIT;
    rc_trainer *t;
    rc_distiller *q;
    o.batch = BATCH;
    o.lr = 1e-9;
    o.flags = RC_TRAIN_FREEZE_BN;
    OK(rc_trainer_new(&t, student, d, &o));
    OK(rc_trainer_run(t, &plain));
    rc_trainer_free(&t);
    k.loss = "at+sp+rkd+pkt";
    OK(rc_trainer_new(&t, student, d, &o));
    OK(rc_distiller_new(&q, teacher, &k));
    OK(rc_distiller_attach(q, t));
    OK(rc_trainer_run(t, &with));
    assert_near(with.loss, plain.loss, 1e-4);
    rc_trainer_free(&t);
    rc_distiller_free(&q);
    rc_graph_free(&teacher);
    rc_graph_free(&student);
    rc_dataset_free(&d);
}

static void sums_of_losses_on_named_pairs(void **state)
{
    (void) state;
    const char *loss = "hinton+at:weight=10,warmup=0.5";
    const struct outcome found = distil_by(loss, NULL, NULL, 0, 0);
    const struct outcome last = distil_by(loss, "layer3*relu2*=layer3*relu2*", NULL, 0, 0);
    assert_memory_not_equal(found.first, last.first, sizeof(found.first));
    assert_true(isfinite(found.loss) && isfinite(last.loss));
}

static rc_status attach(struct rc_context *c, const rc_graph *teacher, const char *loss,
                        const char *hints)
{
    rc_dataset *d = tiny_dataset(c, IMAGES);
    rc_graph *student = tiny_network(c, 0, 2);
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    rc_distill_options k = RC_DISTILL_OPTIONS_INIT;
    rc_trainer *t;
    rc_distiller *q;
    o.batch = BATCH;
    k.loss = loss;
    k.hints = &hints;
    k.hint_count = hints != NULL;
    OK(rc_trainer_new(&t, student, d, &o));
    OK(rc_distiller_new(&q, teacher, &k));
    const rc_status st = rc_distiller_attach(q, t);
    if (st == RC_OK)
        OK(rc_trainer_run(t, NULL));
    rc_trainer_free(&t);
    rc_distiller_free(&q);
    rc_graph_free(&student);
    rc_dataset_free(&d);
    return st;
}

static void hints_that_match_nothing_say_what_there_is(void **state)
{
    rc_graph *teacher = tiny_network(*state, 0, 1);
    REFUSED(attach(*state, teacher, "at", "nothing*=layer1*"), RC_ERR_ARG,
            "no value of the student is named \"nothing*\"; there are");
    REFUSED(attach(*state, teacher, "at", "layer1*=nothing"), RC_ERR_ARG,
            "no value of the teacher is named \"nothing\"");
    REFUSED(attach(*state, teacher, "at", "layer*relu*=layer1*relu*"), RC_ERR_ARG,
            "values of the student");
    REFUSED(attach(*state, teacher, "at", "layer1"), RC_ERR_ARG, "expected student=teacher");
    REFUSED(attach(*state, teacher, "hinton", "a=b"), RC_ERR_ARG, "no loss compares features");
    /* 2 x 2 pixels of the student cannot become 8 x 8 of the teacher */
    REFUSED(attach(*state, teacher, "fitnets", "layer3*conv2*=layer1*conv2*"), RC_ERR_SHAPE,
            "no 1x1 convolution leads from the student's 2x2 to the teacher's 8x8");
    rc_graph_free(&teacher);
}

/* Twice the student's channels, and a teacher on integers. */
static void teachers_of_other_shapes_and_types_teach(void **state)
{
    struct rc_context *c = *state;
    rc_network_options n = RC_NETWORK_OPTIONS_INIT;
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    rc_dataset *d = tiny_dataset(c, IMAGES);
    rc_graph *wide, *integer;
    rc_quantizer *q;
    n.classes = TINY_CLASSES;
    n.height = n.width = TINY_SIDE;
    OK(rc_graph_new_network(&wide, c, "resnet8", &n));
    OK(attach(c, wide, "fitnets+at+sp+rkd+pkt", NULL));
    OK(attach(c, wide, "fitnets", "layer1.0.relu2*=layer3.0.relu2*")); /* 8x8 to 2x2 */
    OK(rc_quantizer_new(&q, wide, &o));
    OK(rc_quantizer_calibrate(q, d));
    OK(rc_quantizer_apply(&integer, q));
    OK(attach(c, integer, "hinton+at+rkd", NULL));
    rc_graph_free(&integer);
    rc_quantizer_free(&q);
    rc_graph_free(&wide);
    rc_dataset_free(&d);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    rc_dataset *d = tiny_dataset(c, IMAGES);
    rc_graph *teacher = tiny_network(c, 7, 1), *student = tiny_network(c, 0, 2);
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    rc_distill_options k = RC_DISTILL_OPTIONS_INIT;
    rc_trainer *t;
    rc_distiller *q;
    o.batch = BATCH;
    OK(rc_trainer_new(&t, student, d, &o));
    OK(rc_distiller_new(&q, teacher, NULL));
    REFUSED(rc_distiller_attach(q, t), RC_ERR_SHAPE,
            "the teacher has 7 classes, the student has 4");
    REFUSED(rc_distiller_attach(NULL, t), RC_ERR_ARG, "distiller is NULL");
    REFUSED(rc_distiller_attach(q, NULL), RC_ERR_ARG, "trainer is NULL");
    rc_distiller_free(&q);
    k.alpha = 1.5;
    REFUSED(rc_distiller_new(&q, teacher, &k), RC_ERR_ARG, "alpha is 1.5");
    k.alpha = 0;
    k.temperature = -1;
    REFUSED(rc_distiller_new(&q, teacher, &k), RC_ERR_ARG, "temperature is -1");
    k.temperature = 2;
    k.loss = "logits-mse";
    REFUSED(rc_distiller_new(&q, teacher, &k), RC_ERR_ARG, "no parameter \"temperature\"");
    k.loss = "hard";
    REFUSED(rc_distiller_new(&q, teacher, &k), RC_ERR_ARG, "hinton");
    rc_trainer_free(&t);
    rc_graph_free(&teacher);
    rc_graph_free(&student);
    rc_dataset_free(&d);
    test_context_done(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_kept_when_images_come_again),
        cmocka_unit_test(augmented_answers_are_kept_only_in_replays),
        cmocka_unit_test(mixed_images_are_learned_from_the_teacher),
        cmocka_unit_test(every_loss_trains_and_repeats),
        cmocka_unit_test_setup_teardown(the_features_of_a_copy_are_at_no_distance, context_setup,
                                        context_teardown),
        cmocka_unit_test(sums_of_losses_on_named_pairs),
        cmocka_unit_test_setup_teardown(hints_that_match_nothing_say_what_there_is, context_setup,
                                        context_teardown),
        cmocka_unit_test_setup_teardown(teachers_of_other_shapes_and_types_teach, context_setup,
                                        context_teardown),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
