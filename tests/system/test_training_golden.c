/* ResNet-20 on CIFAR-10: gradients of the first step and losses of ten steps against torch. */
#include "../golden/training.h"
#include "check.h"
#include "data/npy.h"
#include "data/zip.h"
#include "distill/loss.h"
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
    o.images = STEPS * BATCH;
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

/* Rounding grows from step to step: at each we allow four times what torch's own float deviates
 * from its double up to the next step. */
static void expect_curve(const struct golden_curve *g, const double *loss, int steps)
{
    double drift = 0;
    for (int i = 0; i < steps; i++) {
        for (int k = i; k <= i + 1 && k < STEPS; k++)
            drift = fmax(drift, fabs(g->float32[k] - g->float64[k]));
        const double off = fabs(loss[i] - g->float64[i]);
        if (off > (i ? 1e-3 : 1e-5) * g->float64[i] + (i ? 4 * drift : 0))
            fail_msg("%s, %s, step %d: loss %.8f, torch %.8f in double and %.8f in float", g->start,
                     g->run, i + 1, loss[i], g->float64[i], g->float32[i]);
    }
}

static void run_curve(const struct golden_curve *g)
{
    struct fixture f;
    if (!fixture_open(&f, g->start))
        skip();
    double loss[STEPS] = {0};
    const rc_train_options o = options_of(g->run, loss);
    rc_trainer *t;
    rc_distiller *distiller = NULL;
    OK(rc_trainer_new(&t, f.g, f.d, &o));
    if (strcmp(g->run, "kd") == 0) {
        rc_graph *teacher;
        OK(rc_graph_load(&teacher, f.c, shared_path("models/resnet56-cifar10.onnx")));
        OK(rc_distiller_new(&distiller, teacher, NULL)); /* T 4, alpha 0.7 */
        OK(rc_distiller_attach(distiller, t));
        rc_graph_free(&teacher);
    }
    OK(rc_trainer_run(t, NULL));
    rc_trainer_free(&t);
    rc_distiller_free(&distiller);
    fixture_close(&f);
    expect_curve(g, loss, strcmp(g->start, "init") == 0 ? 3 : STEPS);
}

static void run_curves(const char *start)
{
    for (size_t i = 0; i < sizeof(golden_curves) / sizeof(golden_curves[0]); i++)
        if (strcmp(golden_curves[i].start, start) == 0)
            run_curve(&golden_curves[i]);
}

static void loss_curves_from_trained_weights_match_torch(void **state)
{
    (void) state;
    run_curves("trained");
}

static void loss_curves_from_fresh_weights_match_torch(void **state)
{
    (void) state;
    run_curves("init");
}

/* d loss / d logits of the first batch for one of the three losses. */
static void logit_gradient(struct fixture *f, const char *kind, const float *x, const int32_t *y,
                           const float *logits, float *grad)
{
    const struct rc_loss_batch b = {BATCH, CLASSES, logits, y, grad};
    const bool kd = strcmp(kind, "kd") == 0;
    const struct rc_method_kind *methods = kd ? &rc_kind_distill_loss : &rc_kind_loss;
    const char *spec = kd                            ? "hinton"
                       : strcmp(kind, "smooth") == 0 ? "cross-entropy:smoothing=0.1"
                                                     : "cross-entropy";
    const struct rc_method *m;
    void *params;
    OK(rc_method_find(&m, methods, spec));
    OK(rc_method_params(&params, f->c, m, spec));
    if (kd) {
        rc_graph *teacher;
        rc_session *s;
        rc_session_options o = RC_SESSION_OPTIONS_INIT;
        static float answer[BATCH * CLASSES];
        o.batch = BATCH;
        OK(rc_graph_load(&teacher, f->c, shared_path("models/resnet56-cifar10.onnx")));
        OK(rc_session_new(&s, teacher, &o));
        OK(rc_session_run(s, BATCH, &x, (float *const[]){answer}));
        ((const struct rc_distill_loss *) m)->value(params, &b, answer);
        rc_session_free(&s);
        rc_graph_free(&teacher);
    } else {
        ((const struct rc_loss *) m)->value(params, &b);
    }
    rc_release(params);
}

