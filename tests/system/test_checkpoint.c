/* Training runs: repeatable to the byte, resumable to the byte, and strict about checkpoints. */
#include "check.h"
#include "graph/graph.h"
#include "tiny.h"

#include <rescomp/distill.h>
#include <rescomp/evaluate.h>
#include <stdlib.h>
#include <unistd.h>

enum { IMAGES = 100, BATCH = 16, STEPS_PER_EPOCH = IMAGES / BATCH };

static uint64_t steps_until_cancel; /* counted down by the progress callback */
static char path[64];

static int32_t cancel_now(void *user)
{
    (void) user;
    return steps_until_cancel == 0;
}

static void count_step(void *user, const rc_train_progress *p)
{
    uint64_t *steps = user;
    *steps = p->step;
    if (steps_until_cancel != UINT64_MAX)
        steps_until_cancel--;
}

static struct rc_context *cancellable_context(void)
{
    rc_context_options o = RC_CONTEXT_OPTIONS_INIT;
    struct rc_context *c;
    o.cancel = cancel_now;
    o.seed = 11;
    OK(rc_context_new(&c, &o));
    return c;
}

struct variant {
    const char *optimizer, *rate, *augmentation;
    double ema;
    bool validate;
    const char *taught; /* by this loss; NULL: no teacher */
    uint64_t accumulate;
    double swa;
};
static const struct variant variants[] = {
    {"sgd", "one-cycle", NULL, 0, false},
    {"adamw", "cosine:warmup=0.2", "crop:pad=1+flip", 0, false},
    {"sgd:nesterov=1", "cosine", NULL, 0.9, true},
    {"adamw", "cosine", "crop:pad=1+mixup", 0, false, "hinton+fitnets:weight=1"},
    {"lamb", "constant", NULL, 0, true, NULL, 4, 0.4},
};

/* Bytes of all f32 constants, one after the other. */
static float *weights_of(const struct rc_graph *g, size_t *n)
{
    *n = 0;
    float *all = NULL;
    for (rci_id i = 0; i < g->n_values; i++) {
        const struct rci_value *v = &g->values[i];
        if (v->flags & RC_VALUE_DEAD || !rci_value_is_const(v) || v->tensor.dtype != RC_F32)
            continue;
        const size_t count = (size_t) rci_shape_count(&v->tensor.shape);
        all = realloc(all, (*n + count) * sizeof(*all));
        memcpy(all + *n, v->tensor.data, count * sizeof(*all));
        *n += count;
    }
    return all;
}

static rc_train_options options_of(const struct variant *v, rc_dataset *validation)
{
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    static uint64_t steps;
    o.epochs = 3;
    o.batch = BATCH;
    o.lr = 0.01;
    o.optimizer = v->optimizer;
    o.rate = v->rate;
    o.augmentation = v->augmentation;
    o.ema = v->ema;
    o.swa = v->swa;
    o.accumulate = v->accumulate;
    o.bn_images = v->ema > 0 || v->swa > 0 ? 48 : 0;
    o.validation = v->validate ? validation : NULL;
    o.keep_best = v->validate;
    o.checkpoint = path;
    o.progress = count_step;
    o.progress_user = &steps;
    return o;
}

/* One run from fresh weights; cancelled after `cancel` steps unless UINT64_MAX. */
static float *train_once(const struct variant *v, uint64_t cancel, bool resume, size_t *n)
{
    struct rc_context *c = cancellable_context();
    steps_until_cancel = UINT64_MAX;
    rc_dataset *d = tiny_dataset(c, IMAGES), *validation = tiny_dataset(c, 40);
    rc_graph *g = tiny_network(c, 0, 5);
    rc_train_options o = options_of(v, validation);
    o.resume = resume;
    rc_trainer *t;
    rc_distiller *q = NULL;
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    OK(rc_trainer_new(&t, g, d, &o));
    if (v->taught) {
        rc_graph *teacher = tiny_network(c, 0, 9);
        rc_distill_options k = RC_DISTILL_OPTIONS_INIT;
        k.loss = v->taught;
        OK(rc_distiller_new(&q, teacher, &k));
        rc_graph_free(&teacher);
        OK(rc_distiller_attach(q, t));
    }
    steps_until_cancel = cancel;
    if (cancel != UINT64_MAX)
        REFUSED(rc_trainer_run(t, &r), RC_ERR_CANCELLED, "cancelled after step");
    else
        OK(rc_trainer_run(t, &r));
    if (cancel == UINT64_MAX)
        assert_int_equal(r.steps, 3 * STEPS_PER_EPOCH);
    float *w = weights_of(g, n);
    rc_trainer_free(&t);
    rc_distiller_free(&q);
    rc_graph_free(&g);
    rc_dataset_free(&d);
    rc_dataset_free(&validation);
    test_context_done(c);
    return w;
}

