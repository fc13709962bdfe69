/* Clipping, accumulation, rates by layer, averages of epochs, early stopping, curves, range test.
 */
#include "base/crc32c.h"
#include "check.h"
#include "files.h"
#include "graph/graph.h"
#include "tiny.h"
#include "train/trainer.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { IMAGES = 96, BATCH = 32, EPOCHS = 2, STEPS = EPOCHS * IMAGES / BATCH };

struct task {
    struct rc_context *c;
    rc_dataset *d;
    rc_graph *g;
    rc_train_options o;
    rc_train_result r;
};

static struct task task_open(void)
{
    struct task k = {.c = test_context(), .o = RC_TRAIN_OPTIONS_INIT, .r = RC_TRAIN_RESULT_INIT};
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

static rc_status task_train(struct task *k)
{
    rc_trainer *t;
    const rc_status made = rc_trainer_new(&t, k->g, k->d, &k->o);
    if (made != RC_OK)
        return made;
    const rc_status st = rc_trainer_run(t, &k->r);
    rc_trainer_free(&t);
    return st;
}

/* All f32 constants, one after the other. */
static float *weights_of(const struct rc_graph *g, size_t *n)
{
    float *all = NULL;
    *n = 0;
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

static void expect_near(const struct rc_graph *a, const struct rc_graph *b, double within)
{
    size_t n, m;
    float *x = weights_of(a, &n), *y = weights_of(b, &m);
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double) x[i] - (double) y[i]) <= within))
            fail_msg("weight %zu of %zu: %.9g and %.9g", i, n, (double) x[i], (double) y[i]);
    free(x);
    free(y);
}

static double change_of(struct task *k)
{
    size_t n;
    double sum = 0;
    float *before = weights_of(k->g, &n);
    OK(task_train(k));
    float *after = weights_of(k->g, &n);
    for (size_t i = 0; i < n; i++)
        sum += pow((double) after[i] - (double) before[i], 2);
    free(before);
    free(after);
    return sqrt(sum);
}

/* --- accumulation and clipping --- */

static void two_half_batches_are_one_whole(void **state)
{
    (void) state;
    struct task whole = task_open(), halves = task_open();
    whole.o.flags = halves.o.flags = RC_TRAIN_IN_ORDER | RC_TRAIN_FREEZE_BN;
    whole.o.rate = halves.o.rate = "constant";
    halves.o.batch = BATCH / 2;
    halves.o.accumulate = 2;
    OK(task_train(&whole));
    OK(task_train(&halves));
    assert_int_equal(halves.r.steps, 2 * whole.r.steps);
    expect_near(whole.g, halves.g, 1e-5);
    task_close(&whole);
    task_close(&halves);
}

/* Three batches an epoch, two an update: the second update has one. */
static void the_last_update_of_an_epoch_may_be_smaller(void **state)
{
    (void) state;
    struct task k = task_open(), l = task_open();
    k.o.epochs = l.o.epochs = 1;
    k.o.optimizer = l.o.optimizer = "sgd:momentum=0,weight_decay=0";
    k.o.flags = l.o.flags = RC_TRAIN_FREEZE_BN;
    k.o.accumulate = 3;
    l.o.accumulate = 5; /* more than there are: the same update */
    k.o.rate = l.o.rate = "constant";
    OK(task_train(&k));
    OK(task_train(&l));
    expect_near(k.g, l.g, 0);
    task_close(&k);
    task_close(&l);
}

static void keep_norm(void *user, const rc_train_progress *p)
{
    double *most = user;
    *most = fmax(*most, p->gradient_norm);
}

