/* Training with simulated integers: rules against independent numbers, the trainable form against
 * what it came from and what it becomes, and what acts within steps. */
#include "../golden/qat.h"
#include "check.h"
#include "nets.h"
#include "opcheck.h"
#include "quantnets.h"
#include "tiny.h"

#include <stdlib.h>

#include "quant/trainable.h"

extern const struct rci_qat rci_qat_sawb, rci_qat_minmax, rci_qat_lsq_plus;

static void close_to(const float *a, const double *b, double tolerance)
{
    for (int i = 0; i < QAT_N; i++)
        if (!(fabs((double) a[i] - b[i]) <= tolerance))
            fail_msg("element %d is %.8g, not %.8g", i, (double) a[i], b[i]);
}

/* Forward and backward of x = factor * qat_x, 1 image of QAT_N features. */
static void run_rule(struct opcheck *c, const struct rci_fake_quant_attrs *a, float number,
                     double factor)
{
    float x[QAT_N], dy[QAT_N];
    for (int i = 0; i < QAT_N; i++) {
        x[i] = (float) (factor * qat_x[i]);
        dy[i] = (float) qat_dy[i];
    }
    const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(1, QAT_N), x},
                                    {RC_F32, RC_SHAPE(1), &number}};
    opcheck_open(c, "FakeQuant", a, in, 2, 1);
    opcheck_forward(c);
    opcheck_backward(c);
    memcpy(c->d_out[0].data, dy, sizeof(dy));
    const struct rci_call call = {.node = c->node,
                                  .ctx = c->ctx,
                                  .in = c->in,
                                  .out = c->out,
                                  .d_out = c->d_out,
                                  .d_in = c->d_in};
    OK(c->node->op->backward(&call));
}

static void lsq_agrees_with_an_independent_program(void **state)
{
    (void) state;
    for (size_t k = 0; k < sizeof(lsq_golden) / sizeof(lsq_golden[0]); k++) {
        const struct lsq_golden *e = &lsq_golden[k];
        const struct rci_fake_quant_attrs a = {.rule = &rci_fake_rule_lsq,
                                               .low = (float) e->low,
                                               .high = (float) e->high,
                                               .batched = 1};
        struct opcheck c;
        run_rule(&c, &a, (float) e->step, 1);
        close_to(c.out[0].data, e->y, 1e-6);
        close_to(c.d_in[0].data, e->dx, 1e-6);
        assert_near((double) *(float *) c.d_in[1].data, e->dstep, 1e-5);
        opcheck_close(&c);
    }
}

static void pact_agrees_with_an_independent_program(void **state)
{
    (void) state;
    for (size_t k = 0; k < sizeof(pact_golden) / sizeof(pact_golden[0]); k++) {
        const struct pact_golden *e = &pact_golden[k];
        const struct rci_fake_quant_attrs a = {
            .rule = &rci_fake_rule_pact, .high = (float) e->high, .batched = 1};
        struct opcheck c;
        run_rule(&c, &a, (float) e->alpha, 2);
        close_to(c.out[0].data, e->y, 1e-6);
        close_to(c.d_in[0].data, e->dx, 1e-6);
        assert_near((double) *(float *) c.d_in[1].data, e->dalpha, 1e-5);
        opcheck_close(&c);
    }
}

/* Two channels of three weights. */
static void weights(struct opcheck *c, const struct rci_fake_quant_rule *rule, float high,
                    const float *x)
{
    const struct rci_fake_quant_attrs a = {
        .rule = rule, .low = -high, .high = high, .odd = high < 127, .channels = 2};
    const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(2, 3), (void *) (uintptr_t) x},
                                    {RC_F32, RC_SHAPE(2), NULL}};
    opcheck_open(c, "FakeQuant", &a, in, 2, 1);
    opcheck_forward(c);
    opcheck_backward(c);
}

static void dorefa_takes_odd_multiples_of_what_tanh_leaves(void **state)
{
    (void) state;
    static const float x[] = {0.5f, -0.1f, 0.02f, -2, 1, 0.4f};
    struct opcheck c;
    weights(&c, &rci_fake_rule_dorefa, 3, x); /* 2 bits: -3 -1 1 3 */
    const float *y = c.out[0].data, *dx = c.d_in[0].data, *dy = c.d_out[0].data;
    static const int levels[] = {3, -1, 1, -3, 3, 1};
    for (int i = 0; i < 6; i++) {
        const double s = tanh(i < 3 ? 0.5 : 2) / 3, t = tanh((double) x[i]);
        assert_near((double) y[i], s * levels[i], 1e-6);
        assert_near((double) dx[i], (double) dy[i] * (1 - t * t), 1e-5);
    }
    opcheck_close(&c);
}

