/* Sessions and training in bfloat16 against f32; refused, with the reason, where there is none. */
#include "nets.h"
#include "shared.h"
#include "tiny.h"

#include "exec/plan.h"
#include "exec/session.h"
#include "exec/tape.h"
#include "io/onnx.h"
#include "test.h"
#include "train/trainer.h"

#include <rescomp/evaluate.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 3 * 13 * 11, CLASSES = 5, BATCH = 4 };

static bool has_bf16(void)
{
    const struct rci_cpu *cpu = test_cpu();
    return cpu->bf16;
}

static struct rc_session *compile(const struct rc_graph *g, int64_t batch, uint64_t flags)
{
    struct rc_session *s;
    const struct rci_session_config o = {.batch = batch, .flags = flags};
    OK(rci_session_new(&s, g, &o));
    return s;
}

static void run(struct rc_session *s, int64_t n, const float *x, float *y)
{
    OK(rci_session_run(s, n, (const void *const[]){x}, (void *const[]){y}));
}

/* --- inference --- */

static void check_network(struct rc_context *c, const char *name, int64_t pixels, int64_t classes)
{
    struct rc_graph *g = net_zoo(c, name, 1);
    float *x = calloc((size_t) (2 * pixels), sizeof(float));
    float *want = calloc((size_t) (2 * classes), sizeof(float));
    float *y = calloc((size_t) (2 * classes), sizeof(float));
    fill_random(x, 2 * pixels, 1);
    struct rc_session *exact = compile(g, 2, 0), *s = compile(g, 2, RC_SESSION_BF16);
    run(exact, 2, x, want);
    run(s, 2, x, y);
    const double e = relative_error(y, want, 2 * classes);
    if (!(e > 0 && e < 0.03)) /* equal would mean that nothing ran in bf16 */
        fail_msg("%s: error %g", name, e);
    rci_session_free(exact);
    rci_session_free(s);
    rci_graph_free(g);
    free(x);
    free(want);
    free(y);
}

static void outputs_are_close_to_f32(void **state)
{
    if (!has_bf16())
        skip();
    check_network(*state, "resnet8", 3 * 32 * 32, 10);
    check_network(*state, "resnet20", 3 * 32 * 32, 10);
    check_network(*state, "resnet18", 3 * 224 * 224, 1000);
}

/* Gates, concatenations, depthwise layers, odd numbers of channels: what has no bf16 kernel runs in
 * f32 between reorders. */
static void any_network_runs(void **state)
{
    float x[BATCH * PIXELS], want[BATCH * CLASSES], y[BATCH * CLASSES];
    if (!has_bf16())
        skip();
    for (uint64_t seed = 1; seed <= 16; seed++) {
        struct rc_graph *g = net_random(*state, seed, NET_ALL);
        fill_random(x, BATCH * PIXELS, seed);
        run_reference(g, BATCH, x, want);
        struct rc_session *s = compile(g, BATCH, RC_SESSION_BF16);
        for (int64_t n = BATCH; n >= 1; n -= 3) {
            run(s, n, x, y);
            const double e = relative_error(y, want, n * CLASSES);
            if (!(e < 0.06))
                fail_msg("seed %d, %d images: error %g", (int) seed, (int) n, e);
        }
        rci_session_free(s);
        rci_graph_free(g);
    }
}

static void check_no_reorders(struct rc_context *c, const char *name)
{
    struct rc_graph *g = net_zoo(c, name, 1);
    struct rc_session *s = compile(g, 1, RC_SESSION_BF16);
    uint32_t stem = UINT32_MAX, pool = 0;
    struct rci_step_info info;
    for (uint32_t i = 0; i < rci_session_n_steps(s); i++) {
        rci_session_step(s, i, &info);
        if (!strcmp(info.op, "Conv") && stem == UINT32_MAX)
            stem = i;
        if (!strcmp(info.op, "GlobalAveragePool"))
            pool = i;
    }
    assert_true(pool > stem);
    for (uint32_t i = stem; i < pool; i++) {
        rci_session_step(s, i, &info);
        if (strncmp(info.layout, "bf16 ", 5) || !strcmp(info.op, "reorder"))
            fail_msg("%s: step %s (%s) writes %s", name, info.name, info.op, info.layout);
    }
    rci_session_free(s);
    rci_graph_free(g);
}

