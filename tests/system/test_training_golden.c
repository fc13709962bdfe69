/* ResNet-20 on CIFAR-10: gradients of the first step and losses of ten steps against torch. */
#include "../golden/training.h"
#include "base/json.h"
#include "check.h"
#include "data/npy.h"
#include "data/zip.h"
#include "distill/sum.h"
#include "exec/session.h"
#include "exec/tape.h"
#include "shared.h"

#include <rescomp/distill.h>
#include <rescomp/train.h>
#include <stdlib.h>

enum { STEPS = 10, BATCH = 128, CLASSES = 10, IMAGE = 3 * 32 * 32 };

struct fixture {
    struct rc_context *c;
    rc_dataset *d;
    rc_graph *g;
};

static const char *start_path(const char *start)
{
    return shared_path(strcmp(start, "init") == 0 ? "golden/training/resnet20-init.onnx"
                                                  : "models/resnet20-cifar10.onnx");
}

/* False, with a line printed, when models or images are not here. */
static bool fixture_open(struct fixture *f, const char *start)
{
    const char *path = start_path(start), *data = shared_cifar10();
    if (!path || !data || !shared_path("models/resnet56-cifar10.onnx"))
        return false;
    char spec[1100];
    snprintf(spec, sizeof(spec), "cifar10:%s", data);
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225};
    memcpy(o.mean, mean, sizeof(mean));
    memcpy(o.std, std, sizeof(std));
    f->c = test_context();
    OK(rc_dataset_open(&f->d, f->c, spec, &o));
    OK(rc_graph_load(&f->g, f->c, path));
    return true;
}

static void fixture_close(struct fixture *f)
{
    rc_graph_free(&f->g);
    rc_dataset_free(&f->d);
    test_context_done(f->c);
}

static void keep_loss(void *user, const rc_train_progress *p)
{
    ((double *) user)[p->step - 1] = p->loss;
}

static rc_train_options options_of(const char *run, double *loss)
{
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    o.batch = BATCH;
    o.flags = RC_TRAIN_IN_ORDER;
    o.rate = "constant";
    o.lr = 0.05;
    o.optimizer = "sgd:decay_all=1";
    if (strcmp(run, "nesterov") == 0)
        o.optimizer = "sgd:decay_all=1,nesterov=1";
    if (strcmp(run, "sgd-no-bn-bias-decay") == 0)
        o.optimizer = "sgd";
    if (strcmp(run, "adamw") == 0) {
        o.optimizer = "adamw:decay_all=1";
        o.lr = 1e-3;
    }
    if (strcmp(run, "label-smoothing") == 0)
        o.loss = "cross-entropy:smoothing=0.1";
    o.progress = keep_loss;
    o.progress_user = loss;
    return o;
}

/* What a loss may be off, in units of what torch's float deviates from its double or of 0.05 %. */
enum { OFF_DIRECT = 4, OFF_WINOGRAD = 12 };

/* Step 1 is before any update. Later ones drift: a single ReLU on the other side of zero, which any
 * order of summation may bring, changes gradients by a thousandth, and steps multiply that. */
static void expect_curve(const struct golden_curve *g, const double *loss, int steps, int off)
{
    double drift = 5e-4 * g->float64[0];
    for (int i = 0; i < STEPS && i <= steps; i++)
        drift = fmax(drift, fabs(g->float32[i] - g->float64[i]));
    for (int i = 0; i < steps; i++)
        if (fabs(loss[i] - g->float64[i]) > (i ? off * drift : 1e-5 * g->float64[i]))
            fail_msg("%s, %s, step %d: loss %.8f, torch %.8f in double and %.8f in float", g->start,
                     g->run, i + 1, loss[i], g->float64[i], g->float32[i]);
}

/* Trains `steps` steps in f->g. */
static void run_steps(struct fixture *f, const char *run, uint64_t steps, double *loss)
{
    rc_train_options o = options_of(run, loss);
    o.images = steps * BATCH;
    rc_trainer *t;
    rc_distiller *distiller = NULL;
    OK(rc_trainer_new(&t, f->g, f->d, &o));
    if (strcmp(run, "kd") == 0) {
        rc_graph *teacher;
        OK(rc_graph_load(&teacher, f->c, shared_path("models/resnet56-cifar10.onnx")));
        OK(rc_distiller_new(&distiller, teacher, NULL)); /* T 4, alpha 0.7 */
        OK(rc_distiller_attach(distiller, t));
        rc_graph_free(&teacher);
    }
    OK(rc_trainer_run(t, NULL));
    rc_trainer_free(&t);
    rc_distiller_free(&distiller);
}

static void run_curve(const struct golden_curve *g, int off)
{
    struct fixture f;
    if (!fixture_open(&f, g->start))
        skip();
    double loss[STEPS] = {0};
    const int steps = strcmp(g->start, "init") == 0 ? 3 : STEPS;
    run_steps(&f, g->run, (uint64_t) steps, loss);
    fixture_close(&f);
    expect_curve(g, loss, steps, off);
}