static void expect_same(float *a, float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof(*a)))
            fail_msg("weight %zu of %zu: %.9g and %.9g", i, n, (double) a[i], (double) b[i]);
    free(a);
    free(b);
}

static void same_seed_gives_the_same_bytes(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        size_t n, m;
        float *a = train_once(&variants[i], UINT64_MAX, false, &n);
        float *b = train_once(&variants[i], UINT64_MAX, false, &m);
        assert_int_equal(n, m);
        expect_same(a, b, n);
    }
}

static void resumed_run_gives_the_bytes_of_an_uninterrupted_one(void **state)
{
    (void) state;
    const uint64_t stops[] = {1, STEPS_PER_EPOCH, 2 * STEPS_PER_EPOCH + 3, 4, STEPS_PER_EPOCH + 2};
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        size_t n;
        float *whole = train_once(&variants[i], UINT64_MAX, false, &n);
        free(train_once(&variants[i], stops[i], false, &n));
        free(train_once(&variants[i], 2, true, &n)); /* interrupted twice */
        expect_same(whole, train_once(&variants[i], UINT64_MAX, true, &n), n);
    }
}

static void resuming_a_finished_run_changes_nothing(void **state)
{
    (void) state;
    size_t n;
    float *a = train_once(&variants[2], UINT64_MAX, false, &n);
    expect_same(a, train_once(&variants[2], UINT64_MAX, true, &n), n);
}

static rc_status try_resume(double lr, const char *file)
{
    struct rc_context *c = cancellable_context();
    steps_until_cancel = UINT64_MAX;
    rc_dataset *d = tiny_dataset(c, IMAGES);
    rc_graph *g = tiny_network(c, 0, 5);
    rc_train_options o = options_of(&variants[0], NULL);
    o.resume = 1;
    o.lr = lr;
    o.checkpoint = file;
    rc_trainer *t;
    OK(rc_trainer_new(&t, g, d, &o));
    const rc_status st = rc_trainer_run(t, NULL);
    rc_trainer_free(&t);
    rc_graph_free(&g);
    rc_dataset_free(&d);
    test_context_done(c);
    return st;
}

static void write_file(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

static void damaged_checkpoints_are_refused(void **state)
{
    (void) state;
    size_t n;
    free(train_once(&variants[0], 3, false, &n));
    static uint8_t file[4 << 20];
    FILE *f = fopen(path, "rb");
    const size_t size = fread(file, 1, sizeof(file), f);
    fclose(f);
    assert_true(size > 1000 && size < sizeof(file));
    const size_t spots[] = {0, 7, 8, 12, 16, 24, 40, 400, size / 2, size - 1};
    for (size_t i = 0; i < sizeof(spots) / sizeof(spots[0]); i++) {
        file[spots[i]] ^= 4;
        write_file(path, file, size);
        assert_true(try_resume(0.01, path) < 0);
        assert_non_null(strstr(rc_last_error(), path));
        file[spots[i]] ^= 4;
    }
    const size_t sizes[] = {0, 5, 24, 300, size - 1};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        write_file(path, file, sizes[i]);
        assert_int_equal(try_resume(0.01, path), RC_ERR_TRUNCATED);
    }
    write_file(path, "a text file that is no checkpoint at all", 40);
    REFUSED(try_resume(0.01, path), RC_ERR_FORMAT, "not a checkpoint");
    write_file(path, file, size);
    assert_int_equal(try_resume(0.01, path), RC_OK);
}

static void checkpoint_of_another_run_is_refused(void **state)
{
    (void) state;
    size_t n;
    free(train_once(&variants[0], 3, false, &n));
    REFUSED(try_resume(0.02, path), RC_ERR_ARG, "written by another run");
    free(train_once(&variants[2], 3, false, &n));
    REFUSED(try_resume(0.01, path), RC_ERR_ARG, "written by another run");
    REFUSED(try_resume(0.01, "/nonexistent/run.ckpt"), RC_ERR_PATH, "/nonexistent/run.ckpt");
    REFUSED(try_resume(0.01, "/tmp"), RC_ERR_IO, "not a regular file");
}