static void nothing_is_reordered_from_stem_to_pool(void **state)
{
    if (!has_bf16())
        skip();
    check_no_reorders(*state, "resnet20");
    check_no_reorders(*state, "resnet56");
    check_no_reorders(*state, "resnet18");
    check_no_reorders(*state, "resnet50");
}

static void check_accuracy(struct rc_context *c, rc_dataset *d, const char *name)
{
    rc_evaluate_options o = RC_EVALUATE_OPTIONS_INIT;
    rc_evaluate_result exact = RC_EVALUATE_RESULT_INIT, r = RC_EVALUATE_RESULT_INIT;
    struct rc_graph *g;
    const char *path = shared_path(name);
    if (!path)
        skip();
    OK(rci_onnx_load(&g, c, path));
    OK(rc_evaluate(g, d, &o, &exact));
    o.flags = RC_EVALUATE_BF16;
    OK(rc_evaluate(g, d, &o, &r));
    if (!(fabs(r.top1 - exact.top1) <= 0.2))
        fail_msg("%s: top-1 %.2f in bf16, %.2f in f32", name, r.top1, exact.top1);
    assert_true(r.loss != exact.loss);
    rci_graph_free(g);
}

static void accuracy_on_cifar_stays(void **state)
{
    char spec[1100];
    rc_dataset *d;
    const char *folder = shared_cifar10();
    if (!has_bf16() || !folder)
        skip();
    snprintf(spec, sizeof(spec), "cifar10:%s", folder);
    rc_dataset_options o = RC_DATASET_OPTIONS_INIT;
    const double mean[3] = {0.485, 0.456, 0.406}, dev[3] = {0.229, 0.224, 0.225};
    o.split = "test";
    memcpy(o.mean, mean, sizeof(mean));
    memcpy(o.std, dev, sizeof(dev));
    OK(rc_dataset_open(&d, *state, spec, &o));
    check_accuracy(*state, d, "models/resnet20-cifar10.onnx");
    check_accuracy(*state, d, "models/resnet56-cifar10.onnx");
    rc_dataset_free(&d);
}

/* --- training --- */

static struct rci_tape *tape_of(struct rc_graph *g, bool bf16)
{
    struct rci_tape *t;
    const struct rci_tape_config o = {.batch = BATCH, .bf16 = bf16};
    OK(rci_tape_new(&t, g, &o));
    return t;
}

static void step(struct rci_tape *t, const float *x, const float *d)
{
    OK(rci_tape_forward(t, (const void *const[]){x}, 1, 1));
    OK(rci_tape_backward(t, (const float *const[]){d}));
}

/* Cosine of the whole gradient. */
static double agreement(const struct rci_tape *a, const struct rci_tape *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (uint32_t i = 0; i < rci_tape_n_params(a); i++) {
        const float *p = rci_tape_param_grad(a, i), *q = rci_tape_param_grad(b, i);
        for (int64_t k = 0; p && k < rci_tape_param_count(a, i); k++) {
            ab += (double) p[k] * (double) q[k];
            aa += (double) p[k] * (double) p[k];
            bb += (double) q[k] * (double) q[k];
        }
    }
    return ab / sqrt(aa * bb);
}

static void gradients_point_the_same_way(void **state)
{
    float x[BATCH * PIXELS], d[BATCH * CLASSES];
    if (!has_bf16())
        skip();
    fill_random(x, BATCH * PIXELS, 1);
    fill_random(d, BATCH * CLASSES, 2);
    double sum = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct rc_graph *g = net_random(*state, seed, NET_ALL);
        struct rci_tape *exact = tape_of(g, false);
        struct rci_tape *t = tape_of(g, true);
        step(exact, x, d);
        step(t, x, d);
        const double cosine = agreement(exact, t);
        if (!(cosine > 0.95)) /* where a ReLU is near zero its gradient may switch */
            fail_msg("seed %d: cosine %g", (int) seed, cosine);
        sum += cosine;
        rci_tape_free(exact);
        rci_tape_free(t);
        rci_graph_free(g);
    }
    if (!(sum / 12 > 0.98))
        fail_msg("mean cosine %g", sum / 12);
}