/* Largest difference over the tensor's largest element; files hold every 8th element of tensors
 * above 4,096 unless they are whole. */
static double gradient_error(const struct rc_npy *golden, const float *ours, int64_t count)
{
    const int64_t stride = golden->count == count ? 1 : 8;
    assert_int_equal(golden->count, (count + stride - 1) / stride);
    float *g = calloc((size_t) golden->count, sizeof(*g));
    rc_npy_to_f32(golden, g);
    double most = 0, off = 0;
    for (int64_t i = 0; i < golden->count; i++) {
        most = fmax(most, fabs(g[i]));
        off = fmax(off, fabs(g[i] - (double) ours[i * stride]));
    }
    free(g);
    return off / most;
}

static void compare_gradients(struct fixture *f, struct rc_tape *t, const char *path, double limit)
{
    struct rc_bytes archive;
    OK(rc_file_read(f->c, path, 0, &archive));
    assert_int_equal(rc_tape_n_params(t), 59); /* 19 convolutions, 19 BN pairs, the classifier */
    double worst = 0;
    for (uint32_t i = 0; i < rc_tape_n_params(t); i++) {
        const char *name = f->g->values[rc_tape_param(t, i)].name;
        char member[160];
        struct rc_bytes bytes;
        struct rc_npy golden;
        bool found;
        snprintf(member, sizeof(member), "%s.npy", name);
        OK(rc_zip_read(f->c, &archive, path, member, &bytes, &found));
        assert_true(found);
        OK(rc_npy_parse(&golden, bytes.data, bytes.size, member));
        const double error =
            gradient_error(&golden, rc_tape_param_grad(t, i), rc_tape_param_count(t, i));
        if (!(error <= limit))
            fail_msg("%s: gradient of %s is off by %.2e of its largest", path, name, error);
        worst = fmax(worst, error);
        rc_release(bytes.data);
    }
    print_message("%s: worst gradient off by %.2e\n", path, worst);
    rc_release(archive.data);
}

static void expect_gradients(const char *start, const char *kind, double limit)
{
    struct fixture f;
    char name[64];
    snprintf(name, sizeof(name), "golden/training/grads-%s-%s.npz", start, kind);
    const char *path = shared_path(name);
    if (!path || !fixture_open(&f, start))
        skip();
    char *copy = rc_strdup(f.c, shared_path(name));
    static float x[BATCH * IMAGE], grad[BATCH * CLASSES];
    static int32_t y[BATCH];
    OK(rc_dataset_read(f.d, 0, BATCH, x, y));
    const struct rc_tape_config config = {.batch = BATCH};
    struct rc_tape *t;
    OK(rc_tape_create(&t, f.g, &config));
    OK(rc_tape_forward(t, (const void *const[]){x}, 0, 0));
    logit_gradient(&f, kind, x, y, rc_tape_output(t, 0)->data, grad);
    OK(rc_tape_backward(t, (const float *const[]){grad}));
    compare_gradients(&f, t, copy, limit);
    rc_tape_destroy(t);
    rc_release(copy);
    fixture_close(&f);
}

static void first_gradients_from_trained_weights_match_torch(void **state)
{
    (void) state;
    expect_gradients("trained", "ce", 1e-3);
    expect_gradients("trained", "smooth", 1e-3);
    expect_gradients("trained", "kd", 1e-3);
}

/* A few ReLU signs differ at fresh weights. */
static void first_gradients_from_fresh_weights_match_torch(void **state)
{
    (void) state;
    expect_gradients("init", "ce", 1e-2);
    expect_gradients("init", "smooth", 1e-2);
    expect_gradients("init", "kd", 1e-2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_gradients_from_trained_weights_match_torch),
        cmocka_unit_test(first_gradients_from_fresh_weights_match_torch),
        cmocka_unit_test(loss_curves_from_trained_weights_match_torch),
        cmocka_unit_test(loss_curves_from_fresh_weights_match_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
