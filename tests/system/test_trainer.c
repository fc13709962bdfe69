/* What hooks see and may do, frozen and re-estimated statistics, progress. */
#include "check.h"
#include "graph/graph.h"
#include "tiny.h"
#include "train/run.h"

#include <rescomp/evaluate.h>
#include <rescomp/sparsify.h>

enum { IMAGES = 96, BATCH = 32, EPOCHS = 2, STEPS = EPOCHS * IMAGES / BATCH };

struct task {
    struct rc_context *c;
    rc_dataset *d;
    rc_graph *g;
    rc_train_options o;
};

static struct task task_open(void)
{
    struct task k = {.c = test_context(), .o = RC_TRAIN_OPTIONS_INIT};
    k.d = tiny_dataset(k.c, IMAGES);
    k.g = tiny_network(k.c, 0, 5);
    k.o.epochs = EPOCHS;
    k.o.batch = BATCH;
    k.o.lr = 0.05;
    return k;
}

static void task_close(struct task *k)
{
    rc_graph_free(&k->g);
    rc_dataset_free(&k->d);
    test_context_done(k->c);
}

static rc_status task_train(struct task *k, const struct rci_train_hook *hook)
{
    rc_trainer *t;
    OK(rc_trainer_new(&t, k->g, k->d, &k->o));
    if (hook)
        OK(rci_trainer_add_hook(t, hook));
    const rc_status st = rc_trainer_run(t, NULL);
    rc_trainer_free(&t);
    return st;
}

static const float *statistics(const struct rc_graph *g, uint32_t operand, int64_t *count)
{
    for (rci_id i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op && strcmp(g->nodes[i].op->name, "BatchNormalization") == 0) {
            const struct rci_tensor *t = &g->values[g->nodes[i].in[operand]].tensor;
            *count = rci_shape_count(&t->shape);
            return t->data;
        }
    fail_msg("the network has no BatchNormalization");
    return NULL;
}

/* --- hooks --- */

struct seen {
    int batches, logits, gradients, steps, epochs;
};

static rc_status see_batch(void *user, struct rci_train_step *s)
{
    struct seen *k = user;
    assert_int_equal(s->step, k->batches);
    assert_int_equal(s->n, BATCH);
    assert_int_equal(s->steps, STEPS);
    for (uint32_t i = 0; i < s->n; i++)
        assert_true(s->ids[i] < IMAGES && s->labels[i] < TINY_CLASSES);
    k->batches++;
    return RC_OK;
}

/* The loss "sum of logits": its gradient is one everywhere. */
static rc_status see_logits(void *user, struct rci_train_step *s)
{
    s->loss = 0;
    for (uint32_t i = 0; i < s->n * s->classes; i++) {
        s->loss += (double) s->logits[i];
        s->grad[i] = 1;
    }
    ((struct seen *) user)->logits++;
    return RC_OK;
}

/* The classifier's bias then has the gradient `batch` in every class; nobody gets any. */
static rc_status see_gradients(void *user, struct rci_train_step *s)
{
    const uint32_t last = rci_tape_n_params(s->tape) - 1;
    assert_int_equal(rci_tape_param_count(s->tape, last), TINY_CLASSES);
    for (int j = 0; j < TINY_CLASSES; j++)
        assert_near((double) rci_tape_param_grad(s->tape, last)[j], BATCH, 1e-5);
    for (uint32_t i = 0; i <= last; i++)
        memset(rci_tape_param_grad(s->tape, i), 0,
               (size_t) rci_tape_param_count(s->tape, i) * sizeof(float));
    ((struct seen *) user)->gradients++;
    return RC_OK;
}

static rc_status see_step(void *user, struct rci_train_step *s)
{
    (void) s;
    ((struct seen *) user)->steps++;
    return RC_OK;
}

static rc_status see_epoch(void *user, struct rci_train_step *s)
{
    struct seen *k = user;
    assert_int_equal(s->epoch, k->epochs);
    k->epochs++;
    return RC_OK;
}

static void hooks_see_every_point_and_may_change_it(void **state)
{
    (void) state;
    struct task k = task_open();
    struct seen seen = {0};
    const struct rci_train_hook hook = {&seen,         "seeing", see_batch, see_logits,
                                        see_gradients, see_step, see_epoch};
    int64_t n;
    k.o.optimizer = "sgd:weight_decay=0";
    const float before = *statistics(k.g, 1, &n);
    OK(task_train(&k, &hook));
    assert_true(before == *statistics(k.g, 1, &n)); /* no gradient, no change */
    assert_int_equal(seen.batches, STEPS);
    assert_int_equal(seen.logits, STEPS);
    assert_int_equal(seen.gradients, STEPS);
    assert_int_equal(seen.steps, STEPS);
    assert_int_equal(seen.epochs, EPOCHS);
    task_close(&k);
}

static rc_status refuse(void *user, struct rci_train_step *s)
{
    (void) user;
    return s->step < 2 ? RC_OK : rci_fail(RC_ERR_GOAL, "far enough");
}

