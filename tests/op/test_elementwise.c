/* Clip, LeakyRelu, Sigmoid, HardSigmoid, HardSwish. */
#include "opcheck.h"

#include "eval.h"
#include "exec/session.h"
#include "handnets.h"
#include "op/attrs.h"
#include "pass/pass.h"

#include <math.h>
#include <stdlib.h>

#define X7 RC_SHAPE(7)
static float x7[] = {-5, -3, -0.5f, 0, 0.25f, 3, 5};
static const struct rci_tensor in7 = {RC_F32, {1, {7}}, x7};

static void clip_bounds_from_both_sides(void **state)
{
    (void) state;
    const struct rci_clip_attrs a = {.lo = -1, .hi = 2, .n_bounds = 2};
    struct opcheck c;
    opcheck_open(&c, "Clip", &a, &in7, 1, 1);
    OPCHECK_F32(&c, 0, X7, -1, -1, -0.5f, 0, 0.25f, 2, 2);
    opcheck_close(&c);
    opcheck_open(&c, "Clip", NULL, &in7, 1, 1); /* no attributes: no bounds */
    OPCHECK_F32(&c, 0, X7, -5, -3, -0.5f, 0, 0.25f, 3, 5);
    opcheck_close(&c);
    const struct rci_clip_attrs one = {.lo = 0, .hi = INFINITY, .n_bounds = 2};
    opcheck_open(&c, "Clip", &one, &in7, 1, 1);
    OPCHECK_F32(&c, 0, X7, 0, 0, 0, 0, 0.25f, 3, 5);
    opcheck_close(&c);
}

static void clip_takes_integers(void **state)
{
    (void) state;
    const struct rci_clip_attrs a = {.lo = -2, .hi = 100, .n_bounds = 2};
    const struct rci_tensor s8 = {RC_S8, RC_SHAPE(3), (int8_t[]){-128, 5, 127}};
    const struct rci_tensor i64 = {RC_I64, RC_SHAPE(3), (int64_t[]){INT64_MIN, 5, INT64_MAX}};
    struct opcheck c;
    opcheck_open(&c, "Clip", &a, &s8, 1, 1);
    opcheck_expect(&c, &(struct rci_tensor){RC_S8, RC_SHAPE(3), (int8_t[]){-2, 5, 100}}, 0);
    opcheck_close(&c);
    const struct rci_tensor u8 = {RC_U8, RC_SHAPE(3), (uint8_t[]){0, 5, 255}};
    opcheck_open(&c, "Clip", &a, &u8, 1, 1);
    opcheck_expect(&c, &(struct rci_tensor){RC_U8, RC_SHAPE(3), (uint8_t[]){0, 5, 100}}, 0);
    opcheck_close(&c);
    opcheck_open(&c, "Clip", &a, &i64, 1, 1);
    OPCHECK_I64(&c, RC_SHAPE(3), -2, 5, 100);
    opcheck_close(&c);
}

static void clip_gradient_matches_differences(void **state)
{
    (void) state;
    const struct rci_clip_attrs a = {.lo = -1, .hi = 2, .n_bounds = 2};
    opcheck_gradient_of("Clip", &a, &in7, 1, 1, 1e-2, 1e-4);
}

static void leakyrelu_scales_what_is_negative(void **state)
{
    (void) state;
    const struct rci_leaky_attrs a = {0.1f};
    struct opcheck c;
    opcheck_open(&c, "LeakyRelu", &a, &in7, 1, 1);
    OPCHECK_F32(&c, 1e-6, X7, -0.5f, -0.3f, -0.05f, 0, 0.25f, 3, 5);
    x7[3] = 1; /* away from the kink */
    opcheck_close(&c);
    opcheck_gradient_of("LeakyRelu", &a, &in7, 1, 1, 1e-2, 1e-4);
    x7[3] = 0;
}

static void sigmoid_equals_its_formula(void **state)
{
    (void) state;
    const struct rci_tensor far = {RC_F32, RC_SHAPE(4), (float[]){-200, -1, 1, 200}};
    struct opcheck c;
    opcheck_open(&c, "Sigmoid", NULL, &far, 1, 1);
    OPCHECK_F32(&c, 1e-6, RC_SHAPE(4), 0, 0.26894142f, 0.73105858f, 1);
    opcheck_close(&c);
    opcheck_gradient_of("Sigmoid", NULL, &in7, 1, 1, 1e-2, 1e-4);
}