/* One step of plain gradient descent at rate 1 moves the weights by the norm of the gradient. */
static void clipped_gradients_have_the_norm_asked_for(void **state)
{
    (void) state;
    struct task free_ = task_open(), held = task_open();
    double norm = 0;
    free_.o.epochs = held.o.epochs = 1;
    free_.o.batch = held.o.batch = IMAGES;
    free_.o.lr = held.o.lr = 1;
    free_.o.rate = held.o.rate = "constant";
    free_.o.optimizer = held.o.optimizer = "sgd:momentum=0,weight_decay=0";
    free_.o.flags = held.o.flags = RC_TRAIN_FREEZE_BN;
    free_.o.progress = keep_norm;
    free_.o.progress_user = &norm;
    free_.o.clip = 1e9;
    const double whole = change_of(&free_);
    assert_near(norm, whole, 1e-4 * whole);
    held.o.clip = whole / 8;
    assert_near(change_of(&held), whole / 8, 1e-4 * whole);
    task_close(&free_);
    task_close(&held);
}

static void a_clip_out_of_reach_changes_no_bit(void **state)
{
    (void) state;
    struct task k = task_open(), l = task_open();
    l.o.clip = 1e9;
    OK(task_train(&k));
    OK(task_train(&l));
    expect_near(k.g, l.g, 0);
    task_close(&k);
    task_close(&l);
}

/* --- layers --- */

static const struct rci_tensor *named(const struct rc_graph *g, const char *part, bool with)
{
    for (rci_id i = 0; i < g->n_values; i++) {
        const struct rci_value *v = &g->values[i];
        if (!(v->flags & RC_VALUE_DEAD) && rci_value_is_const(v) && v->tensor.shape.rank == 4 &&
            (strstr(v->name, part) != NULL) == with)
            return &v->tensor;
    }
    fail_msg("no kernel %s \"%s\"", with ? "with" : "without", part);
    return NULL;
}

static void frozen_layers_keep_their_bytes(void **state)
{
    (void) state;
    struct task k = task_open();
    const struct rci_tensor *stem = named(k.g, "conv1", true);
    const size_t size = rci_tensor_bytes(stem);
    const struct rci_tensor *other = NULL;
    for (rci_id i = 0; i < k.g->n_values; i++)
        if (&k.g->values[i].tensor != stem && rci_value_is_const(&k.g->values[i]) &&
            k.g->values[i].tensor.shape.rank == 4 && !strstr(k.g->values[i].name, "conv1"))
            other = &k.g->values[i].tensor;
    assert_non_null(other);
    void *before = malloc(size), *others = malloc(rci_tensor_bytes(other));
    memcpy(before, stem->data, size);
    memcpy(others, other->data, rci_tensor_bytes(other));
    k.o.layer_rates = "*conv1*=0";
    OK(task_train(&k));
    assert_memory_equal(before, stem->data, size);
    assert_memory_not_equal(others, other->data, rci_tensor_bytes(other));
    free(before);
    free(others);
    task_close(&k);
}

static void half_the_rate_is_half_the_step(void **state)
{
    (void) state;
    struct task k = task_open(), l = task_open();
    k.o.epochs = l.o.epochs = 1;
    k.o.batch = l.o.batch = IMAGES;
    k.o.optimizer = l.o.optimizer = "sgd:momentum=0,weight_decay=0";
    k.o.flags = l.o.flags = RC_TRAIN_FREEZE_BN;
    l.o.layer_rates = "*=0.5";
    const double whole = change_of(&k);
    assert_near(change_of(&l), whole / 2, 1e-5 * whole);
    task_close(&k);
    task_close(&l);
}

/* --- averages and patience --- */

static void the_average_is_the_mean_of_the_last_epochs(void **state)
{
    (void) state;
    struct task k = task_open();
    float *ends[4];
    size_t n;
    for (uint64_t e = 0; e < 4; e++) { /* the run's own ends: constant rate, so prefixes agree */
        struct task one = task_open();
        one.o.epochs = e + 1;
        one.o.rate = "constant";
        OK(task_train(&one));
        ends[e] = weights_of(one.g, &n);
        task_close(&one);
    }
    k.o.epochs = 4;
    k.o.rate = "constant";
    k.o.swa = 0.5;
    k.o.bn_images = RC_ZERO;
    OK(task_train(&k));
    size_t trained = 0, m;
    float *w = weights_of(k.g, &m);
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++) { /* statistics are those of the last step */
        const double mean = ((double) ends[2][i] + (double) ends[3][i]) / 2;
        if (fabs((double) w[i] - mean) < 1e-6)
            trained++;
        else if (w[i] != ends[3][i])
            fail_msg("%zu: %.9g, of epochs %.9g and %.9g", i, (double) w[i], (double) ends[2][i],
                     (double) ends[3][i]);
    }
    assert_true(trained > n / 2);
    free(w);
    for (int e = 0; e < 4; e++)
        free(ends[e]);
    task_close(&k);
}