static void failing_hook_ends_the_run(void **state)
{
    (void) state;
    struct task k = task_open();
    const struct rci_train_hook hook = {.identity = "refusing", .on_step = refuse};
    REFUSED(task_train(&k, &hook), RC_ERR_GOAL, "far enough");
    task_close(&k);
}

static void only_one_hook_may_replace_the_loss(void **state)
{
    (void) state;
    struct task k = task_open();
    const struct rci_train_hook hook = {.identity = "losing", .on_logits = see_logits};
    rc_trainer *t;
    OK(rc_trainer_new(&t, k.g, k.d, &k.o));
    OK(rci_trainer_add_hook(t, &hook));
    REFUSED(rci_trainer_add_hook(t, &hook), RC_ERR_STATE, "replaced already");
    rc_trainer_free(&t);
    task_close(&k);
}

/* --- statistics --- */

static void frozen_statistics_stay(void **state)
{
    (void) state;
    struct task k = task_open();
    float kept[2][8];
    int64_t n;
    k.o.flags = RC_TRAIN_FREEZE_BN;
    k.o.lr = 0.001;
    for (uint32_t i = 0; i < 2; i++)
        memcpy(kept[i], statistics(k.g, 3 + i, &n), sizeof(kept[i]));
    OK(task_train(&k, NULL));
    for (uint32_t i = 0; i < 2; i++)
        assert_memory_equal(kept[i], statistics(k.g, 3 + i, &n), sizeof(kept[i]));
    k.o.flags = 0;
    OK(task_train(&k, NULL));
    assert_memory_not_equal(kept[0], statistics(k.g, 3, &n), sizeof(kept[0]));
    task_close(&k);
}

static void reestimated_statistics_repair_the_network(void **state)
{
    (void) state;
    struct task k = task_open();
    rc_evaluate_result good = RC_EVALUATE_RESULT_INIT, bad = good, again = good;
    int64_t n;
    k.o.epochs = 12;
    OK(task_train(&k, NULL));
    OK(rc_graph_reestimate_bn(k.g, k.d, 0, BATCH));
    OK(rc_evaluate(k.g, k.d, NULL, &good));
    float *mean = (float *) statistics(k.g, 3, &n), first = mean[0];
    for (int64_t i = 0; i < n; i++)
        mean[i] += 5;
    OK(rc_evaluate(k.g, k.d, NULL, &bad));
    OK(rc_graph_reestimate_bn(k.g, k.d, 0, BATCH));
    OK(rc_evaluate(k.g, k.d, NULL, &again));
    assert_true(bad.loss > 2 * good.loss + 0.1);
    assert_true(again.loss == good.loss); /* the same images, the same bytes */
    assert_true(mean[0] == first);
    assert_true(good.top1 > 90);
    REFUSED(rc_graph_reestimate_bn(k.g, k.d, 0, 1), RC_ERR_ARG, "batch is 1");
    REFUSED(rc_graph_reestimate_bn(k.g, NULL, 0, 0), RC_ERR_ARG, "dataset is NULL");
    task_close(&k);
}

/* --- memory --- */

static rc_train_result train_within(struct task *k, uint64_t memory)
{
    rc_trainer *t;
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    k->o.memory = memory;
    OK(rc_trainer_new(&t, k->g, k->d, &k->o));
    OK(rc_trainer_run(t, &r));
    rc_trainer_free(&t);
    return r;
}

static void a_cap_on_memory_gives_the_same_weights(void **state)
{
    (void) state;
    struct task k = task_open(), l = task_open();
    const rc_train_result whole = train_within(&k, 0);
    rc_trainer *t;
    l.o.memory = 1;
    REFUSED(rc_trainer_new(&t, l.g, l.d, &l.o), RC_ERR_LIMIT, "without recomputation they need");
    const rc_train_result capped = train_within(&l, whole.activation_bytes * 9 / 10);
    assert_true(capped.activation_bytes <= whole.activation_bytes * 9 / 10);
    assert_true(capped.loss == whole.loss);
    for (rci_id v = 0; v < k.g->n_values; v++)
        if (rci_value_is_const(&k.g->values[v]))
            assert_memory_equal(k.g->values[v].tensor.data, l.g->values[v].tensor.data,
                                rci_tensor_bytes(&k.g->values[v].tensor));
    task_close(&k);
    task_close(&l);
}

/* --- time --- */

/* Ends the run at the first step that is not a timed one. */
static rc_status see_steps(void *user, struct rci_train_step *s)
{
    if (s->steps == RC_TRAIN_TIMED_EPOCHS * (IMAGES / BATCH))
        return RC_OK;
    *(uint64_t *) user = s->steps;
    return rci_fail(RC_ERR_STATE, "seen");
}