/* Reorders and types of what lies between the stem and the pool, in both directions. */
static void training_reorders_weights_only(void **state)
{
    if (!has_bf16())
        skip();
    struct rc_graph *g = net_zoo(*state, "resnet20", 1);
    struct rci_tape *t = tape_of(g, true);
    const struct rci_plan *p = rci_tape_plan(t);
    uint32_t joins = 0, moved = 0;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const struct rci_step *s = &p->steps[i];
        joins += s->bf16;
        if (s->kind != RC_STEP_REORDER)
            continue;
        const rci_id v = p->slots[s->ref[0]].value;
        const bool activation = !rci_value_is_const(&p->g->values[v]);
        moved += activation && rci_shape_count(&p->shape[v].shape) > BATCH * 64;
    }
    assert_true(joins >= 18);   /* additions with their masks */
    assert_int_equal(moved, 1); /* the images */
    rci_tape_free(t);
    rci_graph_free(g);
}

/* Steps that run Winograd's bf16 kernel: all 3x3 layers but the stem and two with stride 2. */
static uint32_t winograd_steps(struct rc_graph *g)
{
    struct rci_tape *t = tape_of(g, true);
    const struct rci_plan *p = rci_tape_plan(t);
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_steps; i++)
        n += p->steps[i].impl && !strcmp(p->steps[i].impl, "winograd:avx512bf16");
    rci_tape_free(t);
    return n;
}

static void three_by_three_layers_train_by_winograd(void **state)
{
    if (!has_bf16())
        skip();
    struct rc_graph *g = net_zoo(*state, "resnet20", 1);
    assert_int_equal(winograd_steps(g),
                     rci_cpu_bf16_vectors(test_cpu()) ? 2 * 16 : 0); /* both directions */
    assert_int_equal(setenv("RESCOMP_WINOGRAD", "off", 1), 0);
    assert_int_equal(winograd_steps(g), 0);
    assert_int_equal(unsetenv("RESCOMP_WINOGRAD"), 0);
    rci_graph_free(g);
}

static rc_status add_loss(void *user, struct rci_train_step *s)
{
    double *curve = user;
    curve[s->step] = s->loss;
    return RC_OK;
}

static void the_loss_curve_follows_f32(void **state)
{
    enum { IMAGES = 256, EPOCHS = 6, SIZE = 32, STEPS = EPOCHS * IMAGES / SIZE };
    double curve[2][STEPS];
    if (!has_bf16())
        skip();
    for (int k = 0; k < 2; k++) {
        rc_dataset *d = tiny_dataset(*state, IMAGES);
        rc_graph *g = tiny_network(*state, 0, 5);
        rc_trainer *t;
        rc_train_options o = RC_TRAIN_OPTIONS_INIT;
        o.epochs = EPOCHS;
        o.batch = SIZE;
        o.lr = 0.02;
        o.flags = k ? RC_TRAIN_BF16 : 0;
        const struct rci_train_hook hook = {
            .user = curve[k], .identity = "curve", .on_step = add_loss};
        OK(rc_trainer_new(&t, g, d, &o));
        OK(rci_trainer_add_hook(t, &hook));
        OK(rc_trainer_run(t, NULL));
        rc_trainer_free(&t);
        rc_graph_free(&g);
        rc_dataset_free(&d);
    }
    for (int i = 0; i < STEPS; i++)
        if (!(fabs(curve[1][i] - curve[0][i]) <= 0.02 + 0.03 * curve[0][i]))
            fail_msg("step %d: loss %g in bf16, %g in f32", i, curve[1][i], curve[0][i]);
    assert_true(curve[1][STEPS - 1] < 0.7 * curve[1][0]);
    assert_true(curve[1][0] != curve[0][0]);
}