static void sawb_cuts_off_by_the_moments_of_a_channel(void **state)
{
    (void) state;
    static const float x[] = {0.9f, -0.3f, 0.6f, 5, -4, 3};
    struct opcheck c;
    weights(&c, rci_qat_sawb.weights, 3, x);
    const float *y = c.out[0].data;
    /* sqrt(mean w^2), mean |w| */
    const double a0 = 3.12 * sqrt(1.26 / 3) - 2.064 * 0.6, a1 = 3.12 * sqrt(50.0 / 3) - 2.064 * 4;
    assert_near((double) y[0], fmin(a0, 0.9), 1e-5);
    assert_near((double) y[1], -a0 / 3, 1e-5);
    assert_near((double) y[3], a1, 1e-5);
    assert_near((double) y[4], -a1, 1e-5);
    opcheck_close(&c);
}

static void minmax_follows_the_batches_in_training_only(void **state)
{
    (void) state;
    const struct rci_fake_quant_attrs a = {
        .rule = rci_qat_minmax.activations, .high = 15, .batched = 1};
    const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(1, 4), (float[]){0.5f, 3, -1, 1}},
                                    {RC_F32, RC_SHAPE(1), (float[]){1.5f}}};
    struct opcheck c;
    opcheck_open(&c, "FakeQuant", &a, in, 2, 1);
    opcheck_forward(&c);
    assert_near((double) *(float *) c.in[1].data, 1.5, 1e-7);
    assert_near((double) ((float *) c.out[0].data)[1], 1.5, 1e-6);
    c.training = true;
    opcheck_forward(&c);
    assert_near((double) *(float *) c.in[1].data, 1.515, 1e-6);
    opcheck_close(&c);
}

static void offsets_of_lsq_plus_keep_zero_and_have_the_papers_gradient(void **state)
{
    (void) state;
    const struct rci_fake_quant_attrs a = {
        .rule = rci_qat_lsq_plus.shifted, .high = 15, .batched = 1};
    /* s = 0.2, zero point 5: from -1 to 2 */
    const struct rci_tensor in[] = {{RC_F32, RC_SHAPE(1, 4), (float[]){0, -1.5f, 2.5f, 0.33f}},
                                    {RC_F32, RC_SHAPE(2), (float[]){0.2f, -1}}};
    struct opcheck c;
    opcheck_open(&c, "FakeQuant", &a, in, 2, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(1, 4), 0, -1, 2, 0.4f);
    opcheck_backward(&c);
    const float *dy = c.d_out[0].data, *dx = c.d_in[0].data, *dp = c.d_in[1].data;
    const double g = 1 / sqrt(4 * 15.0);
    assert_true(dx[0] == dy[0] && dx[1] == 0 && dx[2] == 0 && dx[3] == dy[3]);
    assert_near((double) dp[1], g * ((double) dy[1] + (double) dy[2]), 1e-5);
    const double step =
        -5 * (double) dy[1] + 10 * (double) dy[2] + (2 - 0.33 / 0.2) * (double) dy[3];
    assert_near((double) dp[0], g * step, 1e-4);
    opcheck_close(&c);
}

/* --- whole graphs --- */

struct scene {
    struct rc_context *c;
    rc_dataset *d;
    rc_graph *g, *trainable;
    rc_quantizer *q;
};

static void scene_open(struct scene *s, struct rc_context *c, const char *method, const char *norm,
                       uint64_t bits)
{
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    o.qat = method;
    o.norm = norm;
    o.weight_bits = o.activation_bits = bits;
    o.flags = RC_QUANTIZE_FULL_RANGE | RC_QUANTIZE_FLOAT_BIAS; /* nothing is rounded anew */
    *s = (struct scene){.c = c, .d = tiny_dataset(c, 64), .g = tiny_network(c, 0, 1)};
    net_randomize(s->g, 5);
    OK(rc_quantizer_new(&s->q, s->g, &o));
    OK(rc_quantizer_calibrate(s->q, s->d));
    OK(rc_quantizer_apply(&s->trainable, s->q));
}