static void diverging_run_stops_with_a_word(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    rc_dataset *d = tiny_dataset(c, IMAGES);
    rc_graph *g = tiny_network(c, 0, 5);
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    o.epochs = 50;
    o.batch = BATCH;
    o.lr = 1000;
    o.loss = "mse";
    o.rate = "constant";
    o.optimizer = "sgd:weight_decay=1";
    rc_trainer *t;
    OK(rc_trainer_new(&t, g, d, &o));
    REFUSED(rc_trainer_run(t, NULL), RC_ERR_STATE, "training diverged");
    REFUSED(rc_trainer_run(t, NULL), RC_ERR_STATE, "ran already");
    rc_trainer_free(&t);
    rc_graph_free(&g);
    rc_dataset_free(&d);
    test_context_done(c);
}

static void training_learns_a_small_task(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    rc_dataset *d = tiny_dataset(c, 512);
    rc_graph *g = tiny_network(c, 0, 5);
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    o.epochs = 6;
    o.batch = 32;
    rc_trainer *t;
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    rc_evaluate_result e = RC_EVALUATE_RESULT_INIT;
    OK(rc_trainer_new(&t, g, d, &o));
    OK(rc_trainer_run(t, &r));
    OK(rc_evaluate(g, d, NULL, &e));
    assert_true(r.loss < 0.5);
    assert_true(e.top1 > 90);
    rc_trainer_free(&t);
    rc_graph_free(&g);
    rc_dataset_free(&d);
    test_context_done(c);
}

static void wrong_options_are_refused(void **state)
{
    (void) state;
    struct rc_context *c = test_context();
    rc_dataset *d = tiny_dataset(c, IMAGES);
    rc_graph *g = tiny_network(c, 0, 5), *seven = tiny_network(c, 7, 5);
    rc_trainer *t;
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    REFUSED(rc_trainer_new(&t, seven, d, NULL), RC_ERR_SHAPE, "4 classes, the model has 7");
    REFUSED(rc_trainer_new(&t, g, d, NULL), RC_ERR_DATA, "less than one batch of 128");
    REFUSED(rc_trainer_new(NULL, g, d, NULL), RC_ERR_ARG, "out is NULL");
    REFUSED(rc_trainer_new(&t, NULL, d, NULL), RC_ERR_ARG, "graph is NULL");
    o.batch = 1;
    REFUSED(rc_trainer_new(&t, g, d, &o), RC_ERR_ARG, "batch is 1");
    o.batch = BATCH;
    o.lr = -1;
    REFUSED(rc_trainer_new(&t, g, d, &o), RC_ERR_ARG, "lr is -1");
    o.lr = 0;
    o.optimizer = "adam";
    REFUSED(rc_trainer_new(&t, g, d, &o), RC_ERR_ARG, "adamw");
    o.optimizer = "sgd:momentum=2";
    REFUSED(rc_trainer_new(&t, g, d, &o), RC_ERR_ARG, "momentum");
    o.optimizer = NULL;
    o.ema = 1;
    REFUSED(rc_trainer_new(&t, g, d, &o), RC_ERR_ARG, "ema is 1");
    o.ema = 0;
    o.keep_best = 1;
    REFUSED(rc_trainer_new(&t, g, d, &o), RC_ERR_ARG, "validation");
    o.keep_best = 0;
    o.resume = 1;
    REFUSED(rc_trainer_new(&t, g, d, &o), RC_ERR_ARG, "checkpoint path");
    rc_graph_free(&g);
    rc_graph_free(&seven);
    rc_dataset_free(&d);
    test_context_done(c);
}

static int pick_path(void **state)
{
    (void) state;
    snprintf(path, sizeof(path), "/tmp/rescomp-test-%d.ckpt", (int) getpid());
    return 0;
}

static int drop_path(void **state)
{
    (void) state;
    unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_learns_a_small_task),
        cmocka_unit_test(same_seed_gives_the_same_bytes),
        cmocka_unit_test(resumed_run_gives_the_bytes_of_an_uninterrupted_one),
        cmocka_unit_test(resuming_a_finished_run_changes_nothing),
        cmocka_unit_test(damaged_checkpoints_are_refused),
        cmocka_unit_test(checkpoint_of_another_run_is_refused),
        cmocka_unit_test(diverging_run_stops_with_a_word),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, pick_path, drop_path);
}
