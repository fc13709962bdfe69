/* Distillation: the student moves towards its teacher, and kept answers change nothing. */
#include "check.h"
#include "distill/distiller.h"
#include "graph/graph.h"
#include "tiny.h"

#include <rescomp/evaluate.h>
#include <stdlib.h>

enum { IMAGES = 128, BATCH = 32, EPOCHS = 4 };

struct outcome {
    uint64_t computed, kept;
    double loss;
    float first[16]; /* some weights of the student */
};

static struct outcome distil(const char *augmentation, uint64_t replays, uint64_t cache_bytes)
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
    k.cache_bytes = cache_bytes;
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
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