static void scene_close(struct scene *s)
{
    rc_quantizer_free(&s->q);
    rc_graph_free(&s->trainable);
    rc_graph_free(&s->g);
    rc_dataset_free(&s->d);
}

static void scene_train(struct scene *s, double lr, uint64_t epochs, uint64_t flags,
                        rc_train_result *r)
{
    rc_train_options o = RC_TRAIN_OPTIONS_INIT;
    rc_trainer *t;
    o.batch = 16;
    o.lr = lr;
    o.epochs = epochs;
    o.flags = flags;
    o.rate = "constant";
    OK(rc_trainer_new(&t, s->trainable, s->d, &o));
    OK(rc_quantizer_attach(s->q, t));
    OK(rc_trainer_run(t, r));
    rc_trainer_free(&t);
}

enum { SEEN = 8, PLANE = TINY_CHANNELS * TINY_SIDE * TINY_SIDE };

/* Share of the largest output by which the graphs differ on SEEN random images. */
static double differ(const rc_graph *a, const rc_graph *b)
{
    float x[SEEN * PLANE], y[2][SEEN * TINY_CLASSES];
    fill_random(x, SEEN * PLANE, 77);
    run_reference(a, SEEN, x, y[0]);
    run_reference(b, SEEN, x, y[1]);
    return relative_error(y[0], y[1], SEEN * TINY_CLASSES);
}

static void the_trainable_form_begins_as_the_quantized_graph(void **state)
{
    struct scene s;
    rc_graph *exported;
    static const char *const norms[] = {"frozen", "folded"};
    for (int k = 0; k < 2; k++) {
        scene_open(&s, *state, "lsq", norms[k], 8);
        OK(rci_quantizer_apply(&exported, s.q));
        const double error = differ(s.trainable, exported);
        if (error > 0.002)
            fail_msg("norm %s: differs by %g", norms[k], error);
        rc_graph_free(&exported);
        scene_close(&s);
    }
}

static void what_was_trained_is_what_is_exported(void **state)
{
    static const char *const norms[] = {"batch", "frozen", "folded"};
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    for (uint32_t i = 0; i < rci_kind_qat.count; i++)
        for (int k = i ? (int) i % 3 : 0; k < (i ? (int) i % 3 + 1 : 3); k++) {
            const char *name = rci_kind_qat.table[i]->name;
            struct scene s;
            rc_graph *done;
            scene_open(&s, *state, name, norms[k], 4);
            scene_train(&s, 0.01, 1, k == 1 ? RC_TRAIN_FREEZE_BN : 0, &r);
            OK(rc_quantizer_finish(&done, s.trainable));
            assert_false(rci_graph_is_simulated(done));
            const double error = differ(s.trainable, done);
            if (!(error < 0.03)) /* a rounding that went the other way */
                fail_msg("%s, norm %s: differs by %g", name, norms[k], error);
            assert_non_null(strstr(rci_graph_get_metadata(done, "rescomp.quantization"),
                                   "\"trainable\":false"));
            rc_graph_free(&done);
            scene_close(&s);
        }
}

static void training_learns_steps_and_lowers_the_loss(void **state)
{
    struct scene s;
    rc_train_result first = RC_TRAIN_RESULT_INIT, last = RC_TRAIN_RESULT_INIT;
    scene_open(&s, *state, "lsq", NULL, 2);
    rc_graph *before;
    OK(rci_graph_clone(&before, s.trainable));
    scene_train(&s, 0.02, 1, 0, &first);
    uint32_t moved = 0, numbers = 0;
    for (rci_id i = 0; i < before->n_nodes; i++) {
        if (!rci_fake_quant_of(&before->nodes[i]))
            continue;
        const rci_id v = before->nodes[i].in[1];
        numbers++;
        moved += *(float *) before->values[v].tensor.data !=
                 *(float *) s.trainable->values[v].tensor.data;
    }
    assert_true(moved + 1 >= numbers && numbers > 4); /* all but the image's */
    rc_graph_free(&before);
    scene_close(&s);
    scene_open(&s, *state, "lsq", NULL, 2);
    scene_train(&s, 0.02, 12, 0, &last);
    assert_true(last.loss < 0.8 * first.loss);
    scene_close(&s);
}