static void hardsigmoid_equals_its_formula(void **state)
{
    (void) state;
    const struct rci_hardsigmoid_attrs a = {0.2f, 0.5f};
    struct opcheck c;
    opcheck_open(&c, "HardSigmoid", &a, &in7, 1, 1);
    OPCHECK_F32(&c, 1e-6, X7, 0, 0, 0.4f, 0.5f, 0.55f, 1, 1);
    opcheck_close(&c);
    opcheck_gradient_of("HardSigmoid", &a, &in7, 1, 1, 1e-2, 1e-4);
}

static void hardswish_equals_its_formula(void **state)
{
    (void) state;
    struct opcheck c;
    opcheck_open(&c, "HardSwish", NULL, &in7, 1, 1);
    OPCHECK_F32(&c, 1e-6, X7, 0, 0, -0.5f * (2.5f / 6), 0, 0.25f * (3.25f / 6), 3, 5);
    opcheck_close(&c);
    const struct rci_tensor smooth = {RC_F32, RC_SHAPE(5), (float[]){-4, -2.5f, 0.5f, 2.5f, 4}};
    opcheck_gradient_of("HardSwish", NULL, &smooth, 1, 1, 1e-2, 1e-3);
}

static void long_arrays_run_in_pieces(void **state)
{
    (void) state;
    const struct rci_tensor big = {RC_F32, RC_SHAPE(100003), NULL};
    struct opcheck c;
    opcheck_open(&c, "HardSwish", NULL, &big, 1, 1);
    opcheck_forward(&c);
    const float *x = c.in[0].data, *y = c.out[0].data;
    for (int i = 0; i < 100003; i++)
        assert_true(fabsf(y[i] - x[i] * (x[i] + 3) / 6) < 1e-5f);
    opcheck_close(&c);
}

static void maps_refuse_integers(void **state)
{
    (void) state;
    static const char *const ops[] = {"LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish"};
    const struct rci_tensor i64 = {RC_I64, RC_SHAPE(3), NULL};
    const struct rci_tensor flags = {RC_BOOL, RC_SHAPE(3), NULL};
    for (int k = 0; k < 4; k++)
        opcheck_refused(ops[k], NULL, &i64, 1, 1, RC_ERR_UNSUPPORTED, "of type i64");
    opcheck_refused("Clip", NULL, &flags, 1, 1, RC_ERR_UNSUPPORTED, "of type bool");
}

static void clip_refuses_bounds_from_the_data(void **state)
{
    (void) state;
    const struct rci_tensor in[] = {in7, {RC_F32, {0, {0}}, NULL}};
    opcheck_refused("Clip", NULL, in, 2, 1, RC_ERR_UNSUPPORTED, "must be constants");
}

struct activation {
    const char *op;
    const void *attrs;
};

static const struct activation activations[] = {
    {"Relu", NULL},
    {"Clip", &(struct rci_clip_attrs){.lo = 0, .hi = 6, .n_bounds = 2}},
    {"Clip", &(struct rci_clip_attrs){.lo = 0, .hi = INFINITY, .n_bounds = 2}},
    {"LeakyRelu", &(struct rci_leaky_attrs){0.1f}},
    {"Sigmoid", NULL},
    {"HardSigmoid", &(struct rci_hardsigmoid_attrs){0.2f, 0.5f}},
    {"HardSwish", NULL},
};
enum { N_ACTIVATIONS = sizeof(activations) / sizeof(activations[0]) };

static void not_a_number_passes_every_activation(void **state)
{
    (void) state;
    const struct rci_tensor in = {RC_F32, RC_SHAPE(3), (float[]){-1, NAN, 1}};
    for (int k = 0; k < N_ACTIVATIONS; k++) {
        struct opcheck c;
        opcheck_open(&c, activations[k].op, activations[k].attrs, &in, 1, 1);
        opcheck_forward(&c);
        const float *y = c.out[0].data;
        assert_false(isnan(y[0]) || isnan(y[2]));
        assert_true(isnan(y[1]));
        opcheck_close(&c);
    }
}