/* Norm of every weight and running statistic after one step, by name. Fresh biases start at zero,
 * so that theirs are as far off as gradients are. */
static void expect_norms(const struct fixture *f, const struct golden_curve *g,
                         const struct rci_json_value *norms)
{
    const double limit = strcmp(g->start, "init") == 0 ? 5e-3 : 2e-5;
    uint32_t n = 0;
    for (const struct rci_json_value *v = norms->first; v; v = v->next) {
        const float *w;
        int64_t dims[8];
        uint64_t rank, count = 1;
        OK(rc_graph_get_weight(f->g, v->key, &w, dims, &rank));
        for (uint64_t k = 0; k < rank; k++)
            count *= (uint64_t) dims[k];
        double sum = 0;
        for (uint64_t k = 0; k < count; k++)
            sum += (double) w[k] * (double) w[k];
        if (fabs(sqrt(sum) - v->number) > limit * v->number)
            fail_msg("%s, %s: norm of %s is %.8g after a step, torch has %.8g", g->start, g->run,
                     v->key, sqrt(sum), v->number);
        n++;
    }
    assert_int_equal(n, 59 + 2 * 19);
}

static void first_update(const struct golden_curve *g, const struct rci_json_value *starts)
{
    struct fixture f;
    double loss[STEPS];
    if (!fixture_open(&f, g->start))
        skip();
    run_steps(&f, g->run, 1, loss);
    const struct rci_json_value *run = rci_json_get(rci_json_get(starts, g->start), g->run);
    expect_norms(&f, g, rci_json_get(rci_json_get(run, "float64"), "norms_after_step1"));
    fixture_close(&f);
}

static void weights_and_statistics_after_one_step_match_torch(void **state)
{
    (void) state;
    const char *path = shared_path("golden/training/training.json");
    if (!path)
        skip();
    struct rc_context *c = test_context();
    struct rci_json *j;
    OK(rci_json_load(&j, c, path));
    for (size_t i = 0; i < sizeof(golden_curves) / sizeof(golden_curves[0]); i++)
        first_update(&golden_curves[i], rci_json_get(rci_json_root(j), "start"));
    rci_json_free(&j);
    test_context_done(c);
}

static void run_curves(const char *start, int off)
{
    for (size_t i = 0; i < sizeof(golden_curves) / sizeof(golden_curves[0]); i++)
        if (strcmp(golden_curves[i].start, start) == 0)
            run_curve(&golden_curves[i], off);
}

static void loss_curves_of_direct_convolutions_match_torch(void **state)
{
    (void) state;
    assert_int_equal(setenv("RESCOMP_WINOGRAD", "off", 1), 0);
    run_curves("trained", OFF_DIRECT);
    assert_int_equal(unsetenv("RESCOMP_WINOGRAD"), 0);
}

static void loss_curves_from_trained_weights_match_torch(void **state)
{
    (void) state;
    run_curves("trained", OFF_WINOGRAD);
}

static void loss_curves_from_fresh_weights_match_torch(void **state)
{
    (void) state;
    run_curves("init", OFF_WINOGRAD);
}

/* d loss / d logits of the first batch for one of the three losses. */
static void logit_gradient(struct fixture *f, const char *kind, const float *x, const int32_t *y,
                           const float *logits, float *grad)
{
    const struct rci_loss_batch b = {BATCH, CLASSES, logits, y, grad};
    const bool kd = strcmp(kind, "kd") == 0;
    if (kd) {
        struct rci_distill_sum sum;
        static float part[BATCH * CLASSES];
        rc_graph *teacher;
        rc_session *s;
        rc_session_options o = RC_SESSION_OPTIONS_INIT;
        static float answer[BATCH * CLASSES];
        o.batch = BATCH;
        OK(rc_graph_load(&teacher, f->c, shared_path("models/resnet56-cifar10.onnx")));
        OK(rc_session_new(&s, teacher, &o));
        OK(rc_session_run(s, BATCH, &x, (float *const[]){answer}));
        OK(rci_distill_sum_make(&sum, f->c, "hinton"));
        rci_distill_sum_logits(&sum, &b, answer, 0, part, NULL);
        rci_method_uses_free(sum.use, sum.n);
        rc_session_free(&s);
        rc_graph_free(&teacher);
        return;
    }
    const char *spec =
        strcmp(kind, "smooth") == 0 ? "cross-entropy:smoothing=0.1" : "cross-entropy";
    const struct rci_method *m;
    void *params;
    OK(rci_method_find(&m, &rci_kind_loss, spec));
    OK(rci_method_params(&params, f->c, m, spec));
    ((const struct rci_loss *) m)->value(params, &b);
    rci_release(params);
}

struct error {
    double most, whole; /* largest difference over largest element; norm over norm */
};