static void a_run_without_progress_ends(void **state)
{
    (void) state;
    struct task k = task_open();
    k.o.epochs = 30;
    k.o.lr = 1e-9;
    k.o.validation = k.d;
    k.o.patience = 3;
    k.o.flags = RC_TRAIN_FREEZE_BN;
    OK(task_train(&k));
    assert_int_equal(k.r.best_epoch, 1);
    assert_int_equal(k.r.epochs, 4);
    task_close(&k);
}

/* --- curves --- */

static uint32_t unmasked(uint32_t m)
{
    m -= UINT32_C(0xa282ead8);
    return m << 15 | m >> 17;
}

/* Every record of the only event file in `folder`: its sums hold. Returns how many hold `text`. */
static uint32_t count_records(const char *folder, const char *text, uint32_t *all)
{
    static uint8_t data[1 << 20];
    char path[600] = "";
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strstr(e->d_name, "tfevents"))
            snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
    closedir(d);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    const size_t size = fread(data, 1, sizeof(data), f);
    fclose(f);
    uint32_t found = 0;
    *all = 0;
    for (size_t at = 0; at < size; (*all)++) {
        uint64_t length;
        uint32_t sum;
        memcpy(&length, data + at, 8);
        memcpy(&sum, data + at + 8, 4);
        assert_int_equal(unmasked(sum), rci_crc32c(0, data + at, 8));
        assert_true(at + 16 + length <= size);
        memcpy(&sum, data + at + 12 + length, 4);
        assert_int_equal(unmasked(sum), rci_crc32c(0, data + at + 12, length));
        found += memmem(data + at + 12, length, text, strlen(text)) != NULL;
        at += 16 + length;
    }
    unlink(path);
    return found;
}

static void curves_are_written_as_events(void **state)
{
    (void) state;
    struct task k = task_open();
    char folder[] = "/tmp/rescomp-events-XXXXXX";
    uint32_t all;
    assert_non_null(mkdtemp(folder));
    k.o.events = folder;
    k.o.validation = k.d;
    OK(task_train(&k));
    assert_int_equal(count_records(folder, "train/loss", &all), STEPS);
    /* the version, three numbers a step, three an epoch */
    assert_int_equal(all, 1 + 3 * STEPS + 3 * EPOCHS);
    rmdir(folder);
    k.o.events = "/nowhere/at/all";
    REFUSED(task_train(&k), RC_ERR_IO, "/nowhere/at/all");
    task_close(&k);
}

/* --- range test --- */

static void a_range_test_leaves_no_trace(void **state)
{
    (void) state;
    struct task plain = task_open(), tested = task_open();
    rc_rate_test o = RC_RATE_TEST_INIT;
    rc_rate_test_result r = RC_RATE_TEST_RESULT_INIT;
    double rates[40], losses[40];
    rc_trainer *t;
    plain.o.optimizer = tested.o.optimizer = "adamw";
    plain.o.ema = tested.o.ema = 0.9;
    OK(task_train(&plain));
    OK(rc_trainer_new(&t, tested.g, tested.d, &tested.o));
    o.steps = 40;
    OK(rc_trainer_find_rate(t, &o, &r, rates, losses));
    assert_true(r.steps >= 10 && r.steps <= 40);
    assert_near(rates[0], 1e-5, 1e-12);
    for (uint64_t i = 1; i < r.steps; i++)
        assert_near(rates[i] / rates[i - 1], pow(1e6, 1.0 / 39), 1e-9);
    assert_true(r.least > 1e-5 && r.least <= 10 && r.rate == r.least / 10);
    assert_true(losses[0] > 0);
    o.first = 2;
    o.last = 1;
    REFUSED(rc_trainer_find_rate(t, &o, &r, NULL, NULL), RC_ERR_ARG, "rates go from 2 to 1");
    OK(rc_trainer_run(t, NULL));
    REFUSED(rc_trainer_find_rate(t, NULL, &r, NULL, NULL), RC_ERR_STATE, "ran already");
    rc_trainer_free(&t);
    expect_near(plain.g, tested.g, 0);
    task_close(&plain);
    task_close(&tested);
}