/* A 3x3 convolution [2, 3, 8, 8] -> [2, 16, 8, 8] with the activation behind it. */
static struct rc_graph *conv_with(struct rc_context *c, const struct activation *a)
{
    struct net n = net_new(c);
    rci_id node;
    rci_id y = net_conv(&n, "conv", net_input(&n, 3, 8, 8), (struct net_conv){16, 3, 1, 1, true});
    OK(rci_graph_add_node(n.g, &node, rci_op_find(NULL, a->op), "act", a->attrs, &y, 1, NULL, 1));
    net_done(&n, n.g->nodes[node].out[0]);
    return n.g;
}

/* One pixel of the first image is no number: the 9 pixels around it are none in every channel, and
 * all others are numbers. */
static void expect_spread(const float *y, const struct activation *a)
{
    for (int i = 0; i < 2 * 16 * 64; i++) {
        const int row = i % 64 / 8, column = i % 8;
        const bool near = i < 16 * 64 && abs(row - 4) < 2 && abs(column - 2) < 2;
        if (!isnan(y[i]) == near)
            fail_msg("%s: element %d is %g", a->op, i, (double) y[i]);
    }
}

/* Is the convolution computed by a kernel of the library? */
static bool own_kernel(const struct rc_session *s)
{
    struct rci_step_info step;
    for (uint32_t i = 0; i < rci_session_n_steps(s); i++) {
        rci_session_step(s, i, &step);
        if (!strncmp(step.kernel, "winograd", 8) || !strncmp(step.kernel, "direct", 6))
            return true;
    }
    return false;
}

/* The same network fused and not, on plain loops and on the fast path. oneDNN's own activation
 * takes the larger of x and 0 as the processor does and turns NaN into 0: that is not the library's
 * to change, so the fast path is held to it where a kernel of the library computes. */
static void not_a_number_passes_fused_activations(void **state)
{
    (void) state;
    enum { PLAIN, FUSED, FAST, WAYS };
    float x[2 * 3 * 64], y[2 * 16 * 64];
    for (int i = 0; i < 2 * 3 * 64; i++)
        x[i] = (float) (i % 11) / 5 - 1;
    x[64 + 4 * 8 + 2] = NAN;
    for (int k = 0; k < N_ACTIVATIONS * WAYS; k++) {
        struct rc_context *c = test_context();
        const int way = k % WAYS;
        struct rc_graph *g = conv_with(c, &activations[k / WAYS]);
        struct rc_session *s;
        if (way == FUSED)
            OK(rci_pass_run(g, &rci_pass_fuse_post, NULL));
        const uint64_t flags = way == FAST ? 0 : RC_SESSION_NO_PASSES | RC_SESSION_REFERENCE_OPS;
        OK(rci_session_new(&s, g, &(struct rci_session_config){.batch = 2, .flags = flags}));
        if (way != FAST)
            assert_int_equal(rci_session_n_steps(s), way == FUSED ? 1 : 2);
        OK(rci_session_run(s, 2, (const void *[]){x}, (void *[]){y}));
        if (way != FAST || own_kernel(s))
            expect_spread(y, &activations[k / WAYS]);
        rci_session_free(s);
        rci_graph_free(g);
        test_context_done(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clip_bounds_from_both_sides),
        cmocka_unit_test(clip_takes_integers),
        cmocka_unit_test(clip_gradient_matches_differences),
        cmocka_unit_test(leakyrelu_scales_what_is_negative),
        cmocka_unit_test(sigmoid_equals_its_formula),
        cmocka_unit_test(hardsigmoid_equals_its_formula),
        cmocka_unit_test(hardswish_equals_its_formula),
        cmocka_unit_test(long_arrays_run_in_pieces),
        cmocka_unit_test(not_a_number_passes_every_activation),
        cmocka_unit_test(not_a_number_passes_fused_activations),
        cmocka_unit_test(maps_refuse_integers),
        cmocka_unit_test(clip_refuses_bounds_from_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