static void a_rate_that_is_too_high_is_halved(void **state)
{
    struct scene s;
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    scene_open(&s, *state, "lsq", "folded", 4);
    scene_train(&s, 0.01, 8, 0, &r);
    const double calm = r.loss;
    scene_close(&s);
    scene_open(&s, *state, "lsq", "folded", 4);
    scene_train(&s, 3, 30, 0, &r);
    assert_true(isfinite(r.loss) && r.loss < 3 * calm + 2);
    scene_close(&s);
}

/* With a threshold that one way back exceeds, whatever moved twice stands still. */
static void oscillating_weights_are_frozen(void **state)
{
    struct scene s;
    rc_train_result r = RC_TRAIN_RESULT_INIT;
    uint32_t still[2] = {0, 0};
    static const char *const methods[] = {"lsq:freeze=0.005", "lsq"};
    for (int k = 0; k < 2; k++) {
        scene_open(&s, *state, methods[k], NULL, 2);
        scene_train(&s, 0.05, 10, 0, &r);
        for (rci_id i = 0; i < s.trainable->n_nodes; i++) {
            const struct rci_fake_quant_attrs *a = rci_fake_quant_of(&s.trainable->nodes[i]);
            const struct rci_tensor *w =
                a ? rci_const_in(s.trainable, &s.trainable->nodes[i], 0) : NULL;
            if (!w || a->high > 2)
                continue;
            const float *x = w->data,
                        *step = rci_const_in(s.trainable, &s.trainable->nodes[i], 1)->data;
            const int64_t n = rci_shape_count(&w->shape), inner = n / a->channels;
            for (int64_t j = 0; j < n; j++) /* exactly on an integer */
                still[k] += x[j] == step[j / inner] * rintf(x[j] / step[j / inner]) && x[j] != 0;
        }
        scene_close(&s);
    }
    assert_true(still[0] > still[1] + 3);
}

static void wrong_uses_are_refused(void **state)
{
    struct rc_context *c = *state;
    struct scene s;
    rc_quantize_options o = RC_QUANTIZE_OPTIONS_INIT;
    rc_train_options train = RC_TRAIN_OPTIONS_INIT;
    rc_quantizer *q;
    rc_trainer *t;
    scene_open(&s, c, "lsq", NULL, 4);
    o.qat = "lsqq";
    REFUSED(rc_quantizer_new(&q, s.g, &o), RC_ERR_ARG, "lsq+");
    o.qat = "lsq";
    o.norm = "fold";
    REFUSED(rc_quantizer_new(&q, s.g, &o), RC_ERR_ARG, "allowed are batch, frozen and folded");
    train.batch = 16;
    OK(rc_trainer_new(&t, s.g, s.d, &train));
    REFUSED(rc_quantizer_attach(s.q, t), RC_ERR_ARG, "was not made with qat");
    rc_trainer_free(&t);
    OK(rc_trainer_new(&t, s.trainable, s.d, &train));
    OK(rc_quantizer_attach(s.q, t));
    REFUSED(rc_quantizer_attach(s.q, t), RC_ERR_STATE, "already");
    o = (rc_quantize_options) RC_QUANTIZE_OPTIONS_INIT;
    OK(rc_quantizer_new(&q, s.g, &o));
    REFUSED(rc_quantizer_attach(q, t), RC_ERR_STATE, "no qat method");
    rc_quantizer_free(&q);
    rc_trainer_free(&t);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lsq_agrees_with_an_independent_program),
        cmocka_unit_test(pact_agrees_with_an_independent_program),
        cmocka_unit_test(dorefa_takes_odd_multiples_of_what_tanh_leaves),
        cmocka_unit_test(sawb_cuts_off_by_the_moments_of_a_channel),
        cmocka_unit_test(minmax_follows_the_batches_in_training_only),
        cmocka_unit_test(offsets_of_lsq_plus_keep_zero_and_have_the_papers_gradient),
        cmocka_unit_test_setup_teardown(the_trainable_form_begins_as_the_quantized_graph,
                                        context_setup, context_teardown),
        cmocka_unit_test_setup_teardown(what_was_trained_is_what_is_exported, context_setup,
                                        context_teardown),
        cmocka_unit_test_setup_teardown(training_learns_steps_and_lowers_the_loss, context_setup,
                                        context_teardown),
        cmocka_unit_test_setup_teardown(a_rate_that_is_too_high_is_halved, context_setup,
                                        context_teardown),
        cmocka_unit_test_setup_teardown(oscillating_weights_are_frozen, context_setup,
                                        context_teardown),
        cmocka_unit_test_setup_teardown(wrong_uses_are_refused, context_setup, context_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