static void same_steps_give_same_bytes(void **state)
{
    float x[BATCH * PIXELS], d[BATCH * CLASSES];
    if (!has_bf16())
        skip();
    fill_random(x, BATCH * PIXELS, 1);
    fill_random(d, BATCH * CLASSES, 2);
    struct rc_graph *g = net_random(*state, 3, NET_ALL);
    struct rci_tape *a = tape_of(g, true), *b = tape_of(g, true);
    step(a, x, d);
    step(b, x, d);
    for (uint32_t i = 0; i < rci_tape_n_params(a); i++)
        if (rci_tape_param_grad(a, i))
            assert_memory_equal(rci_tape_param_grad(a, i), rci_tape_param_grad(b, i),
                                (size_t) rci_tape_param_count(a, i) * sizeof(float));
    rci_tape_free(a);
    rci_tape_free(b);
    rci_graph_free(g);
}

/* --- where it is refused --- */

static void plain_c_has_no_bf16(void **state)
{
    rc_session *s;
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    if (!has_bf16())
        skip();
    struct rc_graph *g = net_random(*state, 3, NET_RESIDUAL);
    o.flags = RC_SESSION_BF16 | RC_SESSION_REFERENCE;
    REFUSED(rc_session_new(&s, g, &o), RC_ERR_UNSUPPORTED, "bf16 needs oneDNN");
    rci_graph_free(g);
}

static void other_processors_are_named(void **state)
{
    const struct rci_cpu *cpu = test_cpu();
    rc_session *s;
    rc_trainer *t;
    rc_session_options o = RC_SESSION_OPTIONS_INIT;
    rc_train_options train = RC_TRAIN_OPTIONS_INIT;
    rc_evaluate_options e = RC_EVALUATE_OPTIONS_INIT;
    rc_evaluate_result r = RC_EVALUATE_RESULT_INIT;
    if (has_bf16())
        skip();
    rc_dataset *d = tiny_dataset(*state, 64);
    rc_graph *g = tiny_network(*state, 0, 5);
    o.flags = RC_SESSION_BF16;
    train.flags = RC_TRAIN_BF16;
    train.batch = 32;
    e.flags = RC_EVALUATE_BF16;
    REFUSED(rc_session_new(&s, g, &o), RC_ERR_UNSUPPORTED, "bf16 needs AVX-512 BF16 or AMX");
    assert_non_null(strstr(rc_last_error(), cpu->model));
    assert_non_null(strstr(rc_last_error(), cpu->isa));
    REFUSED(rc_trainer_new(&t, g, d, &train), RC_ERR_UNSUPPORTED, "bf16 needs");
    REFUSED(rc_evaluate(g, d, &e, &r), RC_ERR_UNSUPPORTED, "bf16 needs");
    rc_graph_free(&g);
    rc_dataset_free(&d);
}

static void older_callers_of_evaluate_have_no_flags(void **state)
{
    rc_evaluate_options o = RC_EVALUATE_OPTIONS_INIT;
    rc_evaluate_result r = RC_EVALUATE_RESULT_INIT;
    rc_dataset *d = tiny_dataset(*state, 64);
    rc_graph *g = tiny_network(*state, 0, 5);
    o.flags = ~UINT64_C(0); /* behind the end of their struct */
    o.size = offsetof(rc_evaluate_options, flags);
    OK(rc_evaluate(g, d, &o, &r));
    o.size = sizeof(o);
    REFUSED(rc_evaluate(g, d, &o, &r), RC_ERR_ABI, "rc_evaluate_options.flags");
    rc_graph_free(&g);
    rc_dataset_free(&d);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, context_setup, context_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(outputs_are_close_to_f32),
        CASE(any_network_runs),
        CASE(nothing_is_reordered_from_stem_to_pool),
        CASE(accuracy_on_cifar_stays),
        CASE(gradients_point_the_same_way),
        CASE(training_reorders_weights_only),
        CASE(three_by_three_layers_train_by_winograd),
        CASE(the_loss_curve_follows_f32),
        CASE(same_steps_give_same_bytes),
        CASE(plain_c_has_no_bf16),
        CASE(other_processors_are_named),
        CASE(older_callers_of_evaluate_have_no_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