/* Files hold every 8th element of tensors above 4,096 unless they are whole. */
static struct error gradient_error(const struct rci_npy *golden, const float *ours, int64_t count)
{
    const int64_t stride = golden->count == count ? 1 : 8;
    assert_int_equal(golden->count, (count + stride - 1) / stride);
    float *g = calloc((size_t) golden->count, sizeof(*g));
    rci_npy_to_f32(golden, g);
    double most = 0, off = 0, norm = 0, distance = 0;
    for (int64_t i = 0; i < golden->count; i++) {
        const double d = (double) g[i] - (double) ours[i * stride];
        most = fmax(most, fabs((double) g[i]));
        off = fmax(off, fabs(d));
        norm += (double) g[i] * (double) g[i];
        distance += d * d;
    }
    free(g);
    return (struct error){off / most, sqrt(distance / norm)};
}

static void compare_gradients(struct fixture *f, struct rci_tape *t, const char *path,
                              struct error limit)
{
    struct rci_bytes archive;
    OK(rci_file_read(f->c, path, 0, &archive));
    assert_int_equal(rci_tape_n_params(t), 59); /* 19 convolutions, 19 BN pairs, the classifier */
    struct error worst = {0, 0};
    for (uint32_t i = 0; i < rci_tape_n_params(t); i++) {
        const char *name = f->g->values[rci_tape_param(t, i)].name;
        char member[160];
        struct rci_bytes bytes;
        struct rci_npy golden;
        bool found;
        snprintf(member, sizeof(member), "%s.npy", name);
        OK(rci_zip_read(f->c, &archive, path, member, &bytes, &found));
        assert_true(found);
        OK(rci_npy_parse(&golden, bytes.data, bytes.size, member));
        const struct error e =
            gradient_error(&golden, rci_tape_param_grad(t, i), rci_tape_param_count(t, i));
        if (!(e.most <= limit.most && e.whole <= limit.whole))
            fail_msg("%s: gradient of %s is off by %.2e of its largest, %.2e of its norm", path,
                     name, e.most, e.whole);
        worst = (struct error){fmax(worst.most, e.most), fmax(worst.whole, e.whole)};
        rci_release(bytes.data);
    }
    print_message("%s: off by at most %.2e of the largest, %.2e of the norm\n", path, worst.most,
                  worst.whole);
    rci_release(archive.data);
}

static void expect_gradients(const char *start, const char *kind, bool plain, struct error limit)
{
    struct fixture f;
    char name[64];
    snprintf(name, sizeof(name), "golden/training/grads-%s-%s.npz", start, kind);
    const char *path = shared_path(name);
    if (!path || !fixture_open(&f, start))
        skip();
    char *copy = rci_strdup(f.c, shared_path(name));
    static float x[BATCH * IMAGE], grad[BATCH * CLASSES];
    static int32_t y[BATCH];
    OK(rc_dataset_read(f.d, 0, BATCH, x, y));
    const struct rci_tape_config config = {.batch = BATCH, .reference_ops = plain};
    struct rci_tape *t;
    OK(rci_tape_new(&t, f.g, &config));
    OK(rci_tape_forward(t, (const void *const[]){x}, 0, 0));
    logit_gradient(&f, kind, x, y, rci_tape_output(t, 0)->data, grad);
    OK(rci_tape_backward(t, (const float *const[]){grad}));
    compare_gradients(&f, t, copy, limit);
    rci_tape_free(t);
    rci_release(copy);
    fixture_close(&f);
}

static void first_gradients_of_plain_operators_match_torch(void **state)
{
    (void) state;
    expect_gradients("trained", "ce", true, (struct error){5e-6, 5e-6});
}

/* oneDNN's convolutions, as near as f32 can be. */
static void first_gradients_of_direct_convolutions_match_torch(void **state)
{
    (void) state;
    const struct error trained = {1e-4, 5e-5};
    const struct error fresh = {1e-2, 1e-2}; /* a few signs of Relu's inputs always differ */
    assert_int_equal(setenv("RESCOMP_WINOGRAD", "off", 1), 0);
    expect_gradients("trained", "ce", false, trained);
    expect_gradients("trained", "kd", false, trained);
    expect_gradients("init", "ce", false, fresh);
    expect_gradients("init", "smooth", false, fresh);
    assert_int_equal(unsetenv("RESCOMP_WINOGRAD"), 0);
}

/* Winograd's error of 1e-5 a layer grows tenfold through twenty, and turns a few signs more. */
static void first_gradients_by_winograd_match_torch(void **state)
{
    (void) state;
    const struct error trained = {3e-2, 4e-3}, fresh = {3e-2, 1e-2};
    expect_gradients("trained", "ce", false, trained);
    expect_gradients("trained", "kd", false, trained);
    expect_gradients("init", "ce", false, fresh);
    expect_gradients("init", "smooth", false, fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_gradients_of_plain_operators_match_torch),
        cmocka_unit_test(first_gradients_of_direct_convolutions_match_torch),
        cmocka_unit_test(first_gradients_by_winograd_match_torch),
        cmocka_unit_test(weights_and_statistics_after_one_step_match_torch),
        cmocka_unit_test(loss_curves_of_direct_convolutions_match_torch),
        cmocka_unit_test(loss_curves_from_trained_weights_match_torch),
        cmocka_unit_test(loss_curves_from_fresh_weights_match_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