/* --- layer-wise optimisers --- */

/* rate trust |w| |d| / |d|: the first step of LARS without decay moves a kernel by
 * rate trust |w|, of LAMB by rate |w|. */
static void layerwise_steps_are_shares_of_a_layers_norm(void **state)
{
    (void) state;
    static const struct {
        const char *spec;
        double share;
    } of[] = {{"lars:trust=0.01,weight_decay=0", 0.01 * 0.5}, {"lamb:weight_decay=0", 0.5}};
    for (int i = 0; i < 2; i++) {
        struct task k = task_open();
        const struct rci_tensor *w = named(k.g, "conv1", true);
        const int64_t n = rci_shape_count(&w->shape);
        float *before = malloc(rci_tensor_bytes(w));
        double norm = 0, moved = 0;
        memcpy(before, w->data, rci_tensor_bytes(w));
        k.o.optimizer = of[i].spec;
        k.o.lr = 0.5;
        k.o.rate = "constant";
        k.o.epochs = 1;
        k.o.batch = IMAGES;
        OK(task_train(&k));
        for (int64_t j = 0; j < n; j++) {
            norm += pow((double) before[j], 2);
            moved += pow((double) ((const float *) w->data)[j] - (double) before[j], 2);
        }
        assert_near(sqrt(moved / norm), of[i].share, 1e-4 * of[i].share);
        free(before);
        task_close(&k);
    }
}

static void bad_options_are_refused(void **state)
{
    (void) state;
    struct task k = task_open();
#define BAD(member, value, word)                   \
    do {                                           \
        const rc_train_options kept = k.o;         \
        k.o.member = value;                        \
        REFUSED(task_train(&k), RC_ERR_ARG, word); \
        k.o = kept;                                \
    } while (0)
    BAD(clip, -1, "clip is -1");
    BAD(clip, NAN, "clip is");
    BAD(swa, 1, "swa is 1");
    BAD(accumulate, 70000, "accumulate is 70000");
    BAD(patience, 2, "patience needs a validation");
    BAD(layer_rates, "nothing*=0", "matches none of the");
    BAD(layer_rates, "conv1", "is no PATTERN=FACTOR");
    BAD(layer_rates, "=0", "is no PATTERN=FACTOR");
    BAD(layer_rates, "*=-1", "is no PATTERN=FACTOR");
    BAD(layer_rates, "*=0", "freeze all weights");
    BAD(layer_rates, "*=1,", "is no PATTERN=FACTOR");
    k.o.ema = 0.5;
    BAD(swa, 0.5, "two averages");
    task_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_half_batches_are_one_whole),
        cmocka_unit_test(the_last_update_of_an_epoch_may_be_smaller),
        cmocka_unit_test(clipped_gradients_have_the_norm_asked_for),
        cmocka_unit_test(a_clip_out_of_reach_changes_no_bit),
        cmocka_unit_test(frozen_layers_keep_their_bytes),
        cmocka_unit_test(half_the_rate_is_half_the_step),
        cmocka_unit_test(the_average_is_the_mean_of_the_last_epochs),
        cmocka_unit_test(a_run_without_progress_ends),
        cmocka_unit_test(curves_are_written_as_events),
        cmocka_unit_test(a_range_test_leaves_no_trace),
        cmocka_unit_test(layerwise_steps_are_shares_of_a_layers_norm),
        cmocka_unit_test(bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