/* The timed steps leave nothing behind: the run is the one of as many epochs. */
static void seconds_choose_epochs_and_nothing_else(void **state)
{
    (void) state;
    struct task k = task_open(), l = task_open();
    rc_train_result r = RC_TRAIN_RESULT_INIT, again = RC_TRAIN_RESULT_INIT;
    rc_sparsifier *s[2];
    rc_sparsify_options penalty = RC_SPARSIFY_OPTIONS_INIT;
    rc_trainer *t;
    penalty.method = "greg-1:delta=0.01"; /* remembers what it has chosen */
    k.o.epochs = 0;
    k.o.ema = l.o.ema = 0.9;
    k.o.seconds = 1e-3;
    OK(rc_trainer_new(&t, k.g, k.d, &k.o));
    OK(rc_sparsifier_new(&s[0], t, &penalty));
    OK(rc_trainer_run(t, &r));
    rc_trainer_free(&t);
    assert_int_equal(r.epochs, 1);
    assert_int_equal(r.steps, IMAGES / BATCH);
    l.o.epochs = 1;
    OK(rc_trainer_new(&t, l.g, l.d, &l.o));
    OK(rc_sparsifier_new(&s[1], t, &penalty));
    OK(rc_trainer_run(t, &again));
    rc_trainer_free(&t);
    assert_true(r.loss == again.loss && r.train_top1 == again.train_top1);
    for (rci_id v = 0; v < k.g->n_values; v++)
        if (rci_value_is_const(&k.g->values[v]))
            assert_memory_equal(k.g->values[v].tensor.data, l.g->values[v].tensor.data,
                                rci_tensor_bytes(&k.g->values[v].tensor));
    uint64_t steps = 0;
    const struct rci_train_hook hook = {.user = &steps, .identity = "looks", .on_step = see_steps};
    k.o.seconds = 1e6;
    OK(rc_trainer_new(&t, k.g, k.d, &k.o));
    OK(rci_trainer_add_hook(t, &hook));
    REFUSED(rc_trainer_run(t, &r), RC_ERR_STATE, "seen");
    rc_trainer_free(&t);
    assert_true(steps > 100 * (IMAGES / BATCH)); /* of less than 10,000 s each */
    k.o.epochs = 2;
    REFUSED(rc_trainer_new(&t, k.g, k.d, &k.o), RC_ERR_ARG, "no number of epochs");
    k.o.epochs = 0;
    k.o.checkpoint = "never-written";
    REFUSED(rc_trainer_new(&t, k.g, k.d, &k.o), RC_ERR_ARG, "no checkpoint");
    k.o.checkpoint = NULL;
    k.o.seconds = -1;
    REFUSED(rc_trainer_new(&t, k.g, k.d, &k.o), RC_ERR_ARG, "seconds is -1");
    rc_sparsifier_free(&s[0]);
    rc_sparsifier_free(&s[1]);
    task_close(&k);
    task_close(&l);
}

/* --- progress and results --- */

static void follow(void *user, const rc_train_progress *p)
{
    uint64_t *last = user;
    assert_int_equal(p->size, sizeof(*p));
    assert_int_equal(p->step, *last + 1);
    assert_int_equal(p->steps, STEPS);
    assert_int_equal(p->epoch, (p->step - 1) / (STEPS / EPOCHS) + 1);
    assert_true(p->loss > 0 && p->epoch_loss > 0 && p->rate > 0);
    assert_true(p->images_per_second > 0 && p->seconds_left >= 0);
    assert_true(p->epoch_top1 >= 0 && p->epoch_top1 <= 100);
    *last = p->step;
}

static void progress_tells_every_step(void **state)
{
    (void) state;
    struct task k = task_open();
    uint64_t last = 0;
    k.o.progress = follow;
    k.o.progress_user = &last;
    OK(task_train(&k, NULL));
    assert_int_equal(last, STEPS);
    task_close(&k);
}

static void best_epoch_is_what_comes_out(void **state)
{
    (void) state;
    struct task k = task_open();
    rc_dataset *validation = tiny_dataset(k.c, 40);
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    rc_evaluate_result e = RC_EVALUATE_RESULT_INIT;
    rc_trainer *t;
    k.o.epochs = 5;
    k.o.validation = validation;
    k.o.keep_best = 1;
    OK(rc_trainer_new(&t, k.g, k.d, &k.o));
    OK(rc_trainer_run(t, &r));
    OK(rc_evaluate(k.g, validation, NULL, &e));
    assert_true(e.top1 == r.top1);
    assert_true(r.best_epoch >= 1 && r.best_epoch <= 5);
    rc_trainer_free(&t);
    rc_dataset_free(&validation);
    task_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hooks_see_every_point_and_may_change_it),
        cmocka_unit_test(failing_hook_ends_the_run),
        cmocka_unit_test(only_one_hook_may_replace_the_loss),
        cmocka_unit_test(frozen_statistics_stay),
        cmocka_unit_test(reestimated_statistics_repair_the_network),
        cmocka_unit_test(seconds_choose_epochs_and_nothing_else),
        cmocka_unit_test(a_cap_on_memory_gives_the_same_weights),
        cmocka_unit_test(progress_tells_every_step),
        cmocka_unit_test(best_epoch_is_what_comes_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
